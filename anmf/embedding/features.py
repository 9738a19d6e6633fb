"""Statistics of windows of speech that differ between speakers: spectral shape and pitch."""

from functools import cache
from typing import NamedTuple

import numpy as np

from anmf.audio.stft import analyse

_FRAME, _STEP = 0.064, 0.016
"""Length of a frame, which must hold some periods of a low voice, and its advance, in seconds."""

_LOWEST, _TOP = 20.0, 0.95
"""Range of the mel bands: from Hz to a share of half the sampling rate."""

_VOICED = (60.0, 4000.0)
"""Frequencies in which harmonics are looked for, in Hz; below is hum."""

_PERIODS = (0.0018, 0.0198)
"""Periods of voices, in seconds: 50 to 555 Hz."""

_RANGE = 1e-6
"""Power, relative to the peak of the window, below which nothing is told apart: 60 dB."""

_AT_ONCE = 32
"""Windows whose spectra are held in memory at a time."""


class Filters(NamedTuple):
    """What windows are measured with."""

    hop_length: int
    taper: np.ndarray
    """(n_fft,)"""
    mel: np.ndarray
    """(n_fft // 2 + 1, n_mels): bands of the power spectrum."""
    ripples: np.ndarray
    """(n_bins, n_periods): of the log power in the lowest n_bins."""


def frame_length(sample_rate):
    """Samples of a frame, the least that a window may have.

    Examples
    --------
    >>> frame_length(16000)
    1024
    """
    return round(_FRAME * sample_rate)


@cache
def make_filters(sample_rate, n_mels, n_periods):
    """Filters for `window_statistics`.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_mels, n_periods : int

    Returns
    -------
    Filters

    Raises
    ------
    ValueError
        If there are so many mel bands that some hold no bin of the spectrum.

    Examples
    --------
    >>> [a.shape for a in make_filters(16000, 40, 32)[1:]]
    [(1024,), (513, 40), (257, 32)]
    """
    from scipy.signal import get_window

    n_fft = frame_length(sample_rate)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    return Filters(
        round(_STEP * sample_rate), get_window("hann", n_fft),
        _mel_bands(sample_rate, n_fft, n_mels),
        _ripples(bins[bins <= min(_VOICED[1], sample_rate / 2)], n_periods),
    )  # fmt: skip


def cut(x, n_samples, hop):
    """Windows of a waveform that start at 0, hop, 2 hop, ... and lie within it, as a view.

    A waveform shorter than a window is one window by itself. What is left at the end, less than
    `hop`, is in none.

    Parameters
    ----------
    x : ndarray (n_times,)
    n_samples, hop : int

    Returns
    -------
    read-only view (n_windows, min(n_samples, n_times))

    Examples
    --------
    >>> import numpy as np
    >>> cut(np.arange(8), 4, 3)
    array([[0, 1, 2, 3],
           [3, 4, 5, 6]])
    """
    return np.lib.stride_tricks.sliding_window_view(x, min(n_samples, len(x)))[::hop]


def is_silent(windows):
    """Whether all samples of a window are the same, to rounding: shape (n_windows,).

    Examples
    --------
    >>> is_silent(np.array([[0.0, 0.0], [0.5, 0.5], [0.0, 1e-9]]))
    array([ True,  True, False])
    """
    size = np.maximum(np.abs(windows[:, 0]), np.finfo(windows.dtype).tiny)
    return np.ptp(windows, axis=-1) <= 8 * np.finfo(windows.dtype).eps * size


def window_statistics(windows, filters):
    """Statistics over the frames of each window, none of which depends on the gain.

    With the power P_tf of frame t, the power M_tb in mel band b, and floors ε 60 dB below their
    largest values M° and P° in the window,

        L_tb = log(M_tb / M° + ε),    C_tp = Σ_f w_f cos(2π f p) log(P_tf / P° + ε),

    the statistics are: of L the mean over time, less its mean over bands, the standard deviation,
    and the root mean square of the slope; of the cepstrum C, whose peak is at the period p of a
    voice, the mean of C and of max(C, 0). Frames 60 dB below the loudest are left out.

    Parameters
    ----------
    windows : ndarray of float (n_windows, n_samples)
    filters : Filters

    Returns
    -------
    ndarray (n_windows, 3 n_mels + 2 n_periods)
        In the dtype of `windows`. Rows of silent windows are finite and mean nothing.

    References
    ----------
    Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 1980. Noll, "Cepstrum pitch determination", Journal of the Acoustical
    Society of America 41(2), 1967.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((3, 16000))
    >>> window_statistics(noise, make_filters(16000, 40, 32)).shape
    (3, 184)
    """
    filters = filters._replace(
        **{k: getattr(filters, k).astype(windows.dtype) for k in ("taper", "mel", "ripples")}
    )
    starts = range(0, len(windows), _AT_ONCE)
    return np.concatenate([_statistics(windows[i : i + _AT_ONCE], filters) for i in starts])


