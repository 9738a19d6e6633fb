"""Ratios of signal to error, in dB, of one estimate and one reference each.

Arrays may have any shape: `axis` says along which axis the samples of one signal lie. The default,
the last one, suits features: parts (n, n_sources, m). Waveforms (..., n_times, n_sources) want
``axis=-2`` (or ``axis=0`` without leading axes).
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import to_host
from anmf._core.checks import check_real
from anmf._core.types import Array
from anmf.metrics.signals import as_pair


def psnr(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    axis: int = -1,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """Peak signal-to-noise ratio: 20 log10(peak of the reference / root mean square error).

    Like `snr` it depends on the level of the estimate: wanted for images, whose level is part of
    the truth.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., m)
        True and estimated parts, real; their shapes broadcast.
    axis : int, default -1
        Axis of the m features of one part.
    zero_mean : bool, default False
        Whether to take off the mean of each part first.
    clamp_db : float or None, default None
        Limit in dB of the values, which then lie in [−clamp_db, clamp_db].

    Returns
    -------
    array of shape (...)
        In dB. Infinite for a perfect estimate, NaN where the reference is zero throughout.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> float(psnr(np.array([1.0, 0.0]), np.array([0.9, 0.1])))
    20.0
    """
    s, x, xp = as_pair(reference, estimate, axis=axis, zero_mean=zero_mean)
    peak = xp.max(xp.abs(s), axis=axis)
    error = xp.mean((s - x) ** 2, axis=axis)
    return _decibel(peak**2, error, peak > 0, xp, clamp_db)


def snr(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    axis: int = -1,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """Signal-to-noise ratio: 10 log10(‖s‖² / ‖s − ŝ‖²).

    Parameters
    ----------
    reference, estimate : array-like of shape (..., m)
        True and estimated signals, real; their shapes broadcast.
    axis : int, default -1
        Axis of the m features, or samples in time, of one part: −2 for waveforms
        (..., n_times, n_sources).
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of the values, which then lie in [−clamp_db, clamp_db].

    Returns
    -------
    array of shape (...)
        In dB. Infinite for a perfect estimate, NaN where the reference is zero throughout.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Notes
    -----
    The SNR counts a wrong level as noise, which misleads in two ways. A perfect estimate at half
    the level gets 6 dB, though nobody hears more than a lower volume. And a poor one gains by
    shrinking: with ŝ = a (s + e), e ⊥ s, the best a is ‖s‖² / (‖s‖² + ‖e‖²), and the SNR of that
    is never below 0 dB, however loud e is. Between methods of different output levels, use
    `si_sdr`; where the level matters too, `sd_sdr`.

    Examples
    --------
    >>> import numpy as np
    >>> float(snr(np.array([3.0, 4.0]), np.array([3.0, 3.5])))
    20.0

    The same estimate, a fifth as loud, seems 7 dB better:

    >>> s, estimate = np.array([1.0, 0.0]), np.array([1.0, 2.0])
    >>> [round(float(snr(s, level * estimate)), 2) for level in (1, 0.2)]
    [-6.02, 0.97]
    >>> [round(float(si_sdr(s, level * estimate)), 2) for level in (1, 0.2)]
    [-6.02, -6.02]
    """
    s, x, xp = as_pair(reference, estimate, axis=axis, zero_mean=zero_mean)
    energy = xp.sum(s**2, axis=axis)
    error = xp.sum((s - x) ** 2, axis=axis)
    return _decibel(energy, error, energy > 0, xp, clamp_db)


def si_sdr(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    axis: int = -1,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """Scale-invariant signal-to-distortion ratio: the SNR after the best rescaling.

    10 log10(‖a s‖² / ‖a s − ŝ‖²) with a = ⟨s, ŝ⟩ / ‖s‖², which is 10 log10(c / (1 − c)) with
    c = ⟨s, ŝ⟩² / (‖s‖² ‖ŝ‖²), the squared cosine between the two. Also called SI-SNR.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., m)
        True and estimated signals, real; their shapes broadcast.
    axis : int, default -1
        Axis of the m features, or samples in time, of one part: −2 for waveforms
        (..., n_times, n_sources).
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of the values, which then lie in [−clamp_db, clamp_db].

    Returns
    -------
    array of shape (...)
        In dB. Infinite for a perfect estimate, up to rounding that leaves some 300 dB at another
        scale. NaN where the reference is zero throughout, −∞ where only the estimate is.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Notes
    -----
    It mends the `snr`: the level of the estimate has no influence, so nothing is won by shrinking
    it, nor lost by an unknown gain. The sign has none either. For a method that has to find the
    level, that hides an error: see `sd_sdr`.

    References
    ----------
    Le Roux, Wisdom, Erdogan and Hershey, "SDR — half-baked or well done?", ICASSP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> float(si_sdr(np.array([1.0, 0.0]), np.array([7.0, 0.7])))
    20.0
    """
    s, x, xp = as_pair(reference, estimate, axis=axis, zero_mean=zero_mean)
    target, defined = _projection(s, x, axis, xp)
    kept = xp.sum(target**2, axis=axis)
    lost = xp.sum((x - target) ** 2, axis=axis)
    return _decibel(kept, lost, defined, xp, clamp_db)


def sd_sdr(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    axis: int = -1,
    zero_mean: bool = False,
    clamp_db: float | None = None,
) -> Array:
    """Scale-dependent signal-to-distortion ratio: SI-SDR that also counts a wrong level.

    10 log10(‖a s‖² / ‖s − ŝ‖²) with a = ⟨s, ŝ⟩ / ‖s‖²: the `snr` plus 20 log10 |a|.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., m)
        True and estimated signals, real; their shapes broadcast.
    axis : int, default -1
        Axis of the m features, or samples in time, of one part: −2 for waveforms
        (..., n_times, n_sources).
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    clamp_db : float or None, default None
        Limit in dB of the values, which then lie in [−clamp_db, clamp_db].

    Returns
    -------
    array of shape (...)
        In dB, at most the SI-SDR, and equal to it where a = 1. Infinite for a perfect estimate,
        NaN where the reference is zero throughout, −∞ where only the estimate is.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.

    Notes
    -----
    What it adds to `si_sdr` is the level, and unlike the `snr` it rewards no shrinking: the less of
    the reference is left in the estimate, the lower it falls.

    References
    ----------
    Le Roux, Wisdom, Erdogan and Hershey, "SDR — half-baked or well done?", ICASSP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> s, estimate = np.array([1.0, 0.0]), np.array([1.0, 0.1])
    >>> [round(float(sd_sdr(s, level * estimate)), 2) for level in (1, 0.5, 0.1)]
    [20.0, -0.04, -19.09]
    """
    s, x, xp = as_pair(reference, estimate, axis=axis, zero_mean=zero_mean)
    target, defined = _projection(s, x, axis, xp)
    kept = xp.sum(target**2, axis=axis)
    error = xp.sum((s - x) ** 2, axis=axis)
    return _decibel(kept, error, defined, xp, clamp_db)


METRICS = {"psnr": psnr, "snr": snr, "si_sdr": si_sdr, "sd_sdr": sd_sdr}
"""Metrics of one reference and one estimate, by name: ``metric(reference, estimate, axis=-1)``."""


def mean_score(metric: str, reference: ArrayLike, estimate: ArrayLike) -> float:
    """Mean of a metric over all parts whose reference isn't zero throughout.

    Parameters
    ----------
    metric : str
        A name of `METRICS`: 'psnr', 'snr', 'si_sdr' or 'sd_sdr'.
    reference, estimate : array-like of shape (..., m)
        True and estimated parts, with the samples of one part along the last axis.

    Returns
    -------
    float
        In dB; NaN if every reference is zero.

    Examples
    --------
    >>> mean_score("snr", [[3.0, 4.0], [0.0, 0.0]], [[3.0, 3.5], [1.0, 0.0]])
    20.0
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return mean_defined(METRICS[metric](reference, estimate))


