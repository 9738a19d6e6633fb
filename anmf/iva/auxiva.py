"""The estimator `AuxIVA`: a recording of several microphones in, one track a source out."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.checks import check_choice, check_real
from anmf.audio.stft import check_frames
from anmf.base import SeparatorMixin
from anmf.iva.dereverberation import reverberation
from anmf.iva.online import Stream
from anmf.iva.recording import check_recording, spectra, waveforms
from anmf.iva.scaling import SCALINGS, check_channel, inverse
from anmf.iva.scores import score_sources
from anmf.iva.solve import check_options, check_sources, demix


class AuxIVA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SeparatorMixin, BaseEstimator):
    """DOC"""

    def __init__(self, n_sources=None, *, update="iss2", source_model="cliques", n_fft=4096,
                 hop_length=None, window="hann", max_iter=20, tol=0.0, init="identity",
                 scaling="projection-back", reference_channel=0, n_taps=0, delay=2,
                 forgetting=0.999, callback=None, random_state=None, verbose=0,
                 n_threads=None):  # fmt: skip
        self.n_sources = n_sources
        self.update = update
        self.source_model = source_model
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window = window
        self.max_iter = max_iter
        self.tol = tol
        self.init = init
        self.scaling = scaling
        self.reference_channel = reference_channel
        self.n_taps = n_taps
        self.delay = delay
        self.forgetting = forgetting
        self.callback = callback
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads

    def fit(self, X, y=None):
        """Learn the demixing of a recording.

        Parameters
        ----------
        X : array-like (n_times, n_channels)
            Samples. Integers of 8, 16 or 32 bits are divided by full scale.
        y : object
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, one channel, more sources than channels, more channels than
            samples, complex numbers, NaN or infinity.
        """
        X = check_recording(self, X, reset=True)
        frames = self._check_parameters(X.shape[1])
        self._stream = None
        Z = spectra(X, frames)
        found = demix(
            Z, self._n_sources(), self.update, self.source_model, max_iter=self.max_iter,
            tol=self.tol, init=self.init, n_taps=self.n_taps, delay=self.delay,
            callback=self.callback, random_state=self.random_state, verbose=self.verbose,
            n_threads=self.n_threads,
        )  # fmt: skip
        self._keep(found.rows, found.taps, Z)
        found.outcome.settle(self)
        return self

    def partial_fit(self, X, y=None):
        """Go on learning from the next block of a stream, in constant memory.

        Each block takes `max_iter` iterations on its own frames and on what is remembered of the
        earlier ones: their covariances, which fade by `forgetting` from frame to frame. Filters
        that ``fit`` has learned are where the stream starts.

        Parameters
        ----------
        X : array-like (n_times, n_channels)
            The samples after those of the last call; any number.
        y : object
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in `fit`; and with taps, or a source model that can't be used in blocks ('nmf').
        """
        first = getattr(self, "_stream", None) is None
        begun = hasattr(self, "demixing_")
        X = check_recording(self, X, reset=not begun)
        frames = self._check_parameters(X.shape[1])
        if first:
            start = self._rows if begun else self.init
            self._stream = Stream(frames, X, start, self.forgetting)
        block = self._stream.push(X)
        objective = []
        if block.shape[2]:
            found = self._stream.learn(
                block, self._n_sources(), self.update, self.source_model, max_iter=self.max_iter,
                tol=self.tol, random_state=self.random_state, n_threads=self.n_threads,
            )  # fmt: skip
            objective = found.outcome.history
        self._keep(self._stream.rows, self._stream.rows[:, None][:, :0], block)
        self.objective_ = np.asarray(objective, dtype=np.float64)
        self.n_iter_ = len(objective)
        return self

    def transform(self, X):
        """Demix a recording.

        Parameters
        ----------
        X : array-like (n_times, n_channels)

        Returns
        -------
        ndarray (n_times, n_sources)
            The sources, as the reference microphone hears them with the default `scaling`.
        """
        X, Z, frames = self._spectra(X)
        return waveforms(self._demix(Z), frames, len(X))

    def separate(self, X):
        """Images of the sources: what each microphone hears of each.

        Parameters
        ----------
        X : array-like (n_times, n_channels)

        Returns
        -------
        ndarray (n_times, n_sources, n_channels)
            They sum to `X`, if there are as many sources as channels and no taps; else the
            background, and the late reverberation, are left out.
        """
        X, Z, frames = self._spectra(X)
        Y = self._demix(Z)[:, :, None, :] * np.swapaxes(self.mixing_, 1, 2)[..., None]
        return waveforms(Y, frames, len(X))

    def score(self, X, y, metric="si_sdr"):
        """Mean quality of the separated sources in dB, in the order that fits best.

        Parameters
        ----------
        X : array-like (n_times, n_channels)
        y : array (n_times, n_sources) or (n_times, n_sources, n_channels)
            What the reference microphone, or every microphone, hears of each source.
        metric : str
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
        """
        estimate = self.separate(X) if np.ndim(y) == 3 else self.transform(X)
        return score_sources(y, estimate, metric)

    @property
    def _n_features_out(self):
        return self.demixing_.shape[1]

    def _n_sources(self):
        return check_sources(self.n_sources, self.n_features_in_)

    def _spectra(self, X):
        check_is_fitted(self)
        X = check_recording(self, X, reset=False)
        frames = check_frames(self.n_fft, self.hop_length, self.window)
        return X, spectra(X, frames), frames

    def _demix(self, Z):
        Y = self.demixing_ @ Z
        return Y - reverberation(self.taps_, Z, self.delay, xp=np) if self.n_taps else Y

    def _keep(self, rows, taps, Z):
        """Set the fitted attributes from all rows of the demixing, at any scale."""
        n_sources, dtype = self._n_sources(), Z.dtype
        W, A = rows[:, :n_sources], inverse(rows)[:, :, :n_sources]
        scale = SCALINGS[self.scaling](A, W, Z, self.reference_channel)
        self._rows = rows
        self.demixing_ = (scale[..., None] * W).astype(dtype)
        back = np.where(scale != 0, 1, 0) / np.where(scale != 0, scale, 1)
        self.mixing_ = (A * back[:, None, :]).astype(dtype)
        self.taps_ = (scale[:, None, :, None] * taps[:, :, :n_sources]).astype(dtype)

    def _check_parameters(self, n_channels):
        check_options(
            self.update, self.source_model, self.max_iter, self.tol, self.n_taps, self.delay,
            self.n_threads,
        )  # fmt: skip
        if self.scaling is not None:
            check_choice("scaling", self.scaling, [name for name in SCALINGS if name])
        check_sources(self.n_sources, n_channels)
        check_channel(self.reference_channel, n_channels)
        check_real("forgetting", self.forgetting, maximum=1.0)
        return check_frames(self.n_fft, self.hop_length, self.window)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
