"""The frames of a short-time Fourier transform: their length, hop and window."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.checks import check_count

Window = str | tuple[Any, ...] | ArrayLike
"""What `scipy.signal.get_window` takes, or the window itself."""

_LEAST_OVERLAP = 1e-3
"""Least sum of squared windows that may be divided by, relative to the peak of one."""


def count_frames(n_times, hop_length):
    """Number of frames of a waveform: ⌈n_times / hop_length⌉ + 1.

    Examples
    --------
    >>> count_frames(100, 25), count_frames(101, 25)
    (5, 6)
    """
    return -(-n_times // hop_length) + 1


def check_frames(n_fft: int, hop_length: int | None, window: Window) -> tuple[int, int, np.ndarray]:
    """Check the parameters of `STFT` and fill in what was left out.

    Every sample lies between the centres of two neighbouring frames. If the squares of these two
    windows sum to more than a thousandth of the peak throughout, the transform can be inverted
    accurately at every sample of a waveform of any length.

    Returns
    -------
    n_fft, hop_length : int
    window : ndarray (n_fft,)

    Raises
    ------
    ValueError
        For bad values, and where the transform couldn't be inverted.
    """
    check_count("n_fft", n_fft, minimum=2)
    check_count("hop_length", hop_length, optional=True)
    hop_length = max(1, n_fft // 4) if hop_length is None else hop_length
    if hop_length > n_fft:
        raise ValueError(
            f"hop_length={hop_length} must be at most n_fft={n_fft}: samples between frames would "
            "be lost; use hop_length=None for a quarter of n_fft"
        )
    values = _window_values(window, n_fft)
    square, offsets = values**2, np.arange(hop_length)
    square = np.concatenate([square, np.zeros(n_fft)])  # ahead and (by wrapping) behind: nothing
    overlap = square[n_fft // 2 + offsets] + square[n_fft // 2 + offsets - hop_length]
    if not overlap.min() > _LEAST_OVERLAP * square.max():
        raise ValueError(
            f"hop_length={hop_length} and window={window!r} with n_fft={n_fft} leave samples "
            "(almost) without weight, so that the transform has no accurate inverse; use a shorter "
            f"hop_length, such as {max(1, n_fft // 4)}, or window='hann'"
        )
    return int(n_fft), int(hop_length), values


def _window_values(window: Window, n_fft: int) -> np.ndarray:
    from scipy.signal import get_window

    if isinstance(window, (str, tuple)):
        try:
            return get_window(window, n_fft)
        except ValueError as error:
            raise ValueError(
                f"window={window!r} is none that scipy.signal.get_window knows ({error}); "
                "use 'hann'"
            ) from error
    values = np.asarray(window)
    if values.shape != (n_fft,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"window={window!r} must be a name such as 'hann', or {n_fft} finite numbers, one for "
            "each sample of a frame"
        )
    return values.astype(np.float64)
