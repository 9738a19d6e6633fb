"""What the makers of audio mixtures share: checks of waveforms, lengths and levels."""

import numpy as np

from anmf._core.arrays import to_host


def check_clips(name, clips):
    """Raise unless `clips` is a sequence, not empty, that hands out waveforms by number."""
    if isinstance(clips, str | dict) or not hasattr(clips, "__getitem__") or not np.iterable(clips):
        raise ValueError(
            f"{name} is of type {type(clips).__name__}; expected a sequence of waveforms "
            "(n_times,), as a list of arrays, or the clips of a loader such as load_librispeech"
        )
    if not len(clips):
        raise ValueError(f"{name} is empty; pass at least one waveform (n_times,)")


def waveform(name, clip, *, silent="error"):
    """One clip as a finite floating-point host array (n_times,), or a ValueError.

    Parameters
    ----------
    name : str
        What messages call it, as ``speech[3]``.
    clip : array (n_times,)
    silent : {'error', 'ignore'}
        Whether a clip that is zero throughout is refused.

    Returns
    -------
    ndarray (n_times,)
    """
    clip = to_host(clip)
    if clip.ndim != 1 or not clip.size:
        raise ValueError(
            f"{name} has shape {clip.shape}; expected a mono waveform (n_times,): take one channel "
            "of a stereo clip, and wrap a single waveform in a list"
        )
    if clip.dtype.kind != "f":
        raise ValueError(
            f"{name} has dtype {clip.dtype}; expected floating-point samples in [-1, 1]: divide "
            "16-bit integers by 32768"
        )
    if not np.all(np.isfinite(clip)):
        raise ValueError(f"{name} contains NaN or infinity; repair it or leave it out")
    if silent == "error" and not np.any(clip):
        raise ValueError(f"{name} is silent: all samples are 0; leave it out")
    return clip


def rms(clip):
    """Root mean square of a waveform, accumulated in double precision."""
    return float(np.sqrt(np.mean(clip.astype(np.float64) ** 2)))


def fit_length(clip, n_times, start=0):
    """Clip from sample `start`, cut to `n_times` samples or repeated until it has as many."""
    return np.resize(clip, n_times) if len(clip) < n_times else clip[start : start + n_times]
