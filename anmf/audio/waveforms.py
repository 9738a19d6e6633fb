"""What counts as a waveform."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def check_real(x: Any, name: str = "x") -> np.ndarray:
    """Real samples as a float32 or float64 array, of any shape.

    Parameters
    ----------
    x : array-like of float
        float16 becomes float32; anything above float64 becomes float64.
    name : str
        What errors call it.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        For integers, complex numbers, NaN or infinity, and empty arrays.
    """
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{name} is no array of samples: {error}") from error
    if x.dtype.kind == "c":
        raise ValueError(f"{name} is complex ({x.dtype}); expected real samples: a waveform")
    if x.dtype.kind != "f":
        raise ValueError(
            f"{name} has dtype {x.dtype}; expected float32 or float64 samples; divide whole "
            "numbers by full scale (x / 32768.0 for int16), or read files with "
            "anmf.audio.read_audio"
        )
    if not x.size:
        raise ValueError(f"{name} is empty: shape {x.shape}; expected at least one sample")
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float32 if x.dtype == np.float16 else np.float64)
    if not np.isfinite(x).all():
        bad = np.argwhere(~np.isfinite(x))[0].tolist()
        raise ValueError(
            f"{name} holds NaN or infinity, first at index {bad}; repair the recording, for "
            "example with numpy.nan_to_num"
        )
    return x


def check_waveform(x: Any, name: str = "x") -> np.ndarray:
    """Samples of one channel (n_times,) or several (n_times, n_channels), as floats.

    Parameters
    ----------
    x : array-like of float
    name : str
        What errors call it.

    Returns
    -------
    ndarray (n_times,) or (n_times, n_channels)

    Raises
    ------
    ValueError
        As in `check_real`, and for other shapes.

    Examples
    --------
    >>> check_waveform([0.0, 0.5]).shape
    (2,)
    """
    x = check_real(x, name)
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] > x.shape[0]):
        remedy = "; transpose it, time comes first" if x.ndim == 2 else ""
        raise ValueError(
            f"{name} has shape {x.shape}; expected (n_times,) or (n_times, n_channels) with more "
            f"times than channels{remedy}"
        )
    return x


def check_block(block: ArrayLike, n_channels: int | None = None) -> np.ndarray:
    """A piece of a waveform, of any length, as samples (n_channels, n).

    Parameters
    ----------
    block : array-like of float (n,) or (n, n_channels)
        May be empty.
    n_channels : int or None
        How many it must have; 0 stands for one channel without an axis of its own: (n,).

    Returns
    -------
    ndarray (n_channels, n)

    Raises
    ------
    ValueError
        As in `check_real`, and for other shapes.
    """
    shape = np.shape(block)
    fits = n_channels is None or (shape[1:] or (0,)) == (n_channels,)
    if len(shape) not in (1, 2) or not fits:
        form = {None: "(n,) or (n, n_channels)", 0: "(n,)"}.get(n_channels, f"(n, {n_channels})")
        raise ValueError(f"block has shape {shape}; expected {form}, time first, as those before")
    if 0 in shape:
        return np.zeros((max(shape[1:] or (1,)), 0), np.float32)
    x = check_real(block, "block")
    return x[None, :] if x.ndim == 1 else x.T


def level_of(x: ArrayLike) -> float:
    """Root mean square of all samples, summed in double precision.

    Examples
    --------
    >>> import numpy as np
    >>> level_of(np.array([3.0, -3.0]))
    3.0
    """
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
