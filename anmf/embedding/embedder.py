"""The estimator `SpeakerEmbedder`: waveforms in, embeddings of their windows out."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import random_generator
from anmf._core.checks import check_count, check_real
from anmf._core.threads import limited_threads
from anmf._core.types import RandomState
from anmf.audio.waveforms import check_real as check_samples
from anmf.embedding.features import (
    cut,
    disturbed,
    frame_length,
    is_silent,
    make_filters,
    window_statistics,
)
from anmf.embedding.labels import read_labels
from anmf.embedding.seeding import unit
from anmf.embedding.svd import SVDDecorrelator
from anmf.embedding.whitening import signed

_N_WINDOWS = 5
"""Windows of a speaker that directions are weighted for, see Notes of `SpeakerEmbedder`."""


class SpeakerEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embeddings of speakers: windows of speech become unit vectors, close for the same voice.

    A light extractor, learnt from labelled waveforms in seconds: statistics of the mel spectrum
    and the cepstrum, and linear discriminants of speakers. Neural extractors tell speakers apart
    better; their embeddings go into `SVDDecorrelator` just the same.

    Parameters
    ----------
    sample_rate : int, default 16000
        Of all waveforms, in Hz; at least 4000.
    window : float, default 1.6
        Length of the windows in seconds, at least 0.064.
    hop : float, default 0.8
        Time from one window to the next in seconds, at most `window`.
    n_mels : int, default 40
        Bands of the mel spectrum.
    n_periods : int, default 32
        Periods of a voice (50 to 555 Hz) at which the cepstrum is taken.
    n_components : int or None, default None
        Length of an embedding; None for all directions, at most one less than there are speakers.
    n_copies : int, default 1
        Disturbed copies of each waveform that ``fit`` learns from too: through a random smooth
        filter, and with noise 15 to 35 dB below. They teach it what a microphone can do to a voice,
        which it can't know from speakers of whom there is one recording each. 0 for none.
    ridge : float, default 0.03
        Added to the variances within speakers, which are about 1.
    random_state : int, Generator, RandomState or None, default None
        Seed of the copies.

    Attributes
    ----------
    classes_ : array of shape (n_speakers,)
        Labels of the speakers learnt from.
    scaler_ : StandardScaler
        Of the statistics.
    decorrelator_ : SVDDecorrelator
        Makes their covariance within speakers the identity.
    mean_ : array of shape (d,)
        Mean of the speakers in its coordinates.
    directions_ : array of shape (n_components_, d)
        Weighted principal directions of the speakers there.
    between_variance_ : array of shape (n_components_,)
        Variance of the speakers along these; that within speakers is 1.
    n_components_ : int
        Length of an embedding.

    Notes
    -----
    The statistics of a window (`anmf.embedding.features.window_statistics`) are scaled to unit
    variance, then decorrelated within speakers. With the principal directions v_j of the means of
    speakers and the variances λ_j along them, the embedding of the coordinates z is the vector
    with entries λ_j / (λ_j + 1/5) ⟨v_j, z − mean⟩, at unit length. The factor is what best
    predicts a speaker from the mean of five windows: it fades directions in which speakers hardly
    differ, so that there is no number of them to choose.

    Embeddings don't depend on the gain, nor on a constant offset. That of a silent window (all
    samples the same) is zero, and such windows teach nothing. Pauses with noise in them are not
    silent: cut them out of training data.

    Voices recorded through one channel are told apart far better than through different ones.
    Whether a window holds two speakers is linear in these embeddings only in part. What
    `SVDDecorrelator` makes of them is measured by ``python -m benchmarks embedding``.

    References
    ----------
    Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker
    recognition", Interspeech 2006. Ioffe, "Probabilistic linear discriminant analysis", ECCV 2006.

    Examples
    --------
    Three artificial talkers, of different pitch and tilt:

    >>> import numpy as np
    >>> from anmf.embedding import SpeakerEmbedder
    >>> rng = np.random.default_rng(0)
    >>> def talk(pitch, tilt, n=48000):
    ...     at = np.cumsum(rng.uniform(0.9, 1.1, 900) * 16000 / pitch).astype(int)
    ...     pulses = np.isin(np.arange(n), at)
    ...     return np.convolve(pulses, tilt ** np.arange(100))[:n] + rng.normal(0, 1e-3, n)
    >>> talkers = [(100, 0.9), (160, 0.8), (230, 0.7)]
    >>> waveforms = [talk(*talker) for talker in 2 * talkers]
    >>> model = SpeakerEmbedder(random_state=0).fit(waveforms, [0, 1, 2, 0, 1, 2])
    >>> model.transform(waveforms[0]).shape
    (2, 2)
    >>> E = model.transform([talk(*talker) for talker in 2 * talkers])
    >>> (E @ E[0] > 0.9).tolist()
    [True, False, False, True, False, False]
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        window: float = 1.6,
        hop: float = 0.8,
        n_mels: int = 40,
        n_periods: int = 32,
        n_components: int | None = None,
        n_copies: int = 1,
        ridge: float = 0.03,
        random_state: RandomState = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.window = window
        self.hop = hop
        self.n_mels = n_mels
        self.n_periods = n_periods
        self.n_components = n_components
        self.n_copies = n_copies
        self.ridge = ridge
        self.random_state = random_state

    def fit(self, X: ArrayLike | Sequence[ArrayLike], y: ArrayLike) -> Self:
        """Learn what tells speakers apart. Every window is an example of its speaker.

        Parameters
        ----------
        X : list of array-like of float, shape (n_times,), or array-like of shape (n, n_times)
            Waveforms, of any lengths from 64 ms.
        y : array-like of shape (n,) or (n, 2)
            Speaker of each waveform; or integers, both speakers, −1 for none. Waveforms with two
            speakers, or none, are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad waveforms, labels or parameters; fewer than two speakers; no speaker with two
            windows; or an `n_components` beyond what the speakers span.
        """
        self._check_parameters()
        rng = random_generator(self.random_state)
        waveforms, single = self._check(X)
        if single:
            raise ValueError(
                f"X has shape {waveforms[0].shape}, a single waveform; expected a list of "
                "waveforms, one or more of each speaker"
            )
        if y is None:
            raise ValueError("y=None; expected the speaker of each waveform")
        labels = read_labels(y, len(waveforms), required=True)
        rows, owners = self._examples([waveforms[i] for i in labels.singles], labels.speakers, rng)
        self._learn(rows, owners)
        return self

    def transform(self, X: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
        """Embeddings of the windows of a recording, or of whole waveforms.

        Parameters
        ----------
        X : array-like of float, shape (n_times,) or (n, n_times), or list of the former
            One waveform; or several, of any lengths from 64 ms.

        Returns
        -------
        ndarray of shape (n_windows, n_components_) or (n, n_components_)
            Of one waveform, a row for each of its `windows`; of several, a row for each: the mean
            over its windows, brought to unit length too. Rows of silence are zero.

        Raises
        ------
        ValueError
            For integers, complex numbers, NaN or infinity, more than one channel, and waveforms
            shorter than 64 ms.
        """
        check_is_fitted(self)
        waveforms, single = self._check(X)
        if single:
            return self._embed(waveforms[0])
        return unit(np.stack([self._embed(x).mean(axis=0) for x in waveforms]), xp=np)

    def windows(self, x: ArrayLike) -> np.ndarray:
        """Windows of a waveform: as rows of X, they have the embeddings of ``transform(x)``.

        Window i starts i hops after the start. The end of a waveform that fills no window is left
        out; a waveform shorter than a window is one window, of its own length.

        Parameters
        ----------
        x : array-like of float, shape (n_times,)
            Mono waveform at `sample_rate`, of at least 64 ms.

        Returns
        -------
        ndarray of shape (n_windows, n_samples)
            A read-only view.
        """
        self._check_parameters()
        return self._cut(_check_waveform(x, "x", frame_length(self.sample_rate)))

    @property
    def n_components_(self) -> int:
        """Length of an embedding."""
        return len(self.directions_)

    _n_features_out = n_components_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "directions_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.target_tags.required = True
        tags.target_tags.two_d_labels = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.no_validation = True
        return tags

    def _check_parameters(self):
        check_count("sample_rate", self.sample_rate, minimum=4000)
        for name in ("n_mels", "n_periods"):
            check_count(name, getattr(self, name))
        check_count("n_components", self.n_components, optional=True)
        check_count("n_copies", self.n_copies, minimum=0)
        for name in ("window", "hop", "ridge"):
            check_real(name, getattr(self, name))
        length, hop = self._samples()
        least = frame_length(self.sample_rate)
        if length < least:
            raise ValueError(
                f"window={self.window!r} must be at least {least / self.sample_rate} seconds, a "
                "frame of the spectra; 1.6 is usual"
            )
        if not 1 <= hop <= length:
            raise ValueError(
                f"hop={self.hop!r} must be at least a sample and at most window={self.window!r}; "
                "half of that is usual"
            )
        self._filters()

    def _samples(self):
        """Samples of a window, and from one to the next."""
        return round(self.window * self.sample_rate), round(self.hop * self.sample_rate)

    def _filters(self):
        return make_filters(self.sample_rate, self.n_mels, self.n_periods)

    def _cut(self, x):
        return cut(x, *self._samples())

    def _check(self, X):
        """Checked waveforms, and whether it was one by itself."""
        return _check_waveforms(X, frame_length(self.sample_rate))

    def _examples(self, waveforms, speakers, rng):
        """Statistics of all windows that sound, those of copies included, and their speakers."""
        rows, owners = [], []
        for x, speaker in zip(waveforms, speakers, strict=True):
            sounding = ~is_silent(self._cut(x))
            copies = [disturbed(x, self.sample_rate, rng) for _ in range(self.n_copies)]
            for version in [x, *copies] if sounding.any() else []:
                rows.append(window_statistics(self._cut(version)[sounding], self._filters()))
                owners += [speaker] * len(rows[-1])
        if len(set(owners)) < 2 or len(owners) < (1 + self.n_copies) * (len(set(owners)) + 1):
            raise ValueError(
                f"y names {len(set(owners))} speakers with {len(owners) // (1 + self.n_copies)} "
                f"windows of {self.window} seconds that aren't silent; expected two speakers or "
                "more, and more windows than speakers; give more or longer waveforms"
            )
        return np.concatenate(rows).astype(np.float64), np.asarray(owners)

    def _learn(self, rows, owners):
        scaler = StandardScaler().fit(rows)
        decorrelator = SVDDecorrelator(covariance="within", ridge=self.ridge)
        Z = decorrelator.fit_transform(scaler.transform(rows), owners)
        classes, index = np.unique(owners, return_inverse=True)
        means = np.stack([Z[index == c].mean(axis=0) for c in range(len(classes))])
        center = means.mean(axis=0)
        with limited_threads(*means.shape, min(means.shape)):
            _, s, V = np.linalg.svd(means - center, full_matrices=False)
        most = min(len(classes) - 1, Z.shape[1])
        wanted = most if self.n_components is None else self.n_components
        if wanted > most:
            raise ValueError(
                f"n_components={wanted} must be at most {most}: {len(classes)} speakers span no "
                "more directions; use None for all"
            )
        variance = s[:wanted] ** 2 / len(classes)
        weight = variance / (variance + 1 / _N_WINDOWS)
        self.classes_, self.scaler_, self.decorrelator_ = classes, scaler, decorrelator
        self.mean_, self.between_variance_ = center, variance
        self.directions_ = weight[:, None] * signed(V[:wanted], xp=np)

    def _embed(self, x):
        """Embeddings of the windows of a checked waveform, in its dtype."""
        windows = self._cut(x)
        statistics = window_statistics(windows, self._filters()).astype(np.float64)
        Z = self.decorrelator_.transform(self.scaler_.transform(statistics)) - self.mean_
        E = unit(Z @ self.directions_.T, xp=np)
        E[is_silent(windows)] = 0
        return E.astype(x.dtype)


def _check_waveforms(X, least):
    """Waveforms as a list of checked arrays (n_times,), and whether X was one by itself."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        X = list(X)
    if isinstance(X, Sequence) and len(X) and (np.ndim(X[0]) or np.ndim(X[-1])):
        return [_check_waveform(x, f"X[{i}]", least) for i, x in enumerate(X)], False
    X = check_samples(X, "X")
    if X.ndim not in (1, 2):
        raise ValueError(
            f"X has shape {X.shape}; expected a waveform (n_times,), a list of waveforms, or an "
            "array (n, n_times), one waveform a row"
        )
    if X.shape[-1] < least and X.ndim == 2:
        raise ValueError(
            f"X has shape {X.shape}: rows are waveforms, and have at least {least} samples (64 "
            "ms); of a recording (n_times, n_channels) pass one channel, X[:, 0]"
        )
    return ([_check_waveform(X, "X", least)], True) if X.ndim == 1 else (list(X), False)


def _check_waveform(x, name, least):
    x = check_samples(x, name)
    if x.ndim != 1:
        raise ValueError(
            f"{name} has shape {x.shape}; expected one channel: (n_times,); pass one, x[:, 0], or "
            "their mean"
        )
    if len(x) < least:
        raise ValueError(
            f"{name} has {len(x)} samples; expected at least {least}, a frame of the spectra (64 "
            "ms); leave it out, or join it to others of the same speaker"
        )
    return x
