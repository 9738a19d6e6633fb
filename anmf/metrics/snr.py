"""Ratios of signal to error, in dB."""

import warnings

import numpy as np

from anmf._core.arrays import namespace, to_host


def psnr(reference, estimate, *, axis=-1):
    """Peak signal-to-noise ratio: 20 log10(peak of the reference / root mean square error).

    Parameters
    ----------
    reference, estimate : array (..., m)
        True and estimated parts.
    axis : int
        Axis of the m features of one part.

    Returns
    -------
    array (...)
        In dB. Infinite for a perfect estimate, NaN where the reference is zero throughout.

    Examples
    --------
    >>> import numpy as np
    >>> float(psnr(np.array([1.0, 0.0]), np.array([0.9, 0.1])))
    20.0
    """
    xp = namespace(reference, estimate)
    peak = xp.max(xp.abs(reference), axis=axis)
    error = xp.mean((reference - estimate) ** 2, axis=axis)
    return _decibel(peak**2, error, peak > 0, xp)


def snr(reference, estimate, *, axis=-1):
    """Signal-to-noise ratio: 10 log10(‖s‖² / ‖s − ŝ‖²).

    Parameters
    ----------
    reference, estimate : array (..., m)
    axis : int
        Axis of the m features (or samples in time) of one part.

    Returns
    -------
    array (...)
        In dB. Infinite for a perfect estimate, NaN where the reference is zero throughout.

    Examples
    --------
    >>> import numpy as np
    >>> float(snr(np.array([3.0, 4.0]), np.array([3.0, 3.5])))
    20.0
    """
    xp = namespace(reference, estimate)
    energy = xp.sum(reference**2, axis=axis)
    error = xp.sum((reference - estimate) ** 2, axis=axis)
    return _decibel(energy, error, energy > 0, xp)


def si_sdr(reference, estimate, *, axis=-1):
    """Scale-invariant signal-to-distortion ratio: the SNR after the best rescaling.

    10 log10(c / (1 − c)) with c = ⟨s, ŝ⟩² / (‖s‖² ‖ŝ‖²): the squared cosine between the two.

    Parameters
    ----------
    reference, estimate : array (..., m)
    axis : int
        Axis of the m features (or samples in time) of one part.

    Returns
    -------
    array (...)
        In dB. Infinite for a perfect estimate, NaN where the reference is zero throughout.

    References
    ----------
    Le Roux, Wisdom, Erdogan and Hershey, "SDR — half-baked or well done?", ICASSP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> float(si_sdr(np.array([1.0, 0.0]), np.array([7.0, 0.7])))
    20.0
    """
    xp = namespace(reference, estimate)
    energy = xp.sum(reference**2, axis=axis, keepdims=True)
    product = xp.sum(reference * estimate, axis=axis, keepdims=True)
    target = product / xp.where(energy > 0, energy, 1) * reference
    kept = xp.sum(target**2, axis=axis)
    lost = xp.sum((estimate - target) ** 2, axis=axis)
    return _decibel(kept, lost, xp.squeeze(energy, axis=axis) > 0, xp)


METRICS = {"psnr": psnr, "snr": snr, "si_sdr": si_sdr}


def mean_score(metric, reference, estimate):
    """Mean of a metric over all parts whose reference isn't zero throughout.

    Parameters
    ----------
    metric : str
        A name of `METRICS`.
    reference, estimate : array (..., m)

    Returns
    -------
    float
        In dB; NaN if every reference is zero.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        values = to_host(METRICS[metric](reference, estimate))
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _decibel(signal, error, defined, xp):
    """10 log10(signal / error) where `defined`, NaN elsewhere, ±inf at the ends."""
    if not bool(xp.all(defined)):
        warnings.warn("a reference is zero throughout; its ratio is NaN", RuntimeWarning, 3)
    both = (signal > 0) & (error > 0)
    ratio = xp.where(both, signal / xp.where(error > 0, error, 1), 1)
    value = 10 * xp.log10(ratio)
    value = xp.where((error == 0) & (signal > 0), xp.inf, value)
    value = xp.where((signal == 0) & (error > 0), -xp.inf, value)
    return xp.where(defined, value, xp.nan)
