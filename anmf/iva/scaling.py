"""The scale of demixed sources, which demixing leaves open."""

import numpy as np

from anmf._core.arrays import like, namespace
from anmf._core.checks import check_count
from anmf._core.types import Array


def projection_back(Y: Array, W: Array, reference_channel: int = 0) -> Array:
    """Sources as a microphone hears them: A_ck y_k with A = W⁻¹.

    The images of all sources at a microphone sum to the mixture there.

    Parameters
    ----------
    Y : complex array of shape (n_frequencies, n_sources, n_frames)
        W X.
    W : complex array of shape (n_frequencies, n_sources, n_channels)
        With fewer sources than channels, A is the pseudo-inverse.
    reference_channel : int, default 0
        c, the microphone, counted from 0.

    Returns
    -------
    complex array of shape (n_frequencies, n_sources, n_frames)
        `Y` at the scale of that microphone.

    References
    ----------
    Murata, Ikeda and Ziehe, "An approach to blind source separation based on temporal structure of
    speech signals", Neurocomputing 41, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[[1.0, 2.0], [3.0, 5.0]]]) + 0j
    >>> W = np.array([[[2.0, 1.0], [0.0, 3.0]]]) + 0j
    >>> projection_back(W @ X, W).sum(axis=1).real
    array([[1., 2.]])
    """
    xp = namespace(Y, W)
    _check_spectra(Y, W)
    check_channel(reference_channel, W.shape[2])
    if W.shape[1] < W.shape[2]:
        A = xp.linalg.pinv(W)
    else:
        A = like(inverse(W), W) if isinstance(W, np.ndarray) else xp.linalg.inv(W)
    return A[:, reference_channel, :, None] * Y


def minimal_distortion(Y: Array, X: Array, reference_channel: int = 0) -> Array:
    """Sources scaled to be least different from a microphone, in the mean square.

    y_k ⟨x_c ȳ_k⟩ / ⟨|y_k|²⟩ at every frequency; silence stays silence.

    Parameters
    ----------
    Y : complex array of shape (n_frequencies, n_sources, n_frames)
        Sources at any scale.
    X : complex array of shape (n_frequencies, n_channels, n_frames)
        Microphones.
    reference_channel : int, default 0
        c, the microphone, counted from 0.

    Returns
    -------
    complex array of shape (n_frequencies, n_sources, n_frames)
        `Y` at the scale of that microphone.

    References
    ----------
    Matsuoka and Nakashima, "Minimal distortion principle for blind source separation", ICA 2001.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[[1.0, 2.0], [3.0, 5.0]]]) + 0j
    >>> minimal_distortion(X[:, :1] * 7, X).real
    array([[[1., 2.]]])
    """
    _check_spectra(Y, X)
    check_channel(reference_channel, X.shape[1])
    x = X[:, reference_channel : reference_channel + 1, :]
    return distortion_scale(Y, x, xp=namespace(Y, X))[..., None] * Y


def inverse(W):
    """Inverse of stacked NumPy matrices in double precision; pseudo-inverse if one is singular."""
    W = W.astype(np.complex128)
    try:
        return np.linalg.inv(W)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(W)


def distortion_scale(Y, x, *, xp):
    """⟨x ȳ_k⟩ / ⟨|y_k|²⟩ (n_frequencies, n_rows), for x (n_frequencies, 1, n_frames)."""
    power = xp.sum(xp.real(Y * xp.conj(Y)), axis=-1)
    sounds = power > 0
    along = xp.sum(x * xp.conj(Y), axis=-1)
    return along * xp.where(sounds, 1 / xp.where(sounds, power, 1.0), 0.0)


def audible_channel(X, channel):
    """The channel, or the loudest if it is silent: X (n_frequencies, n_channels, n_frames)."""
    if X[:, channel].any() or not X.any():
        return channel
    return int(np.argmax(np.linalg.norm(X, axis=(0, 2))))


def check_channel(channel, n_channels):
    """Raise unless `channel` is one of `n_channels`, counted from 0."""
    check_count("reference_channel", channel, minimum=0)
    if channel >= n_channels:
        raise ValueError(
            f"reference_channel={channel} must be below the number of channels ({n_channels}); "
            "they are counted from 0"
        )


def _check_spectra(Y, other):
    if Y.ndim != 3 or other.ndim != 3 or Y.shape[0] != other.shape[0]:
        raise ValueError(
            f"expected arrays of three axes with one number of frequencies, got {tuple(Y.shape)} "
            f"and {tuple(other.shape)}"
        )


def _back(A, W, X, reference_channel):
    return A[:, reference_channel, :]


def _least_distortion(A, W, X, reference_channel):
    x = X[:, reference_channel : reference_channel + 1, :]
    return distortion_scale(W @ X, x, xp=np)


def _unscaled(A, W, X, reference_channel):
    return np.ones_like(A[:, 0, :])


SCALINGS = {
    "minimal-distortion": _least_distortion,
    "projection-back": _back,
    None: _unscaled,
}
"""Scales (n_frequencies, n_sources) by name: functions of the inverse of all rows, the rows, the
spectra of the microphones and the reference channel."""
