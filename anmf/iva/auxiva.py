"""The estimator `AuxIVA`: a recording of several microphones in, one track a source out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.checks import check_choice, check_real
from anmf._core.iterate import IterationInfo
from anmf._core.types import RandomState
from anmf.audio.stft import check_frames
from anmf.base import SeparatorMixin
from anmf.iva.dereverberation import reverberation
from anmf.iva.recording import check_recording, check_samples, spectra, waveforms
from anmf.iva.scaling import SCALINGS, audible_channel, check_channel, inverse
from anmf.iva.scores import score_sources
from anmf.iva.solve import check_options, check_sources, demix
from anmf.iva.streams import (
    Stream,
    check_no_taps,
    held,
    images,
    learn_block,
    learning,
    stream_parts,
    tracks,
)


class AuxIVA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SeparatorMixin, BaseEstimator):
    """Separate the sources in a recording of several microphones, without knowing where they are.

    Auxiliary-function independent vector analysis and its relatives: sources are demixed so that
    each becomes as (im)probable as its model says sources are, and they independent of each other.

    Parameters
    ----------
    n_sources : int or None, default None
        At most as many as there are channels, which None stands for. With fewer, the channels that
        are left take up the background.
    update : {'iss2', 'iss', 'ip2', 'ip'}, default 'iss2'
        How demixing is improved: a name of `anmf.iva.UPDATES`.
    source_model : str, object or callable, default 'cliques'
        What sources are like. 'cliques': Gauss with variances for groups of frequencies; 'gauss':
        with a variance for each frame; 'laplace', 'ggd' (generalised Gauss), 'student-t': spherical
        with heavier tails; 'nmf': a variance of low rank (ILRMA); 'surrogate': learned on speech
        at 16 kHz (`anmf.iva.SurrogateSourceModel`). Or an object such as
        ``anmf.iva.StudentT(dof=0.01)``, or a function from powers (n_frequencies, n_sources,
        n_frames) to weights (see `anmf.iva.check_source_model`).
    n_fft : int, default 4096
        Samples of a frame, which should be longer than the reverberation that matters: 0.256 s by
        default for 16 kHz.
    hop_length : int or None, default None
        Samples between frames; None for a quarter of `n_fft`.
    window : str, tuple or array of shape (n_fft,), default 'hann'
        As in `anmf.audio.STFT`.
    max_iter : int, default 20
        Most iterations.
    tol : float, default 0.0
        Stop when an iteration changes the objective by at most `tol` times its first value; 0 runs
        all of `max_iter`.
    init : {'identity', 'pca'} or array, default 'identity'
        Where demixing starts: with the channels themselves, with their principal components, or
        with matrices such as `demixing_` of another recording, of shape (n_frequencies, n_sources
        or n_channels, n_channels).
    scaling : {'projection-back', 'minimal-distortion'} or None, default 'projection-back'
        Scale of the sources: that which they have at the reference microphone, by the inverse of
        the demixing or in the mean square; None leaves it as demixing happens to give it.
    reference_channel : int, default 0
        Counted from 0. If it is silent throughout, the loudest takes its place.
    n_taps : int, default 0
        Delayed frames of the microphones that are taken off as late reverberation.
    delay : int, default 2
        Frames before the first of them, at least 1.
    forgetting : float, default 0.999
        Factor by which what is remembered fades from frame to frame in ``partial_fit``, from 0 to
        1, where nothing is forgotten.
    callback : callable or None, default None
        Called with an `anmf._core.iterate.IterationInfo` after each iteration; a true result stops.
    random_state : int, Generator, RandomState or None, default None
        Seed; of influence with ``source_model='nmf'`` only.
    verbose : int, default 0
        A progress bar when positive.
    n_threads : int or None, default None
        Threads of compiled code; None for as many as Numba may use (the variable
        ``NUMBA_NUM_THREADS``). The demixing is the same to the last bit. (Code is compiled at the
        first use ever of an update, which takes up to a minute, and kept on disk.)

    Attributes
    ----------
    demixing_ : complex ndarray of shape (n_frequencies, n_sources, n_channels)
        Times the spectra of the microphones (n_frequencies, n_channels, n_frames), it gives those
        of the sources.
    mixing_ : complex ndarray of shape (n_frequencies, n_channels, n_sources)
        From the sources to their images at the microphones.
    taps_ : complex ndarray of shape (n_frequencies, n_taps, n_sources, n_channels)
        Filters of the delayed microphones, whose output is taken off the sources.
    objective_ : ndarray of shape (n_iter_,)
        After every iteration. It never rises, unless the source model is learned or a function.
    n_iter_ : int
        Iterations made.
    n_features_in_ : int
        Number of channels.

    See Also
    --------
    anmf.iva.auxiva : The same for those who hold spectrograms.

    Notes
    -----
    At every frequency y = W x, and with the contrast g of the source model

        L = Σ_k ⟨g(|y_kft|²)⟩ − 2 ⟨log|det W_f|⟩

    is minimised, means over frequencies and frames. The slope of g is a weight φ, and with the
    weighted covariances V_k = ⟨φ_k x xᴴ⟩ the update lowers the majoriser Σ_k w_k V_k w_kᴴ − 2
    log|det W|. All powers are relative to those of the recording: scaled input gives the same
    output, scaled. To V_k comes a trace of noise (1e-10 of the power of the bin, 1e-7 in single
    precision), so that dead or equal channels do no harm; silent bins pass through.

    **Which settings.** Mean improvement of the SI-SDR in dB after 20 (and 100) iterations in
    simulated rooms (read speech of 8 s, T60 .16-.30 s, noise at −30 dB; 30 rooms of two and of
    three talkers, 10 of four, as many microphones), from ``python -m benchmarks iva``. The defaults
    were chosen on 30 other rooms of such talkers.

    =========== ====== ============ ============ ============
    model       update two talkers  three        four
    =========== ====== ============ ============ ============
    'surrogate' 'iss2' 15.6 (15.4)  16.6 (16.7)  12.8 (13.6)
    'cliques'   'iss2' 14.1 (14.1)  14.8 (15.0)  9.7 (11.3)
    'gauss'     'iss2' 10.1 (10.4)  11.0 (11.0)  6.9 (7.7)
    'gauss'     'ip2'  10.1 (10.4)  10.9 (11.0)  7.2 (7.8)
    'gauss'     'iss'  9.8 (10.3)   8.6 (10.2)   5.0 (7.9)
    'gauss'     'ip'   9.9 (10.2)   8.6 (9.5)    5.1 (7.3)
    'nmf'       'iss2' 8.7 (9.6)    9.2 (10.6)   3.6 (6.0)
    'laplace'   'iss2' 8.1 (8.1)    8.1 (8.2)    6.3 (6.3)
    'laplace'   'ip'   6.3 (7.8)    4.9 (7.7)    2.9 (4.4)
    =========== ====== ============ ============ ============

    'iss2' takes the least time for what it gains; it and 'ip2' do what no number of iterations of
    'iss' and 'ip' does. 'cliques' have one clique in the first ten iterations, so that fewer make
    'gauss' of it. Four talkers want 50 iterations.

    **How many sources.** As many as talk; further microphones then take up noise and reverberation.
    Two talkers want some seconds of sound, three want more: with less, the wrong demixing can be
    the more probable one.

    References
    ----------
    Ono, "Stable and fast update rules for independent vector analysis based on auxiliary function
    technique", WASPAA 2011.
    Scheibler and Ono, "Fast and stable blind source separation with rank-1 updates", ICASSP 2020.
    Ikeshita and Nakatani, "ISS2: An extension of iterative source steering algorithm for
    majorization-minimization-based independent vector analysis", EUSIPCO 2022.

    Examples
    --------
    >>> from anmf import AuxIVA
    >>> from anmf.datasets import make_voices, simulate_room
    >>> voices = make_voices(2, 4.0, random_state=1).waveforms
    >>> room = simulate_room(voices, n_channels=2, rt60=0.1, random_state=1)
    >>> model = AuxIVA().fit(room.mixture)
    >>> model.transform(room.mixture).shape
    (64000, 2)
    >>> images = model.separate(room.mixture)
    >>> images.shape, bool(abs(images.sum(axis=1) - room.mixture).max() < 1e-5)
    ((64000, 2, 2), True)
    >>> model.score(room.mixture, room.images) > 15
    True
    """

    def __init__(
        self,
        n_sources: int | None = None,
        *,
        update: str = "iss2",
        source_model: Any = "cliques",
        n_fft: int = 4096,
        hop_length: int | None = None,
        window: str | tuple | ArrayLike = "hann",
        max_iter: int = 20,
        tol: float = 0.0,
        init: str | ArrayLike = "identity",
        scaling: str | None = "projection-back",
        reference_channel: int = 0,
        n_taps: int = 0,
        delay: int = 2,
        forgetting: float = 0.999,
        callback: Callable[[IterationInfo], Any] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
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

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the demixing of a recording.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels)
            Samples. Integers of 8, 16 or 32 bits are divided by full scale.
        y : object, default None
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
        self._stream: Stream | None = None
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

    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Go on learning from the next block of a stream, in constant memory.

        Each block takes `max_iter` iterations on its own frames, on the last 128 before, and on
        what is remembered of earlier ones: their covariances, which fade by `forgetting` from frame
        to frame. While there are few frames, learning begins anew each time that they have doubled,
        with 20 iterations or more. Filters that ``fit`` has learned are where the stream starts.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels)
            The samples after those of the last call; any number.
        y : object, default None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in `fit`; and with taps, or a source model that can't be used in blocks ('nmf').
        """
        begun = hasattr(self, "demixing_")
        X = check_samples(self, X, reset=not begun)
        frames = self._check_parameters(X.shape[1])
        check_no_taps(self)
        stream = getattr(self, "_stream", None)
        if stream is None:
            stream = Stream(frames, X, self._rows if begun else self.init, self.forgetting)
            self._stream = stream
        learn_block(self, stream, stream.push(X))
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Demix a recording.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels)
            Samples of as many microphones as `fit` saw.

        Returns
        -------
        ndarray of shape (n_times, n_sources)
            The sources, as the reference microphone hears them with the default `scaling`.
        """
        X, Z, frames = self._spectra(X)
        return waveforms(self._demix(Z), frames, len(X))

    def separate(self, X: ArrayLike) -> np.ndarray:
        """Images of the sources: what each microphone hears of each.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels)
            Samples of as many microphones as `fit` saw.

        Returns
        -------
        ndarray of shape (n_times, n_sources, n_channels)
            They sum to `X`, if there are as many sources as channels and no taps; else the
            background, and the late reverberation, are left out.
        """
        X, Z, frames = self._spectra(X)
        return waveforms(self._images(Z), frames, len(X))

    def transform_stream(self, blocks: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
        """Demix a stream that comes in blocks, in constant memory; the filters stay as they are.

        Sources come out less than `n_fft` samples after the microphones went in, without seams:
        those that ``transform`` gives for the whole stream.

        Parameters
        ----------
        blocks : iterable of array-like of shape (n, n_channels)
            Consecutive pieces of any lengths.

        Returns
        -------
        iterator of ndarray of shape (n, n_sources)
            Lengths differ from those of the blocks, but sum to the same.

        Raises
        ------
        ValueError
            For blocks that hold no samples, or of another number of channels.
        """
        check_is_fitted(self)
        return (x[..., 0] for x in stream_parts(self, blocks, held, tracks))

    def separate_stream(self, blocks: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
        """Images of the sources of a stream; see `transform_stream` and `separate`.

        Parameters
        ----------
        blocks : iterable of array-like of shape (n, n_channels)
            Consecutive pieces of any lengths.

        Returns
        -------
        iterator of ndarray of shape (n, n_sources, n_channels)
            As the images of `separate`, in time with `transform_stream`.

        Raises
        ------
        ValueError
            As in `transform_stream`.
        """
        check_is_fitted(self)
        return stream_parts(self, blocks, held, images)

    def fit_transform_stream(self, blocks: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
        """Learn from a stream and demix it as it comes, in constant memory.

        Learning begins afresh, from `init`, and goes on as with `partial_fit`: the frames that a
        block completes are demixed by the filters learned from them and from all before. At any
        time the model holds the filters so far. Blocks of some tenths of a second or more are best:
        each takes `max_iter` iterations.

        Parameters
        ----------
        blocks : iterable of array-like of shape (n, n_channels)
            Consecutive pieces of any lengths.

        Returns
        -------
        iterator of ndarray of shape (n, n_sources)
            As in `transform_stream`. Nothing is learned before it is asked for the next.

        Raises
        ------
        ValueError
            As in `partial_fit`.
        """
        return (x[..., 0] for x in stream_parts(self, blocks, learning, tracks))

    def fit_separate_stream(self, blocks: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
        """Learn from a stream, and give the images of its sources; see `fit_transform_stream`.

        Parameters
        ----------
        blocks : iterable of array-like of shape (n, n_channels)
            Consecutive pieces of any lengths.

        Returns
        -------
        iterator of ndarray of shape (n, n_sources, n_channels)
            As those of `separate`, in time with `transform_stream`.

        Raises
        ------
        ValueError
            As in `partial_fit`.
        """
        return stream_parts(self, blocks, learning, images)

    def score(self, X: ArrayLike, y: ArrayLike, metric: str = "si_sdr") -> float:
        """Mean quality of the separated sources in dB, in the order that fits best.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels)
            Samples of as many microphones as `fit` saw.
        y : array-like of shape (n_times, n_sources) or (n_times, n_sources, n_channels)
            What the reference microphone, or every microphone, hears of each source; some may be
            left out.
        metric : str, default 'si_sdr'
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
        """
        y = np.asarray(y)
        y = y[:, None] if y.ndim == 1 else y
        estimate = self.separate(X) if y.ndim == 3 else self.transform(X)
        return score_sources(y, estimate, metric)

    @property
    def _n_features_out(self):
        return self.demixing_.shape[1]

    def _n_sources(self):
        return check_sources(self.n_sources, self.n_features_in_)

    def _spectra(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray, tuple]:
        check_is_fitted(self)
        X = check_recording(self, X, reset=False)
        frames = check_frames(self.n_fft, self.hop_length, self.window)
        return X, spectra(X, frames), frames

    def _demix(self, Z):
        Y = self.demixing_ @ Z
        return Y - reverberation(self.taps_, Z, self.delay, xp=np) if self.n_taps else Y

    def _images(self, Z):
        """Of every source at every channel, (n_frequencies, n_sources, n_channels, n_frames).

        From the unscaled demixing: what the reference microphone doesn't hear, others may.
        """
        n_sources = self._n_sources()
        W = self._rows[:, :n_sources].astype(Z.dtype)
        Y = W @ Z
        if self.n_taps:
            Y = Y - reverberation(
                self._taps[:, :, :n_sources].astype(Z.dtype), Z, self.delay, xp=np
            )
        A = inverse(self._rows)[:, :, :n_sources].astype(Z.dtype)
        return Y[:, :, None, :] * np.swapaxes(A, 1, 2)[..., None]

    def _keep(self, rows, taps, Z):
        """Set the fitted attributes from all rows of the demixing, at any scale."""
        n_sources, dtype = self._n_sources(), Z.dtype
        W, A = rows[:, :n_sources], inverse(rows)[:, :, :n_sources]
        reference = audible_channel(Z, self.reference_channel)
        scale = SCALINGS[self.scaling](A, W, Z, reference)
        self._rows, self._taps = rows, taps
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
