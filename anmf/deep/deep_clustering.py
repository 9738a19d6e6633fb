"""Deep clustering: sources of one microphone, by a network that tells their bins apart."""

from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import random_generator
from anmf._core.checks import check_choice, check_count, check_real
from anmf.audio.stft import check_frames
from anmf.audio.waveforms import check_waveform
from anmf.deep.clustering_loss import CLUSTERING_LOSSES
from anmf.deep.clustering_network import (
    EmbeddingNetwork,
    Excerpts,
    check_recordings,
    held_out_loss,
    loss_and_gradient,
)
from anmf.deep.optimise import warm_up_cosine
from anmf.deep.recipe import Recipe
from anmf.deep.soft_masks import SHARES, embedding_masks
from anmf.deep.spectra import sqrt_hann, to_spectra, to_waveforms
from anmf.deep.state import start_of_training
from anmf.deep.training import train
from anmf.deep.weights import load_about, load_weights, save_weights
from anmf.metrics import METRICS, permutation_invariant

_MOST_HELD_OUT = 64
_SAVED = (
    "n_sources", "sample_rate", "n_fft", "hop_length", "embedding_size", "width", "hidden",
    "dilations", "loss", "mask", "sharpness",
)  # fmt: skip


class DeepClustering(BaseEstimator):
    """Separate the talkers of one microphone by deep clustering.

    A network gives every bin of a spectrogram a direction, v_i, so that bins of one source agree
    and those of others don't: Σ_ij w_i w_j (v_iᵀ v_j − y_iᵀ y_j)² is least, with y_i the indicator
    of the loudest source and w_i the weight of a bin. Spherical K-means of the directions then
    gives masks for any number of sources, and of talkers never heard before.

    Parameters
    ----------
    n_sources : int
        To separate into; may be changed at any time.
    sample_rate : int
        Of all waveforms, in Hz.
    n_fft, hop_length : int
        Of the spectra, in samples; hop_length None for a quarter of n_fft.
    embedding_size : int
        Components of a direction.
    width, hidden : int
        Channels of the network between its blocks, and inside them.
    dilations : sequence of int
        One a block, in frames.
    loss : {'affinity', 'whitened'}
        A name of `anmf.deep.clustering_loss.CLUSTERING_LOSSES`.
    mask : {'soft', 'hard'}
        A name of `anmf.deep.soft_masks.SHARES`.
    sharpness : float
        Of soft masks.
    batch_size : int
        Excerpts in a step.
    duration : float
        Of an excerpt, in s.
    max_iter : int
        Steps.
    learning_rate : float
        Largest; it rises in 150 steps, or a tenth of all, and falls to 2 % along a cosine.
    validation_fraction : float
        Share of the mixtures, from 1 to 64 of them, held out to choose the best weights.
    checkpoint : path, optional
        File (.npz) that training writes its state to, every 100 steps.
    warm_start : bool
        Whether ``fit`` goes on: from `checkpoint`, if there is such a file, else from `weights_`.
    embedding : callable, optional
        Takes the place of the network: maps magnitudes (n_frames, n_bins) to directions (n_frames,
        n_bins, n_components) at unit length. Nothing is learned then.
    random_state : int, Generator, RandomState or None
        Of training, and of the starts of K-means.
    verbose : int
        A progress bar when positive.

    Attributes
    ----------
    weights_ : dict of ndarray
        Of the network, float32.
    loss_ : ndarray (n_iter_,)
        Of each step.
    held_out_loss_ : ndarray
        Of the held-out mixtures, every 100 steps and at the end.
    n_iter_ : int
        Steps made.

    Notes
    -----
    Held-out mixtures may share talkers with the others; if that matters, keep some talkers for
    ``score``. `anmf.deep.mixtures` draws mixtures from recordings of single talkers.

    References
    ----------
    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016.

    Examples
    --------
    >>> from anmf.datasets import make_voices
    >>> from anmf.deep import DeepClustering
    >>> sources = [make_voices(2, 1.0, sample_rate=8000, random_state=i).waveforms
    ...            for i in range(4)]
    >>> model = DeepClustering(embedding_size=4, width=8, hidden=8, dilations=(1, 2), duration=0.5,
    ...                        max_iter=5, random_state=0)
    >>> _ = model.fit(None, sources)
    >>> mixture = sources[0].sum(axis=1)
    >>> model.separate(mixture).shape, model.set_params(n_sources=3).separate(mixture).shape
    ((8000, 2), (8000, 3))
    """

    def __init__(self, n_sources=2, *, sample_rate=8000, n_fft=256, hop_length=64,
                 embedding_size=16, width=128, hidden=192, dilations=(1, 2, 4, 8, 16, 32, 64, 1),
                 loss="affinity", mask="soft", sharpness=4.0, batch_size=8, duration=2.0,
                 max_iter=3000, learning_rate=2e-3, validation_fraction=0.05, checkpoint=None,
                 warm_start=False, embedding=None, random_state=None, verbose=0):  # fmt: skip
        self.n_sources = n_sources
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.embedding_size = embedding_size
        self.width = width
        self.hidden = hidden
        self.dilations = dilations
        self.loss = loss
        self.mask = mask
        self.sharpness = sharpness
        self.batch_size = batch_size
        self.duration = duration
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.embedding = embedding
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, mixtures, sources):
        """Train on mixtures.

        Parameters
        ----------
        mixtures : list of array (n_times,), or None
            None for the sums of the sources. Lengths may differ.
        sources : list of array (n_times, n_sources)
            Of each mixture, two at least; their numbers may differ.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, fewer than two mixtures, mixtures and sources of different lengths
            or counts, silence, NaN, and a checkpoint of another network.

        Warns
        -----
        ConvergenceWarning
            If the loss isn't finite several times in a row; the best weights so far are kept.
        """
        self._check_parameters()
        mixtures, sources = check_recordings(mixtures, sources)
        if self.embedding is not None:
            return self
        rng = random_generator(self.random_state)
        training, held_out = self._split(mixtures, sources, rng)
        options = {"network": self._network(), "loss": self.loss}
        result = train(
            self._start_of_training(rng),
            partial(loss_and_gradient, **options),
            training,
            self._recipe(),
            held_out=partial(held_out_loss, batches=held_out, **options),
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )
        self.weights_ = result.weights
        self.loss_, self.held_out_loss_ = result.state.losses, result.state.held_out
        self.n_iter_ = len(self.loss_)
        return self

    def transform(self, x):
        """Embeddings of the bins of a waveform.

        Parameters
        ----------
        x : array (n_times,)

        Returns
        -------
        ndarray (n_frames, n_bins, embedding_size)
            At unit length.

        Raises
        ------
        ValueError
            For anything but a mono waveform, NaN, and an `embedding` that returns something else.
        """
        self._check_ready()
        return self._embed(np.abs(self._spectra(x)[1]))

    def separate(self, x):
        """The sources of a waveform, in no particular order.

        Parameters
        ----------
        x : array (n_times,)

        Returns
        -------
        ndarray (n_times, n_sources)
            Sums to `x`. All zero for silence.

        Raises
        ------
        ValueError
            As in `transform`.
        """
        self._check_ready()
        x, X = self._spectra(x)
        magnitude = np.abs(X)
        masks = embedding_masks(
            self._embed(magnitude), magnitude, self.n_sources, xp=np, kind=self.mask,
            sharpness=self.sharpness, random_state=self.random_state,
        ).astype(x.dtype)  # fmt: skip
        masks /= masks.sum(axis=1, keepdims=True)
        parts = np.moveaxis(masks * X[:, None, :], 1, 0)
        return np.ascontiguousarray(to_waveforms(parts, len(x), self.n_fft, self._hop()).T)

    def score(self, x, y, metric="si_sdr"):
        """Mean quality of the separated sources in dB, in the order that fits best.

        Parameters
        ----------
        x : array (n_times,)
        y : array (n_times, n_sources)
            The true sources.
        metric : str
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For another name or shape, and as in `transform`.
        """
        self._check_ready()
        check_choice("metric", metric, METRICS)
        y, x = check_waveform(y, "y"), self._check_mono(x)
        if y.shape != (len(x), self.n_sources):
            raise ValueError(
                f"y has shape {y.shape}; expected true sources (n_times, n_sources): "
                f"({len(x)}, {self.n_sources}); for another number of them, set_params(n_sources=…)"
            )
        values, _ = permutation_invariant(METRICS[metric])(y, self.separate(x))
        return float(np.mean(values))

    def save(self, path):
        """Write the fitted model to a file (.npz), readable without this package.

        Weights are stored in half precision.
        """
        check_is_fitted(self, "weights_")
        self._check_parameters()
        self._network().check(self.weights_)
        about = {name: np.asarray(getattr(self, name)).tolist() for name in _SAVED}  # for JSON
        about["model"] = "deep clustering"
        save_weights(path, self.weights_, dtype="float16", about=about)

    @classmethod
    def load(cls, path):
        """Read a model that ``save`` wrote.

        Raises
        ------
        ValueError
            For a damaged file, or one of something else.
        """
        about = load_about(path)
        if not isinstance(about, dict) or about.pop("model", None) != "deep clustering":
            raise ValueError(
                f"{str(path)!r} has no deep clustering; expected a file of its save method"
            )
        try:
            model = cls(**{**about, "dilations": tuple(about["dilations"])})
            model._check_parameters()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(path)!r} has bad settings: {error}; get it anew") from error
        model.weights_ = load_weights(path, model._network().shapes, dtype=np.float32)
        return model

    def __sklearn_is_fitted__(self):
        return self.embedding is not None or hasattr(self, "weights_")

    def _check_ready(self):
        check_is_fitted(self)
        self._check_parameters()

    def _check_parameters(self):
        for name in (
            "n_sources", "sample_rate", "embedding_size", "width", "hidden", "batch_size",
            "max_iter",
        ):  # fmt: skip
            check_count(name, getattr(self, name))
        check_frames(self.n_fft, self.hop_length, sqrt_hann(self.n_fft))
        check_choice("loss", self.loss, CLUSTERING_LOSSES)
        check_choice("mask", self.mask, SHARES)
        check_real("sharpness", self.sharpness)
        check_real("duration", self.duration, minimum=self.n_fft / self.sample_rate)
        check_real("learning_rate", self.learning_rate, minimum=1e-12)
        check_real("validation_fraction", self.validation_fraction, maximum=0.9)
        if not isinstance(self.dilations, (tuple, list, np.ndarray)) or not len(self.dilations):
            raise ValueError(f"dilations={self.dilations!r} must be integers, as (1, 2, 4)")
        for dilation in self.dilations:
            check_count("dilations", dilation)
        if self.embedding is not None and not callable(self.embedding):
            raise ValueError(f"embedding={self.embedding!r} must be a callable or None")

    def _hop(self):
        return check_frames(self.n_fft, self.hop_length, sqrt_hann(self.n_fft))[1]

    def _network(self):
        return EmbeddingNetwork(
            self.n_fft // 2 + 1, self.embedding_size, self.width, self.hidden, tuple(self.dilations)
        )

    def _recipe(self):
        warm_up = max(1, min(150, self.max_iter // 10))
        return Recipe(
            n_steps=self.max_iter,
            rate=warm_up_cosine(self.learning_rate, self.max_iter, warm_up=warm_up, least=0.02),
            betas=(0.9, 0.98),
            weight_decay=0.01,
            average_decay=0.995,
        )

    def _split(self, mixtures, sources, rng):
        """Batches to train on, and a list of those held out."""
        order = rng.permutation(len(sources))
        n_held = round(self.validation_fraction * len(sources))
        n_held = min(max(1, n_held), _MOST_HELD_OUT, len(sources) - 1)
        n_times, seed = round(self.duration * self.sample_rate), int(rng.integers(2**31))
        held, kept = (
            Excerpts(
                None if mixtures is None else [mixtures[i] for i in part],
                [sources[i] for i in part],
                self.n_fft, self._hop(), n_times, self.batch_size, seed,
            )
            for part in (order[:n_held], order[n_held:])
        )  # fmt: skip
        groups = np.split(np.arange(n_held), range(self.batch_size, n_held, self.batch_size))
        return kept, [held.batch(group, np.random.default_rng(0)) for group in groups]

    def _start_of_training(self, rng):
        known = {"checkpoint": self.checkpoint, "weights": getattr(self, "weights_", None)}
        return start_of_training(self._network(), rng, **(known if self.warm_start else {}))

    def _check_mono(self, x):
        x = check_waveform(x, "x")
        if x.ndim != 1:
            raise ValueError(
                f"x has shape {x.shape}; expected one channel (n_times,): take one of several"
            )
        return x

    def _spectra(self, x):
        x = self._check_mono(x)
        return x, to_spectra(x, self.n_fft, self._hop())

    def _embed(self, magnitude):
        if self.embedding is None:
            network = self._network()
            network.check(self.weights_)
            return network.embed(self.weights_, magnitude)
        V = np.asarray(self.embedding(magnitude))
        if V.ndim != 3 or V.shape[:2] != magnitude.shape or V.dtype.kind != "f" or not V.size:
            raise ValueError(
                f"embedding returned shape {V.shape} and dtype {V.dtype}; expected floats "
                f"{(*magnitude.shape, 'n_components')}"
            )
        if not np.all(np.abs(np.linalg.norm(V, axis=-1) - 1) < 1e-3):
            raise ValueError(
                "embedding returned vectors that aren't of unit length, or NaN; divide them by "
                "their norm"
            )
        return V