def disturbed(x, sample_rate, rng):
    """A copy of a waveform as another channel might give it: filtered, and with noise.

    The filter is smooth: on the scale of mel, its gain in dB is a sum of cosines of one to five
    half periods, with random weights of standard deviation 4 / √k. The noise is first-order
    autoregressive with a pole drawn from U(0, 0.95), U(15, 35) dB below the waveform.

    Parameters
    ----------
    x : ndarray of float (n_times,)
    sample_rate : int
        In Hz.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (n_times,)
        In the dtype of `x`.

    Examples
    --------
    >>> x = np.sin(np.arange(4000.0))
    >>> disturbed(x, 16000, np.random.default_rng(0)).shape
    (4000,)
    """
    from scipy.signal import firwin2, lfilter, oaconvolve

    share = np.linspace(0, 1, 257)
    place = np.log1p(share * sample_rate / 1400) / np.log1p(sample_rate / 1400)
    order = np.arange(1, 6)
    gain = np.cos(np.pi * np.outer(place, order)) @ (rng.normal(0, 4, 5) / np.sqrt(order))
    y = oaconvolve(x, firwin2(257, share, 10 ** (gain / 20)), mode="same")
    noise = lfilter([1], [1, -rng.uniform(0, 0.95)], rng.standard_normal(len(x)))
    level = 10 ** (-rng.uniform(15, 35) / 20) * np.linalg.norm(y) / np.linalg.norm(noise)
    return (y + level * noise).astype(x.dtype)


def _statistics(windows, filters):
    hop, taper, mel, ripples = filters
    x = windows - windows.mean(axis=1, keepdims=True)
    x /= np.maximum(np.abs(x).max(axis=1, keepdims=True), np.finfo(x.dtype).tiny)
    Z = analyse(x, len(taper), hop, taper)
    power = Z.real**2 + Z.imag**2
    bands = power @ mel
    energy = bands.sum(axis=-1)
    heard = (energy >= _RANGE * energy.max(axis=1, keepdims=True)).astype(x.dtype)
    heard /= heard.sum(axis=1, keepdims=True)

    def mean(values):
        return (heard[:, None, :] @ values)[:, 0]

    L, C = _decades(bands), _decades(power[..., : len(ripples)]) @ ripples
    level = mean(L)
    return np.concatenate([
        level - level.mean(axis=1, keepdims=True),
        np.sqrt(mean((L - level[:, None]) ** 2)),
        np.sqrt(mean(_slope(L) ** 2)),
        mean(C),
        mean(np.maximum(C, 0)),
    ], axis=1)  # fmt: skip


def _decades(power):
    """Logarithm of power relative to the peak of the window, with a floor."""
    peak = power.max(axis=(1, 2), keepdims=True)
    return np.log(power / np.maximum(peak, np.finfo(power.dtype).tiny) + _RANGE)


def _slope(L):
    """Slope over five frames by least squares; frames past the ends are as those at the ends."""
    L = np.pad(L, ((0, 0), (2, 2), (0, 0)), mode="edge")
    return 0.1 * (L[:, 3:-1] - L[:, 1:-3]) + 0.2 * (L[:, 4:] - L[:, :-4])


def _mel_bands(sample_rate, n_fft, n_mels):
    import warnings

    from librosa.filters import mel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that bands are empty: an error, below
        bands = mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=_LOWEST,
            fmax=_TOP * sample_rate / 2, dtype=np.float64,
        ).T  # fmt: skip
    empty = int((bands.sum(axis=0) == 0).sum())
    if empty:
        raise ValueError(
            f"n_mels={n_mels} leaves {empty} bands without a bin of the spectrum at "
            f"sample_rate={sample_rate}; use fewer, such as 40"
        )
    return bands


def _ripples(bins, n_periods):
    """Tapered cosines of the frequencies of bins, four neighbouring periods averaged to one."""
    low, high = _VOICED
    weight = np.where(bins >= low, np.cos(np.pi / 2 * bins / high) ** 2, 0)
    weight /= weight.sum()
    periods = np.geomspace(*_PERIODS, 4 * n_periods)
    waves = np.cos(2 * np.pi * np.outer(bins, periods))
    waves = weight[:, None] * (waves - weight @ waves)  # the level of the spectrum has no part
    return waves.reshape(len(bins), n_periods, 4).mean(axis=-1)
