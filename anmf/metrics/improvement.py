"""What a separation gains: the metric of the estimate minus that of the mixture, in dB."""

from numpy.typing import ArrayLike

from anmf._core.types import Array
from anmf.metrics.permutation import permutation_invariant
from anmf.metrics.signals import as_arrays, as_waveforms
from anmf.metrics.snr import sd_sdr, si_sdr, snr


def snr_improvement(
    reference: ArrayLike,
    estimate: ArrayLike,
    mixture: ArrayLike,
    *,
    permute: bool = False,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """SNR of the estimate minus that of the mixture.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    mixture : array-like of shape (..., n_times) or (..., n_times, n_sources)
        What was separated: one mixture for all sources, or for each reference the one that it is
        compared with (the mixture at the microphone where it was recorded).
    permute : bool, default False
        Whether the estimates come in another order than the references. The improvement is then
        that of the order with the largest mean SNR of the estimates; the mixture stays as it is.
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of both metrics (not of their difference).

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references. Zero where estimate and mixture are equally good,
        NaN where the reference is zero throughout.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> voices = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> estimate = np.array([[1.0, 0.1], [0.1, 1.0], [0.0, 0.0]])
    >>> snr_improvement(voices, estimate, voices.sum(axis=1)).round(6)
    array([20., 20.])
    """
    options = {"zero_mean": zero_mean, "clamp_db": clamp_db}
    return _improvement(snr, reference, estimate, mixture, permute, options)


def si_sdr_improvement(
    reference: ArrayLike,
    estimate: ArrayLike,
    mixture: ArrayLike,
    *,
    permute: bool = False,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """SI-SDR of the estimate minus that of the mixture ("SI-SDRi").

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    mixture : array-like of shape (..., n_times) or (..., n_times, n_sources)
        What was separated: one mixture for all sources, or for each reference the one that it is
        compared with (the mixture at the microphone where it was recorded).
    permute : bool, default False
        Whether the estimates come in another order than the references. The improvement is then
        that of the order with the largest mean SI-SDR of the estimates; the mixture stays as it is.
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of both metrics (not of their difference).

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references. The level of estimates and mixture has no influence.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Examples
    --------
    Estimates in another order, at another level:

    >>> import numpy as np
    >>> voices = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> estimate = np.array([[0.2, 2.0], [2.0, 0.2], [0.0, 0.0]])
    >>> si_sdr_improvement(voices, estimate, voices.sum(axis=1), permute=True).round(6)
    array([20., 20.])
    """
    options = {"zero_mean": zero_mean, "clamp_db": clamp_db}
    return _improvement(si_sdr, reference, estimate, mixture, permute, options)


def sd_sdr_improvement(
    reference: ArrayLike,
    estimate: ArrayLike,
    mixture: ArrayLike,
    *,
    permute: bool = False,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """SD-SDR of the estimate minus that of the mixture.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    mixture : array-like of shape (..., n_times) or (..., n_times, n_sources)
        What was separated: one mixture for all sources, or for each reference the one that it is
        compared with (the mixture at the microphone where it was recorded).
    permute : bool, default False
        Whether the estimates come in another order than the references. The improvement is then
        that of the order with the largest mean SD-SDR of the estimates; the mixture stays as it is.
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of both metrics (not of their difference).

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> voices = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> estimate = np.array([[1.0, 0.1], [0.1, 1.0], [0.0, 0.0]])
    >>> sd_sdr_improvement(voices, estimate, voices.sum(axis=1)).round(6)
    array([20., 20.])
    """
    options = {"zero_mean": zero_mean, "clamp_db": clamp_db}
    return _improvement(sd_sdr, reference, estimate, mixture, permute, options)


def _improvement(metric, reference, estimate, mixture, permute, options):
    reference, estimate, xp = as_waveforms(reference, estimate)
    mixture = _spread(mixture, reference, xp)
    if permute:
        after, _ = permutation_invariant(metric)(reference, estimate, **options)
    else:
        after = metric(reference, estimate, axis=-2, **options)
    before = metric(reference, mixture, axis=-2, **options)
    same = after == before  # ∞ − ∞ too
    return xp.where(same, xp.zeros_like(after), after - xp.where(same, 0, before))


def _spread(mixture, reference, xp):
    """The mixture with an axis of sources."""
    _, mixture = as_arrays(reference, mixture)
    shape = tuple(reference.shape)
    if tuple(mixture.shape) == shape[:-1]:
        return xp.broadcast_to(mixture[..., None], shape)
    if tuple(mixture.shape) == shape:
        return mixture
    raise ValueError(
        f"mixture has shape {tuple(mixture.shape)}; expected (..., n_times) = {shape[:-1]}, or "
        f"(..., n_times, n_sources) = {shape}; cut it to the length of the reference, and pick "
        "the channel that the references belong to"
    )
