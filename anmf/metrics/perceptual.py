"""Measures of intelligibility and perceived quality, by packages that the extra 'eval' brings."""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import like, to_host
from anmf._core.checks import check_choice, check_real
from anmf._core.optional import require
from anmf._core.types import Array
from anmf.metrics.signals import as_arrays, as_pair

BANDS = {"narrow": "nb", "wide": "wb"}
"""Forms of PESQ: the original, for telephones, and the wide-band extension."""


def stoi(
    reference: ArrayLike,
    estimate: ArrayLike,
    sample_rate: float,
    *,
    axis: int = -2,
    extended: bool = False,
) -> Array:
    """Short-time objective intelligibility, 0 to 1.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources) or (n_times,)
        True and estimated speech; their shapes broadcast.
    sample_rate : float
        In Hz; signals are resampled to 10 kHz.
    axis : int, default -2
        Axis of time.
    extended : bool, default False
        Whether to compute ESTOI, which suits modulated noise and competing speakers.

    Returns
    -------
    array of shape (..., n_sources)
        Higher is better. NaN where the reference is zero throughout.

    Raises
    ------
    ImportError
        Without the package pystoi: ``pip install 'anmf[eval]'``.
    ValueError
        For complex, empty, NaN or infinite data, shapes that don't fit, or a bad sample rate.

    Warns
    -----
    RuntimeWarning
        Where the reference is zero throughout; and by pystoi, which then returns 1e-5, where less
        than 0.4 s of it are speech.

    Notes
    -----
    Computed on the host, one signal at a time.

    References
    ----------
    Taal, Hendriks, Heusdens and Jensen, "An algorithm for intelligibility prediction of
    time-frequency weighted noisy speech", IEEE Transactions on Audio, Speech and Language
    Processing, 2011. Jensen and Taal, "An algorithm for predicting the intelligibility of speech
    masked by modulated noise maskers", IEEE/ACM Transactions on Audio, Speech and Language
    Processing, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> voice = np.random.default_rng(0).standard_normal(16000)
    >>> round(float(stoi(voice, voice, 16000)), 6)  # doctest: +SKIP
    1.0
    """
    check_real("sample_rate", sample_rate, minimum=1.0)
    function = require("pystoi", "eval").stoi

    def quality(s, x):
        return function(s, x, sample_rate, extended=bool(extended))

    return _each(quality, reference, estimate, axis)


def pesq(
    reference: ArrayLike,
    estimate: ArrayLike,
    sample_rate: int,
    *,
    axis: int = -2,
    band: str | None = None,
) -> Array:
    """Perceptual evaluation of speech quality (ITU-T P.862), as a mean opinion score.

    Parameters
    ----------
    reference, estimate : array-like of shape (..., n_times, n_sources) or (n_times,)
        True and estimated speech of at least a quarter of a second; their shapes broadcast.
    sample_rate : {8000, 16000}
        In Hz.
    axis : int, default -2
        Axis of time.
    band : {'narrow', 'wide'} or None, default None
        'wide' (P.862.2) needs 16 kHz. None for the widest that `sample_rate` allows.

    Returns
    -------
    array of shape (..., n_sources)
        About 1 to 4.6, higher is better. NaN where the reference is zero throughout, or where no
        utterance is found.

    Raises
    ------
    ImportError
        Without the package pesq: ``pip install 'anmf[eval]'``.
    ValueError
        For complex, empty, NaN or infinite data, shapes that don't fit, signals that are too
        short, or another sample rate.

    Warns
    -----
    RuntimeWarning
        Where the reference is zero throughout.

    Notes
    -----
    Computed on the host, one signal at a time. Levels are aligned, so scale has no influence.

    References
    ----------
    Rix, Beerends, Hollier and Hekstra, "Perceptual evaluation of speech quality (PESQ)", ICASSP
    2001.

    Examples
    --------
    >>> import numpy as np
    >>> voice = np.random.default_rng(0).standard_normal(16000)
    >>> round(float(pesq(voice, voice, 16000)), 2)  # doctest: +SKIP
    4.64
    """
    if sample_rate not in (8000, 16000):
        raise ValueError(
            f"sample_rate={sample_rate!r} must be 8000 or 16000 for PESQ; resample both signals, "
            "for example with scipy.signal.resample_poly"
        )
    if band is None:
        band = "wide" if sample_rate == 16000 else "narrow"
    check_choice("band", band, BANDS)
    if band == "wide" and sample_rate == 8000:
        raise ValueError("band='wide' needs sample_rate=16000, not 8000; use band='narrow'")
    package = require("pesq", "eval")

    def quality(s, x):
        if len(s) < sample_rate / 4:
            raise ValueError(
                f"signals of {len(s)} samples are too short for PESQ; expected at least a quarter "
                f"of a second, {sample_rate // 4}"
            )
        silence = package.PesqError.RETURN_VALUES
        value = package.pesq(int(sample_rate), s, x, BANDS[band], on_error=silence)
        return value if value > 0 else np.nan

    return _each(quality, reference, estimate, axis)


def _each(quality, reference, estimate, axis):
    """`quality` of each pair of signals on the host, back in the library of the reference."""
    reference, estimate = as_arrays(reference, estimate)
    axis = axis if reference.ndim > 1 else -1
    given, estimate, _ = as_pair(reference, estimate, axis=axis)
    pair = np.broadcast_arrays(to_host(given), to_host(estimate))
    s, x = (np.ascontiguousarray(np.moveaxis(a, axis, -1), dtype=np.float64) for a in pair)
    values = np.full(s.shape[:-1], np.nan)
    for place in np.ndindex(values.shape):
        if np.any(s[place]):
            values[place] = quality(s[place], x[place])
    if not np.any(s, axis=-1).all():
        warnings.warn("a reference is zero throughout; its quality is NaN", RuntimeWarning, 3)
    return like(values, given)
