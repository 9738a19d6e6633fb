"""What counts as a recording of several microphones, and its spectra."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from anmf._core.types import Array
from anmf.audio.stft import istft, stft

_MOST_CHANNELS = 64
"""More of them in a block with fewer times are taken for times."""


def check_samples(estimator: BaseEstimator, X: Array, *, reset: bool) -> np.ndarray:
    """Samples (n_times, n_channels), of any length, as float32 or float64.

    8-, 16- and 32-bit integers are divided by full scale, as soundfile does; other integers are
    taken as they are.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose ``n_features_in_`` is set (`reset`) or compared.
    X : array-like (n_times, n_channels)
    reset : bool
        True in ``fit``.

    Returns
    -------
    ndarray (n_times, n_channels)

    Raises
    ------
    ValueError
        For one channel, far more channels than times, NaN or infinity, complex numbers, and other
        shapes.
    """
    raw = np.asarray(X).dtype if hasattr(X, "iloc") else getattr(X, "dtype", None)
    X = validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32])
    if X.shape[1] == 1:
        raise ValueError(
            f"X has shape {X.shape}, so n_features=1 channel: {type(estimator).__name__} needs a "
            "recording of 2 microphones or more; use anmf.SpeechEnhancer or anmf.AudioSeparator"
        )
    check_orientation(X.shape, _MOST_CHANNELS)
    return _scaled(X, raw)


def check_orientation(shape, most_channels=1):
    """Raise for more channels than times, if they are more than `most_channels` as well."""
    n_times, n_channels = shape
    if n_channels > max(n_times, most_channels):
        raise ValueError(
            f"X has shape {shape}: n_samples={n_times} times of {n_channels} channels; expected "
            "(n_times, n_channels) with more times than channels: pass X.T"
        )


def check_recording(estimator: BaseEstimator, X: Array, *, reset: bool) -> np.ndarray:
    """The same for a whole recording, which has more times than channels."""
    X = check_samples(estimator, X, reset=reset)
    check_orientation(X.shape)
    return X


def _scaled(X, raw):
    """Integer samples of a sound file over their full scale."""
    if raw == np.uint8:
        return (X - 128) / 128
    if raw in (np.int8, np.int16, np.int32):
        return X / -float(np.iinfo(raw).min)
    return X


def spectra(x, frames):
    """Spectra (n_frequencies, n_channels, n_frames) of samples (n_times, n_channels)."""
    return np.moveaxis(stft(x.T, *frames), -1, 0)


def waveforms(Z, frames, n_times):
    """Samples (n_times, ...) of spectra (n_frequencies, ..., n_frames)."""
    x = istft(np.moveaxis(Z, 0, -1), *frames, n_times=n_times)
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))
