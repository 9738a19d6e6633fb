"""The surrogate source model: weights that a network has learned to give."""

from collections.abc import Sequence
from copy import copy
from functools import partial
from types import ModuleType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import like, namespace, random_generator
from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.threads import limited_threads
from anmf._core.types import Array, PathLike, RandomState
from anmf.audio.stft import check_frames
from anmf.deep import (
    Recipe,
    load_about,
    load_weights,
    save_weights,
    start_of_training,
    train,
    warm_up_cosine,
)
from anmf.iva.band_network import N_BANDS, WIDTH, Bands, weigh
from anmf.iva.surrogate_checks import check_recordings
from anmf.iva.surrogate_training import LOSSES, Batches, held_out_loss, loss_and_gradient

_HELD_OUT_ITER, _BATCH_HELD_OUT = 20, 4


class SurrogateSourceModel(BaseEstimator):
    """Source model of AuxIVA that is learned from mixtures with known sources.

    A small network gives the weights of each source from the powers of all. ``fit`` trains it by
    the quality of what AuxIVA separates with it, back-propagated through its iterations. Fitted, it
    is a source model: ``AuxIVA(source_model=model)``, for any number of sources and any update.

    Parameters
    ----------
    sample_rate : int, default 16000
        Of all recordings, in Hz.
    n_fft : int, default 4096
        Samples of a frame of the spectra; AuxIVA must use the same.
    hop_length : int or None, default None
        Samples between frames; None for a quarter of `n_fft`.
    n_bands : int, default 40
        Bands in which the network sees and weighs spectra.
    width : int, default 96
        Channels of the network.
    loss : {'sdr', 'coherence'}, default 'sdr'
        What is trained for: the SI-SDR of the sources in the best order, or their coherence with
        the references, which is blind to filtering: for references that are dry. Where they are
        what the first microphone hears, 'sdr' did better (``python -m benchmarks learned``).
    n_iter : (int, int), default (8, 16)
        Fewest and most iterations that are trained through; the number is drawn for each step.
    lead : int, default 20
        Most iterations before those, without gradient; half of the steps have none. Without them
        separation gets worse again where AuxIVA makes many more iterations than were trained.
    narrow : float, default 0.0
        Share of the steps in which only the lower half of the spectra is heard, which makes the
        model fit for half the sample rate too (see `adapted`).
    batch_size : int, default 4
        Excerpts in a step.
    duration : float, default 4.0
        Of an excerpt, in s.
    max_iter : int, default 1000
        Steps.
    learning_rate : float, default 0.0007
        Largest; it rises in 20 steps and falls to a twentieth along a cosine.
    validation_fraction : float, default 0.05
        Share of the recordings, one at least, held out to choose the best weights.
    checkpoint : str, path or None, default None
        File (.npz) that training writes its state to, every 100 steps.
    warm_start : bool, default False
        Whether ``fit`` goes on: from `checkpoint`, if there is such a file, else from `weights_`.
    random_state : int, Generator, RandomState or None, default None
        Of first weights, and of the excerpts drawn.
    verbose : int, default 0
        A progress bar when positive.

    Attributes
    ----------
    weights_ : dict of ndarray
        Of the network, float32.
    loss_ : ndarray of shape (n_iter_,)
        Of each step.
    held_out_loss_ : ndarray of shape (n_checks,)
        Of the held-out recordings after 20 iterations, every 100 steps and at the end.
    n_iter_ : int
        Steps made.

    References
    ----------
    Scheibler and Togami, "Surrogate source model learning for determined source separation", ICASSP
    2021 (arXiv:2011.05540).

    Examples
    --------
    >>> from anmf import AuxIVA
    >>> from anmf.datasets import make_voices, simulate_room
    >>> from anmf.iva import SurrogateSourceModel
    >>> rooms = [simulate_room(make_voices(2, 1.0, random_state=i).waveforms, random_state=i)
    ...          for i in range(3)]
    >>> model = SurrogateSourceModel(n_fft=512, max_iter=2, duration=0.5, random_state=0)
    >>> _ = model.fit([r.mixture for r in rooms], [r.images[:, :, 0] for r in rooms])
    >>> AuxIVA(source_model=model, n_fft=512).fit_transform(rooms[0].mixture).shape
    (16000, 2)
    """

    n_bins = 1
    majorizes = False

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        n_fft: int = 4096,
        hop_length: int | None = None,
        n_bands: int = N_BANDS,
        width: int = WIDTH,
        loss: str = "sdr",
        n_iter: tuple[int, int] = (8, 16),
        lead: int = 20,
        narrow: float = 0.0,
        batch_size: int = 4,
        duration: float = 4.0,
        max_iter: int = 1000,
        learning_rate: float = 7e-4,
        validation_fraction: float = 0.05,
        checkpoint: PathLike | None = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_bands = n_bands
        self.width = width
        self.loss = loss
        self.n_iter = n_iter
        self.lead = lead
        self.narrow = narrow
        self.batch_size = batch_size
        self.duration = duration
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, mixtures: Sequence[ArrayLike], sources: Sequence[ArrayLike]) -> Self:
        """Train on recordings.

        Parameters
        ----------
        mixtures : list of array-like of shape (n_times, n_channels)
            Their numbers of channels and times may differ.
        sources : list of array-like of shape (n_times, n_sources)
            Of each mixture, as many as channels: as the first channel hears them, or dry.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, fewer than two recordings, mixtures and sources of different
            lengths or counts, silence, NaN, and a checkpoint of another network.

        Warns
        -----
        ConvergenceWarning
            If the loss isn't finite several times in a row; the best weights so far are kept.
        """
        self._check_parameters()
        mixtures, sources = check_recordings(mixtures, sources)
        rng = random_generator(self.random_state)
        training, held_out = self._split(mixtures, sources, rng)
        options = {"bands": self._bands(), "loss": self.loss}
        start = self._start_of_training(rng)
        with limited_threads(1):
            result = train(
                start,
                partial(loss_and_gradient, **options),
                training,
                Recipe(
                    n_steps=self.max_iter,
                    rate=warm_up_cosine(self.learning_rate, self.max_iter, warm_up=20, least=0.05),
                    average_decay=0.98,
                ),
                held_out=partial(held_out_loss, batches=held_out, n_iter=_HELD_OUT_ITER, **options),
                checkpoint=self.checkpoint,
                verbose=self.verbose,
            )
        self.weights_ = result.weights
        self.loss_, self.held_out_loss_ = result.state.losses, result.state.held_out
        self.n_iter_ = len(self.loss_)
        return self

    def start(
        self, shape: tuple[int, ...], sizes: np.ndarray, rng: np.random.Generator, example: Array
    ) -> tuple[dict[str, Array], Bands]:
        """The network, for arrays like `example`.

        Parameters
        ----------
        shape : tuple
            Of the powers, (n_frequencies, n_sources, n_frames).
        sizes : ndarray of shape (n_frequencies,)
            Not used.
        rng : Generator
            Not used.
        example : array of shape (n_frequencies, n_sources, n_frames)
            Of the library and device that the weights of the network shall have.

        Returns
        -------
        weights : dict of array
            Of the network, float32.
        bands : Bands
            Those of the frequencies that are heard.

        Raises
        ------
        ValueError
            If the spectra aren't those that it was trained for.
        """
        check_is_fitted(self)
        bands, heard = self._bands(), getattr(self, "_heard", np.ones(shape[0], bool))
        if len(heard) != bands.n_frequencies:
            raise ValueError(
                f"source_model was trained for n_fft={self.n_fft} ({bands.n_frequencies} "
                f"frequencies) at {self.sample_rate} Hz; the spectra have {len(heard)}: set "
                f"n_fft={self.n_fft}, or use source_model.adapted(sample_rate, "
                f"n_fft={2 * (len(heard) - 1)}); 'surrogate' is anmf.iva.load_surrogate()"
            )
        dtype = namespace(example).float32
        weights = {name: like(w, example, dtype=dtype) for name, w in self.weights_.items()}
        return weights, bands if np.all(heard) else bands.among(heard)

    def update(
        self, power: Array, state: tuple[dict[str, Array], Bands], *, xp: ModuleType
    ) -> tuple[Array, int, tuple[dict[str, Array], Bands]]:
        """Weights of the covariances, their loss, and the state.

        Parameters
        ----------
        power : array of shape (n_frequencies, n_sources, n_frames)
            Of the estimates.
        state : (dict of array, Bands)
            Of `start`; arrays of any shapes.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        weights : array of shape (n_frequencies, n_sources, n_frames)
            What the network gives.
        loss : int
            Always the number of sources, since weighted powers have mean one.
        state : (dict of array, Bands)
            As it came; arrays of any shapes.
        """
        return weigh(power, *state, xp=xp), power.shape[1], state

    def among(self, heard: np.ndarray) -> Self:
        """The same model where there are only some of the frequencies.

        Parameters
        ----------
        heard : ndarray of bool, shape (n_frequencies,)
            Which they are.

        Returns
        -------
        SurrogateSourceModel
        """
        other = copy(self)
        other._heard = heard
        return other

    def adapted(self, sample_rate: int, n_fft: int) -> Self:
        """The same network for recordings of another sample rate, or spectra of another n_fft.

        Its bands stay at their frequencies; what is above them gets the weights of the last. Half
        the sample rate wants training for it (`narrow`).

        Parameters
        ----------
        sample_rate : int
            Of the recordings, in Hz.
        n_fft : int
            Of their spectra, in samples.

        Returns
        -------
        SurrogateSourceModel
            A fitted one, with the same weights.
        """
        check_is_fitted(self)
        options = {**self.get_params(), "sample_rate": sample_rate, "n_fft": n_fft}
        other = type(self)(**{**options, "hop_length": None})
        other.weights_, other._top = self.weights_, self._highest()
        return other

    def save(self, path: PathLike) -> None:
        """Write the fitted model to a file (.npz), readable without this package.

        Parameters
        ----------
        path : str or path
            Ends in .npz. A file of that name is replaced.
        """
        check_is_fitted(self)
        names = ("sample_rate", "n_fft", "hop_length", "n_bands", "width", "loss")
        about = {name: getattr(self, name) for name in names} | {"top": self._highest()}
        save_weights(path, self.weights_, dtype="float16", about=about)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a model that ``save`` wrote.

        Parameters
        ----------
        path : str or path
            A file of `save`.

        Returns
        -------
        SurrogateSourceModel
            A fitted one.

        Raises
        ------
        ValueError
            For a damaged file, or one of something else.
        """
        about = load_about(path) or {}
        try:
            top = about.pop("top")
            model = cls(**about)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{str(path)!r} has no surrogate source model; expected a file of its save method"
            ) from error
        model._top = top
        model.weights_ = load_weights(path, model._bands().network.shapes, dtype=np.float32)
        return model

    def _bands(self):
        return Bands(
            self.n_fft // 2 + 1, self.sample_rate, self.n_bands, self.width, self._highest()
        )

    def _highest(self):
        return getattr(self, "_top", self.sample_rate / 2)

    def _check_parameters(self):
        for name, least in (
            ("sample_rate", 1), ("n_bands", 2), ("width", 1), ("batch_size", 1), ("max_iter", 1),
            ("lead", 0),
        ):  # fmt: skip
            check_count(name, getattr(self, name), minimum=least)
        check_frames(self.n_fft, self.hop_length, "hann")
        check_choice("loss", self.loss, LOSSES)
        check_real("duration", self.duration, minimum=self.n_fft / self.sample_rate)
        check_real("learning_rate", self.learning_rate)
        check_real("narrow", self.narrow, maximum=1.0)
        check_real("validation_fraction", self.validation_fraction, maximum=0.9)
        if len(self.n_iter) != 2 or not 1 <= self.n_iter[0] <= self.n_iter[1]:
            raise ValueError(f"n_iter={self.n_iter!r} must be two numbers, the fewest and the most")

    def _split(self, mixtures, sources, rng):
        """Batches to train on, and what is held out as a list of spectra."""
        order = rng.permutation(len(mixtures))
        n_held = max(1, round(self.validation_fraction * len(mixtures)))
        options = {
            "frames": check_frames(self.n_fft, self.hop_length, "hann"),
            "n_times": round(self.duration * self.sample_rate),
            "size": self.batch_size,
            "n_iter": tuple(self.n_iter),
            "seed": int(rng.integers(2**31)),
            "narrow": self.narrow,
            "lead": self.lead,
        }
        held, kept = (
            Batches([mixtures[i] for i in part], [sources[i] for i in part], **options)
            for part in (order[:n_held], order[n_held:])
        )
        chosen = [
            group[i : i + _BATCH_HELD_OUT]
            for group in held.groups
            for i in range(0, len(group), _BATCH_HELD_OUT)
        ]
        return kept, [held.spectra(part, np.random.default_rng(0)) for part in chosen]

    def _start_of_training(self, rng):
        known = {"checkpoint": self.checkpoint, "weights": getattr(self, "weights_", None)}
        return start_of_training(self._bands().network, rng, **(known if self.warm_start else {}))