def mean_defined(values):
    """Mean over all values but NaN as a float; NaN if there are none."""
    values = to_host(values)
    defined = values[~np.isnan(values)]
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return float(defined.mean()) if defined.size else float("nan")


def check_clamp(clamp_db):
    """Raise unless `clamp_db` is None or a non-negative number."""
    if clamp_db is not None:
        check_real("clamp_db", clamp_db)


def _projection(reference, estimate, axis, xp):
    """a s, the estimate projected on the reference, and where there is a reference."""
    energy = xp.sum(reference**2, axis=axis, keepdims=True)
    product = xp.sum(reference * estimate, axis=axis, keepdims=True)
    gain = product / xp.where(energy > 0, energy, 1)
    perfect = xp.all(reference == estimate, axis=axis, keepdims=True)
    target = xp.where(perfect, 1, gain) * reference  # sums may differ by rounding
    defined = xp.broadcast_to(energy > 0, product.shape)
    return target, xp.squeeze(defined, axis=axis)


def _decibel(signal, error, defined, xp, clamp_db):
    """10 log10(signal / error) where `defined`, NaN elsewhere, ±inf at the ends, then clamped."""
    check_clamp(clamp_db)
    if not bool(xp.all(defined)):
        warnings.warn("a reference is zero throughout; its ratio is NaN", RuntimeWarning, 3)
    both = (signal > 0) & (error > 0)
    ratio = xp.where(both, signal / xp.where(error > 0, error, 1), 1)
    value = 10 * xp.log10(ratio)
    value = xp.where((error == 0) & (signal > 0), xp.inf, value)
    value = xp.where(signal == 0, -xp.inf, value)
    if clamp_db is not None:
        value = xp.clip(value, -float(clamp_db), float(clamp_db))
    return xp.where(defined, value, xp.nan)
