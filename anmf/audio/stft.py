"""Short-time Fourier transform with exact inverse, for waveforms of any length."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from anmf._core.checks import check_count
from anmf.audio.frames import Window, check_frames, count_frames
from anmf.audio.waveforms import check_real


class STFT(TransformerMixin, BaseEstimator):
    """Short-time Fourier transform: waveform to complex spectra, one row a frame, and back.

    Stateless: ``fit`` checks the parameters and learns nothing, ``transform`` works without it.

    Parameters
    ----------
    n_fft : int, default 1024
        Samples in a frame; odd numbers are fine.
    hop_length : int or None, default None
        Samples between frames, at most `n_fft`; None for a quarter of `n_fft`.
    window : str, tuple or array-like of shape (n_fft,), default 'hann'
        What `scipy.signal.get_window` takes, or the window itself.

    Notes
    -----
    Frame k is centred at sample k · hop_length, and silence is assumed before the waveform and
    after it: Z[k, f] = Σ_t w[t] x[k · hop_length + t − ⌊n_fft / 2⌋] exp(−2πi f t / n_fft). There
    are ⌈n_times / hop_length⌉ + 1 frames, so that every sample lies between the centres of two,
    and the inverse is exact: to 1e-12 for float64, to 1e-6 for float32, relative to the peak. A
    window and hop for which it couldn't be are refused. The inverse of altered spectra is the
    waveform whose own spectra are nearest to them in the least-squares sense.

    References
    ----------
    Griffin and Lim, "Signal estimation from modified short-time Fourier transform", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.audio import STFT
    >>> x = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> stft = STFT(n_fft=512)
    >>> Z = stft.fit_transform(x)
    >>> Z.shape
    (126, 257)
    >>> bool(np.allclose(stft.inverse_transform(Z, n_times=16000), x, atol=1e-12))
    True

    Spectrograms are then one step of a pipeline:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> make_pipeline(stft, FunctionTransformer(np.abs)).fit_transform(x).shape
    (126, 257)
    """

    def __init__(
        self, n_fft: int = 1024, hop_length: int | None = None, window: Window = "hann"
    ) -> None:
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window = window

    def fit(self, x: ArrayLike | None = None, y: None = None) -> Self:
        """Check the parameters.

        Parameters
        ----------
        x : array-like of shape (..., n_times) or None, default None
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        self
            Nothing is learnt.
        """
        check_frames(self.n_fft, self.hop_length, self.window)
        return self

    def transform(self, x: ArrayLike) -> np.ndarray:
        """Spectra of waveforms.

        Parameters
        ----------
        x : array-like of float, shape (..., n_times)
            Time is the last axis, and leading axes are kept. Pass audio (n_times, n_channels) as
            ``x.T``.

        Returns
        -------
        Z : complex ndarray of shape (..., n_frames, n_fft // 2 + 1)
            complex64 for float32, complex128 for float64.

        Raises
        ------
        ValueError
            For integers, complex numbers, NaN or infinity, empty waveforms and bad parameters.
        """
        return stft(x, self.n_fft, self.hop_length, self.window)

    def inverse_transform(self, Z: ArrayLike, n_times: int | None = None) -> np.ndarray:
        """Waveforms of spectra.

        Parameters
        ----------
        Z : complex array-like of shape (..., n_frames, n_fft // 2 + 1)
            Spectra, one row a frame.
        n_times : int or None, default None
            Samples of the waveform; None for as many as the frames cover, (n_frames − 1) ·
            hop_length, which is the length that went in rounded up to whole hops.

        Returns
        -------
        ndarray of float, shape (..., n_times)
            float32 for complex64, float64 for complex128.

        Raises
        ------
        ValueError
            If `Z` doesn't fit the parameters, isn't finite, or is too short for `n_times`.
        """
        return istft(Z, self.n_fft, self.hop_length, self.window, n_times=n_times)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.one_d_array = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def stft(
    x: ArrayLike, n_fft: int = 1024, hop_length: int | None = None, window: Window = "hann"
) -> np.ndarray:
    """Spectra of waveforms, as `STFT.transform`.

    Parameters
    ----------
    x : array-like of float, shape (..., n_times)
        Time is the last axis, and leading axes are kept.
    n_fft : int, default 1024
        Samples in a frame.
    hop_length : int or None, default None
        Samples between frames, at most `n_fft`; None for a quarter of `n_fft`.
    window : str, tuple or array-like of shape (n_fft,), default 'hann'
        What `scipy.signal.get_window` takes, or the window itself.

    Returns
    -------
    complex ndarray of shape (..., n_frames, n_fft // 2 + 1)
        complex64 for float32, complex128 for float64.

    Raises
    ------
    ValueError
        For integers, complex numbers, NaN or infinity, empty waveforms and bad parameters.

    Examples
    --------
    >>> import numpy as np
    >>> stft(np.ones((2, 100)), n_fft=8, hop_length=4).shape
    (2, 26, 5)
    """
    n_fft, hop_length, window = check_frames(n_fft, hop_length, window)
    x = np.atleast_1d(check_real(x))
    n_frames = count_frames(x.shape[-1], hop_length)
    before = n_fft // 2
    after = n_fft + hop_length * (n_frames - 1) - before - x.shape[-1]
    padding = [(0, 0)] * (x.ndim - 1) + [(before, after)]
    return analyse(np.pad(x, padding), n_fft, hop_length, window)


def istft(
    Z: ArrayLike,
    n_fft: int = 1024,
    hop_length: int | None = None,
    window: Window = "hann",
    *,
    n_times: int | None = None,
) -> np.ndarray:
    """Waveforms of spectra, as `STFT.inverse_transform`.

    Parameters
    ----------
    Z : complex array-like of shape (..., n_frames, n_fft // 2 + 1)
        Spectra, one row a frame.
    n_fft : int, default 1024
        Samples in a frame.
    hop_length : int or None, default None
        Samples between frames, at most `n_fft`; None for a quarter of `n_fft`.
    window : str, tuple or array-like of shape (n_fft,), default 'hann'
        What `scipy.signal.get_window` takes, or the window itself.
    n_times : int or None, default None
        Samples of the waveform; None for as many as the frames cover, (n_frames − 1) · hop_length.

    Returns
    -------
    ndarray of float, shape (..., n_times)
        float32 for complex64, float64 for complex128.

    Raises
    ------
    ValueError
        If `Z` doesn't fit the parameters, isn't finite, or is too short for `n_times`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)
    >>> Z = stft(x, n_fft=9, hop_length=4)
    >>> bool(np.allclose(istft(Z, n_fft=9, hop_length=4, n_times=100), x))
    True
    """
    from librosa import istft as inverse

    n_fft, hop_length, window = check_frames(n_fft, hop_length, window)
    Z = _check_spectra(Z, n_fft)
    check_count("n_times", n_times, optional=True)
    covered = (Z.shape[-2] - 1) * hop_length
    n_times = covered if n_times is None else n_times
    if n_times > covered:
        raise ValueError(
            f"n_times={n_times} is more than the {Z.shape[-2]} frames of Z cover with "
            f"hop_length={hop_length}; expected at most {covered}"
        )
    x = inverse(
        np.swapaxes(Z, -1, -2), n_fft=n_fft, hop_length=hop_length, window=window, center=False,
        dtype=np.float64,  # many frames add up in one sample
    )  # fmt: skip
    dtype = np.float32 if Z.dtype == np.complex64 else np.float64
    return x[..., n_fft // 2 : n_fft // 2 + n_times].astype(dtype, order="C")


def analyse(padded, n_fft, hop_length, window):
    """Spectra of the frames that start at 0, hop_length, ... of checked samples.

    Parameters
    ----------
    padded : ndarray of float (..., n_fft + hop_length · (n_frames − 1))
    n_fft, hop_length : int
    window : ndarray (n_fft,)

    Returns
    -------
    complex ndarray (..., n_frames, n_fft // 2 + 1)
    """
    from librosa import stft as forward

    Z = forward(padded, n_fft=n_fft, hop_length=hop_length, window=window, center=False)
    return np.swapaxes(Z, -1, -2)


def _check_spectra(Z: ArrayLike, n_fft: int) -> np.ndarray:
    Z = np.asarray(Z)
    if Z.dtype.kind not in "fc":
        raise ValueError(
            f"Z has dtype {Z.dtype}; expected complex spectra, as transform gives them"
        )
    if Z.ndim < 2 or Z.shape[-1] != n_fft // 2 + 1 or Z.shape[-2] < 2 or not Z.size:
        raise ValueError(
            f"Z has shape {Z.shape}; for n_fft={n_fft} expected (..., n_frames, {n_fft // 2 + 1}) "
            "with at least 2 frames, one row a frame"
        )
    if not np.isfinite(Z).all():
        raise ValueError("Z holds NaN or infinity; clean the spectra before the inverse")
    single = Z.dtype in (np.complex64, np.float32, np.float16)
    return Z.astype(np.complex64 if single else np.complex128, copy=False)
