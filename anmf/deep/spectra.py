"""What networks see of a mixture, and what they are taught about it.

Spectra are (batch, n_frames, n_bins); those of sources, and masks, are (batch, n_frames,
n_sources, n_bins), as in `anmf.masks` with frames as rows.
"""

import numpy as np

from anmf._core.checks import check_count
from anmf.audio.stft import istft, stft
from anmf.deep.convolution import offsets, shift
from anmf.masks import ideal_binary

N_FFT, HOP_LENGTH = 256, 64
"""Samples in a frame and between frames: 32 ms and 8 ms at 8 kHz."""

_FLAT = 1e-4
"""Standard deviation of logarithms below which a spectrogram is constant: there is only
rounding."""


def sqrt_hann(n_fft):
    """Root of the periodic Hann window, (n_fft,): the same for analysis and synthesis.

    Examples
    --------
    >>> sqrt_hann(4).round(3)
    array([0.   , 0.707, 1.   , 0.707])
    """
    check_count("n_fft", n_fft, minimum=2)
    return np.sin(np.pi * np.arange(n_fft) / n_fft)


def to_spectra(x, n_fft=N_FFT, hop_length=HOP_LENGTH):
    """Spectra of waveforms, with `sqrt_hann`.

    Parameters
    ----------
    x : ndarray of float (..., n_times)
    n_fft, hop_length : int

    Returns
    -------
    complex ndarray (..., n_frames, n_fft // 2 + 1)

    Raises
    ------
    ValueError
        As in `anmf.audio.STFT`.
    """
    return stft(x, n_fft, hop_length, sqrt_hann(n_fft))


def to_waveforms(Z, n_times=None, n_fft=N_FFT, hop_length=HOP_LENGTH):
    """Waveforms of spectra: the inverse of `to_spectra`.

    Parameters
    ----------
    Z : complex ndarray (..., n_frames, n_fft // 2 + 1)
    n_times : int or None
        None for as many as the frames cover.
    n_fft, hop_length : int

    Returns
    -------
    ndarray of float (..., n_times)

    Raises
    ------
    ValueError
        As in `anmf.audio.STFT`.
    """
    return istft(Z, n_fft, hop_length, sqrt_hann(n_fft), n_times=n_times)


def mixture_and_sources(waveforms, n_fft=N_FFT, hop_length=HOP_LENGTH):
    """Spectra of the sum of sources, and of each.

    Parameters
    ----------
    waveforms : ndarray of float (batch, n_sources, n_times)
    n_fft, hop_length : int

    Returns
    -------
    X : complex ndarray (batch, n_frames, n_bins)
    S : complex ndarray (batch, n_frames, n_sources, n_bins)
        Sums to X over sources.

    Raises
    ------
    ValueError
        For another number of axes, and as in `anmf.audio.STFT`.

    Examples
    --------
    >>> import numpy as np
    >>> X, S = mixture_and_sources(np.ones((8, 2, 640)))
    >>> X.shape, S.shape
    ((8, 11, 129), (8, 11, 2, 129))
    """
    if np.ndim(waveforms) != 3:
        raise ValueError(
            f"waveforms has shape {np.shape(waveforms)}; expected (batch, n_sources, n_times)"
        )
    S = np.ascontiguousarray(np.swapaxes(to_spectra(waveforms, n_fft, hop_length), 1, 2))
    return np.sum(S, axis=2), S


def log_features(magnitude, *, xp, floor=1e-3):
    """(l − mean l) / std l with l = log(|X| + floor · max |X|), over frames and bins of a mixture.

    The gain of a recording has no influence. Constant spectrograms, and silence, give zeros.

    Parameters
    ----------
    magnitude : array (batch, n_frames, n_bins)
        |X|.
    xp : module
        Array-API namespace of the array.
    floor : float
        0.001 puts it 60 dB below the loudest bin.

    Returns
    -------
    array (batch, n_frames, n_bins)

    Raises
    ------
    ValueError
        For another number of axes.
    """
    _check_axes("magnitude", magnitude, 3)
    peak = xp.max(magnitude, axis=(1, 2), keepdims=True)
    x = xp.log(magnitude / xp.where(peak > 0, peak, xp.ones_like(peak)) + floor)
    x -= xp.mean(x, axis=(1, 2), keepdims=True)
    spread = xp.sqrt(xp.mean(x * x, axis=(1, 2), keepdims=True))
    return xp.where(spread > _FLAT, x / xp.where(spread > _FLAT, spread, 1.0), xp.zeros_like(x))


def stack_context(features, n_frames=5, *, xp):
    """Each frame with its neighbours on both sides, side by side; zeros beyond the ends.

    Parameters
    ----------
    features : array (batch, time, n)
    n_frames : int
        Odd.
    xp : module
        Array-API namespace of the array.

    Returns
    -------
    array (batch, time, n_frames · n)
        The earliest frame first.

    Raises
    ------
    ValueError
        For an even number of frames, and another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> stack_context(np.array([[[1.0], [2.0], [3.0]]]), 3, xp=np)
    array([[[0., 1., 2.],
            [1., 2., 3.],
            [2., 3., 0.]]])
    """
    _check_axes("features", features, 3)
    check_count("n_frames", n_frames)
    if n_frames % 2 == 0:
        raise ValueError(f"n_frames={n_frames} must be odd: as many frames before as after")
    return xp.concat([shift(features, s, xp) for s in offsets(n_frames, 1)], axis=-1)


def active_bins(magnitude, *, xp, level=40.0):
    """Where |X| is within `level` dB of its maximum over a mixture; nowhere in silence.

    Parameters
    ----------
    magnitude : array (..., n_frames, n_bins)
        |X|.
    xp : module
        Array-API namespace of the array.
    level : float
        In dB, positive.

    Returns
    -------
    array of bool (..., n_frames, n_bins)

    Raises
    ------
    ValueError
        For a level that isn't positive.

    Examples
    --------
    >>> import numpy as np
    >>> active_bins(np.array([[1.0, 0.02, 0.005]]), xp=np)
    array([[ True,  True, False]])
    """
    if not level > 0:
        raise ValueError(f"level={level!r} must be positive: dB below the loudest bin, as 40")
    return magnitude > xp.max(magnitude, axis=(-2, -1), keepdims=True) * 10 ** (-level / 20)


def dominance(S, *, xp):
    """Which source is loudest in each bin, as indicators; the first of equals.

    Parameters
    ----------
    S : array (batch, n_frames, n_sources, n_bins)
        Spectra of sources, complex or magnitudes.
    xp : module
        Array-API namespace of the array.

    Returns
    -------
    array (batch, n_frames, n_bins, n_sources)
        Real, 0 or 1, with sum 1 over sources.

    Raises
    ------
    ValueError
        For NaN or infinity, and another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> dominance(np.array([[[[3.0, 1.0], [-1.0, 2j]]]]), xp=np)
    array([[[[1., 0.],
             [0., 1.]]]])
    """
    _check_axes("S", S, 4)
    binary = ideal_binary(xp.reshape(S, (-1, *S.shape[2:])))
    binary = xp.reshape(binary, S.shape)
    return xp.permute_dims(binary, (0, 1, 3, 2))


def _check_axes(name, x, n_axes):
    if x.ndim != n_axes or 0 in x.shape:
        form = ("(batch, n_frames, n_bins)", "(batch, n_frames, n_sources, n_bins)")[n_axes - 3]
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected {form}, not empty; give a single mixture "
            "an axis by x[None]"
        )
