"""What estimators that separate one microphone by a trained network of masks have in common."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import random_generator
from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.types import PathLike
from anmf.audio.stft import check_frames
from anmf.audio.waveforms import check_waveform
from anmf.deep.excerpts import Excerpts, check_recordings
from anmf.deep.optimise import warm_up_cosine
from anmf.deep.recipe import Recipe
from anmf.deep.spectra import sqrt_hann, to_spectra, to_waveforms
from anmf.deep.state import start_of_training
from anmf.deep.training import train
from anmf.deep.trunk import held_out_loss, loss_and_gradient
from anmf.deep.weights import load_about, load_weights, save_weights
from anmf.metrics import METRICS, permutation_invariant
from anmf.metrics.snr import mean_defined

_MOST_HELD_OUT = 64


class MaskSeparator(BaseEstimator):
    """Training, separation and files of `DeepClustering` and `PITSeparator`.

    A subclass has the parameters that are checked here, in its ``__init__``, and says what network
    it trains (`_network`), for what (`_terms`, `_label`), and how it makes masks (`_masks`).

    Attributes
    ----------
    _kind : str
        Of its files.
    _saved : tuple of str
        Parameters that files hold.
    _other_number : str
        What to do for another number of sources.
    """

    def fit(self, mixtures: Sequence[ArrayLike] | None, sources: Sequence[ArrayLike]) -> Self:
        """Train on mixtures.

        Parameters
        ----------
        mixtures : list of array-like of shape (n_times,), or None
            Mono, at `sample_rate`; None for the sums of the sources. Lengths may differ.
        sources : list of array-like of shape (n_times, n_sources)
            Of each mixture, two at least.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, fewer than two mixtures, mixtures and sources of different lengths
            or counts, silence, NaN, `remix` of given mixtures, and a checkpoint of another network.

        Warns
        -----
        ConvergenceWarning
            If the loss isn't finite several times in a row; the best weights so far are kept.
        """
        self._check_parameters()
        if self.remix and mixtures is not None:
            raise ValueError(
                "remix makes mixtures of its own; pass None for mixtures, or set remix=False"
            )
        self._train(*check_recordings(mixtures, sources))
        return self

    def separate(self, x: ArrayLike) -> np.ndarray:
        """The sources of a waveform, in no particular order.

        Parameters
        ----------
        x : array-like of shape (n_times,)
            Mono waveform at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_times, n_sources)
            Sums to `x`. All zero for silence.

        Raises
        ------
        ValueError
            As in `transform`.
        """
        self._check_ready()
        x, X = self._spectra(x)
        masks = self._masks(np.abs(X)).astype(x.dtype)
        masks /= masks.sum(axis=1, keepdims=True)
        parts = np.moveaxis(masks * X[:, None, :], 1, 0)
        return np.ascontiguousarray(to_waveforms(parts, len(x), self.n_fft, self._hop()).T)

    def score(self, x: ArrayLike, y: ArrayLike, metric: str = "si_sdr") -> float:
        """Mean quality of the separated sources in dB, in the order that fits best.

        Parameters
        ----------
        x : array-like of shape (n_times,)
            Mono waveform at `sample_rate`.
        y : array-like of shape (n_times, n_sources)
            The true sources.
        metric : str, default 'si_sdr'
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
        sources, x = check_waveform(y, "y"), self._check_mono(x)
        if sources.shape != (len(x), self.n_sources):
            raise ValueError(
                f"y has shape {sources.shape}; expected true sources (n_times, n_sources): "
                f"({len(x)}, {self.n_sources}); for another number of them, {self._other_number}"
            )
        with warnings.catch_warnings():  # of sources that are silent: they don't count
            warnings.simplefilter("ignore", RuntimeWarning)
            values, _ = permutation_invariant(METRICS[metric])(sources, self.separate(x))
        return mean_defined(values)

    def save(self, path: PathLike) -> None:
        """Write the fitted model to a file (.npz), readable without this package.

        Weights are stored in half precision.

        Parameters
        ----------
        path : str or path
            Ends in .npz. A file of that name is replaced.
        """
        check_is_fitted(self, "weights_")
        self._check_parameters()
        self._check_weights()
        weights = {name: self.weights_[name] for name in self._network().shapes}
        about = {name: np.asarray(getattr(self, name)).tolist() for name in self._saved}  # for JSON
        save_weights(path, weights, dtype="float16", about={**about, "model": self._kind})

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a model that ``save`` wrote.

        Parameters
        ----------
        path : str or path
            Of a model of the same class.

        Returns
        -------
        MaskSeparator
            A fitted one of the class that it is called on.

        Raises
        ------
        ValueError
            For a damaged file, or one of something else.
        """
        about = load_about(path)
        if not isinstance(about, dict) or about.pop("model", None) != cls._kind:
            raise ValueError(
                f"{str(path)!r} has no {cls._kind}; expected a file that {cls.__name__}.save wrote"
            )
        try:
            model = cls(**{**about, "dilations": tuple(about["dilations"])})
            model._check_parameters()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(path)!r} has bad settings: {error}; get it anew") from error
        model.weights_ = load_weights(path, model._network().shapes, dtype=np.float32)
        return model

    def _network(self):
        """What separates."""
        raise NotImplementedError

    def _network_to_train(self):
        """What is trained: `_network`, and maybe more heads."""
        return self._network()

    def _terms(self, network):
        """Terms of the loss."""
        raise NotImplementedError

    def _label(self):
        """What `Excerpts` are labelled with."""
        raise NotImplementedError

    def _masks(self, magnitude):
        """Masks (n_frames, n_sources, n_bins) of magnitudes (n_frames, n_bins)."""
        raise NotImplementedError

    def _train(self, mixtures, sources):
        rng, network = random_generator(self.random_state), self._network_to_train()
        training, held_out = self._split(mixtures, sources, rng)
        options = {"network": network, "terms": self._terms(network)}
        result = train(
            self._start_of_training(network, rng),
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
                self.n_fft, self._hop(), n_times, self.batch_size, seed, self._label(), remix,
            )
            for part, remix in ((order[:n_held], False), (order[n_held:], self.remix))
        )  # fmt: skip
        groups = np.split(np.arange(n_held), range(self.batch_size, n_held, self.batch_size))
        return kept, [held.batch(group, np.random.default_rng(0)) for group in groups]

    def _start_of_training(self, network, rng):
        if not self.warm_start:
            return start_of_training(network, rng)
        weights = self._known_weights(network, rng) if hasattr(self, "weights_") else None
        return start_of_training(network, rng, checkpoint=self.checkpoint, weights=weights)

    def _known_weights(self, network, rng):
        """What a warm start goes on from."""
        return self.weights_

    def _recipe(self):
        warm_up = max(1, min(150, self.max_iter // 10))
        return Recipe(
            n_steps=self.max_iter,
            rate=warm_up_cosine(self.learning_rate, self.max_iter, warm_up=warm_up, least=0.02),
            betas=(0.9, 0.98),
            weight_decay=0.01,
            average_decay=0.995,
        )

    def _check_ready(self):
        check_is_fitted(self)
        self._check_parameters()

    def _check_weights(self):
        self._network().check(self.weights_)

    def _check_parameters(self):
        for name in (
            "n_sources", "sample_rate", "embedding_size", "width", "hidden", "batch_size",
            "max_iter",
        ):  # fmt: skip
            check_count(name, getattr(self, name))
        check_frames(self.n_fft, self.hop_length, sqrt_hann(self.n_fft))
        check_real("duration", self.duration, minimum=self.n_fft / self.sample_rate)
        check_real("learning_rate", self.learning_rate, minimum=1e-12)
        check_real("validation_fraction", self.validation_fraction, maximum=0.9)
        if not isinstance(self.dilations, (tuple, list, np.ndarray)) or not len(self.dilations):
            raise ValueError(f"dilations={self.dilations!r} must be integers, as (1, 2, 4)")
        for dilation in self.dilations:
            check_count("dilations", dilation)

    def _hop(self):
        return check_frames(self.n_fft, self.hop_length, sqrt_hann(self.n_fft))[1]

    def _check_mono(self, x: ArrayLike) -> np.ndarray:
        samples: np.ndarray = check_waveform(x, "x")
        if samples.ndim != 1:
            raise ValueError(
                f"x has shape {samples.shape}; expected one channel (n_times,): take one of several"
            )
        return samples

    def _spectra(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        x = self._check_mono(x)
        return x, to_spectra(x, self.n_fft, self._hop())
