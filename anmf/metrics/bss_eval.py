"""Distortion, interference and artefacts apart: BSS Eval (version 3), which forgives filters."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import like, to_host
from anmf._core.checks import check_count, check_real
from anmf._core.types import Array
from anmf.metrics.permutation import picked, solve_permutation
from anmf.metrics.projection import kept_energy
from anmf.metrics.signals import as_waveforms, centred
from anmf.metrics.snr import check_clamp

ROUNDING = 8 * np.finfo(np.float64).eps
"""Share of the energy below which an error is none: above 147 dB there is only rounding."""


class BSSEval(NamedTuple):
    """Result of `bss_eval`: arrays (..., n_sources) in the order of the references.

    Parameters
    ----------
    sdr : array of shape (..., n_sources)
        Signal-to-distortion ratios in dB.
    sir : array of shape (..., n_sources)
        Signal-to-interference ratios in dB.
    sar : array of shape (..., n_sources)
        Signal-to-artefact ratios in dB.
    permutation : array of int, shape (..., n_sources)
        The estimate of each reference.

    Examples
    --------
    >>> import numpy as np
    >>> tones = np.sin(np.arange(400)[:, None] * np.array([0.1, 1.0]))
    >>> result = bss_eval(tones, tones[:, ::-1], filter_length=1)
    >>> result.permutation, bool((result.sdr > 100).all())
    (array([1, 0]), True)
    """

    sdr: Array
    sir: Array
    sar: Array
    permutation: Array


def bss_eval(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    filter_length: int = 512,
    zero_mean: bool = False,
    load_diag: float | None = None,
    permute: bool = True,
    clamp_db: float | None = None,
) -> BSSEval:
    """Signal-to-distortion, -interference and -artefact ratios of BSS Eval.

    An estimate x̂_k is split by orthogonal projections: P_j onto the span of reference j and its
    delays by up to filter_length − 1 samples, P onto the span of all references and their delays.

    - SDR = 10 log10(‖P_j x̂_k‖² / ‖x̂_k − P_j x̂_k‖²): all that isn't a filtered reference;
    - SIR = 10 log10(‖P_j x̂_k‖² / ‖P x̂_k − P_j x̂_k‖²): what comes from the other sources;
    - SAR = 10 log10(‖P x̂_k‖² / ‖x̂_k − P x̂_k‖²): what comes from no source.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real; each leading index is evaluated by itself.
    filter_length : int, default 512
        Taps of the filter that an estimate may differ by without loss: 512 in the literature. With
        1 only the gain is forgiven, and the SDR is the SI-SDR.
    zero_mean : bool, default False
        Whether to take off the mean of each signal first.
    load_diag : float or None, default None
        Added to the energies (1, after normalisation) on the diagonal of the systems, for
        references that are nearly dependent. It lowers all ratios slightly.
    permute : bool, default True
        Whether the estimates may come in any order; the one with the largest mean SIR counts.
        False takes estimate j for reference j.
    clamp_db : float or None, default None
        Limit in dB of the ratios, which then lie in [−clamp_db, clamp_db].

    Returns
    -------
    BSSEval
        Named tuple ``sdr, sir, sar, permutation`` of arrays (..., n_sources) in the library of the
        reference. ``permutation[j]`` is the estimate of reference j. Ratios are in dB: ∞ where
        the error is below rounding (147 dB), NaN for a reference that is zero throughout, which is
        left out of the spans, and −∞ for an estimate that is.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, shapes that don't fit, or signals so short that
        the delayed references span everything.

    Warns
    -----
    RuntimeWarning
        If a reference is zero throughout.

    Notes
    -----
    Computed in double precision on the host, whatever the library. The scalar products of delayed
    signals come from FFTs of short blocks. They fill one symmetric matrix of Toeplitz blocks
    (n_sources · filter_length unknowns), which is solved by a Cholesky factorisation; if rounding
    makes it singular, by one with pivoting, which leaves out what is dependent. Memory grows with
    (n_sources · filter_length)², not with n_times.

    As filters are forgiven, a dull or reverberant estimate may get a high SDR: `si_sdr` is the
    stricter measure.

    References
    ----------
    Vincent, Gribonval and Févotte, "Performance measurement in blind audio source separation", IEEE
    Transactions on Audio, Speech and Language Processing, 2006. Scheibler, "SDR — medium rare with
    fast computations", ICASSP 2022.

    Examples
    --------
    >>> import numpy as np
    >>> voices = np.random.default_rng(0).standard_normal((4000, 2))
    >>> leaky = voices @ np.array([[0.1, 1.0], [1.0, 0.1]])
    >>> result = bss_eval(voices, leaky, filter_length=16)
    >>> result.permutation
    array([1, 0])
    >>> result.sir.round(), bool((result.sar > 100).all())
    (array([20., 20.]), True)
    """
    given, estimate, xp = as_waveforms(reference, estimate)
    check_clamp(clamp_db)
    _check(given, filter_length, load_diag)
    x, y = (to_host(signals).astype(np.float64) for signals in (given, estimate))
    if zero_mean:
        x, y = (centred(signals, -2, np) for signals in (x, y))
    n = x.shape[-1]
    own, span = np.empty((2, *x.shape[:-2], n, n))
    for place in np.ndindex(x.shape[:-2]):
        own[place], span[place] = kept_energy(
            x[place].T, y[place].T, filter_length, load_diag or 0.0
        )
    if np.isnan(own).any():
        warnings.warn("a reference is zero throughout; its ratios are NaN", RuntimeWarning, 2)
    ratios = _decibel(own, 1 - own), _decibel(own, span - own), _decibel(span, 1 - span)
    permutation = np.broadcast_to(np.arange(n), own.shape[:-1])
    if permute:
        permutation = solve_permutation(ratios[1])
    sdr, sir, sar = (picked(values, permutation) for values in ratios)
    if clamp_db is not None:
        sdr, sir, sar = (np.clip(values, -clamp_db, clamp_db) for values in (sdr, sir, sar))
    sdr, sir, sar = (like(values, given) for values in (sdr, sir, sar))
    return BSSEval(sdr, sir, sar, like(permutation, given, dtype=xp.int64))


def sdr(reference: ArrayLike, estimate: ArrayLike, **options: Any) -> Array:
    """Signal-to-distortion ratio of BSS Eval.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    **options
        Those of `bss_eval`: ``filter_length``, ``zero_mean``, ``load_diag``, ``permute`` and
        ``clamp_db``.

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references.

    Examples
    --------
    >>> import numpy as np
    >>> voice = np.random.default_rng(0).standard_normal((4000, 1))
    >>> noise = np.random.default_rng(1).standard_normal((4000, 1))
    >>> sdr(voice, 0.5 * np.roll(voice, 3, axis=0) + 0.05 * noise, filter_length=16).round()
    array([20.])
    """
    return bss_eval(reference, estimate, **options).sdr


def sir(reference: ArrayLike, estimate: ArrayLike, **options: Any) -> Array:
    """Signal-to-interference ratio of BSS Eval.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    **options
        Those of `bss_eval`: ``filter_length``, ``zero_mean``, ``load_diag``, ``permute`` and
        ``clamp_db``.

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references.

    Examples
    --------
    >>> import numpy as np
    >>> voices = np.random.default_rng(0).standard_normal((4000, 2))
    >>> sir(voices, voices @ np.array([[1.0, 0.1], [0.1, 1.0]]), filter_length=16).round()
    array([20., 20.])
    """
    return bss_eval(reference, estimate, **options).sir


def sar(reference: ArrayLike, estimate: ArrayLike, **options: Any) -> Array:
    """Signal-to-artefact ratio of BSS Eval.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources)
        True and estimated waveforms, real.
    **options
        Those of `bss_eval`: ``filter_length``, ``zero_mean``, ``load_diag``, ``permute`` and
        ``clamp_db``.

    Returns
    -------
    array of shape (..., n_sources)
        In dB, in the order of the references.

    Examples
    --------
    >>> import numpy as np
    >>> voices = np.random.default_rng(0).standard_normal((4000, 2))
    >>> noise = np.random.default_rng(1).standard_normal((4000, 2))
    >>> sar(voices, voices + 0.1 * noise, filter_length=16).round()
    array([20., 20.])
    """
    return bss_eval(reference, estimate, **options).sar


def _check(reference, filter_length, load_diag):
    check_count("filter_length", filter_length)
    if load_diag is not None:
        check_real("load_diag", load_diag)
    n_times, n = reference.shape[-2:]
    most = (n_times - 1) // (n - 1) if n > 1 else n_times
    if filter_length > most:
        raise ValueError(
            f"filter_length={filter_length} must be at most {most} for {n} sources of {n_times} "
            "samples, as longer filters fit anything; pass longer signals or shorter filters"
        )


def _decibel(kept, lost):
    """10 log10(kept / lost); ∞ where the loss is below rounding, −∞ where nothing is kept."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 10 * np.log10(kept / np.where(lost > ROUNDING, lost, 0))
    return np.where(kept == 0, -np.inf, np.where(np.isnan(lost), np.nan, value))
