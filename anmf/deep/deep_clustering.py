"""Deep clustering: sources of one microphone, by a network that tells their bins apart."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.checks import check_choice, check_real
from anmf._core.types import PathLike, RandomState
from anmf.deep.clustering_loss import CLUSTERING_LOSSES
from anmf.deep.clustering_network import EmbeddingNetwork, clustering_term, label_bins
from anmf.deep.separator import MaskSeparator
from anmf.deep.soft_masks import SHARES, embedding_masks


class DeepClustering(MaskSeparator):
    """Separate the talkers of one microphone by deep clustering.

    A network gives every bin of a spectrogram a direction, v_i, so that bins of one source agree
    and those of others don't: Σ_ij w_i w_j (v_iᵀ v_j − y_iᵀ y_j)² is least, with y_i the indicator
    of the loudest source and w_i the weight of a bin. Spherical K-means of the directions then
    gives masks for any number of sources, and of talkers never heard before.

    Parameters
    ----------
    n_sources : int, default 2
        To separate into; may be changed at any time.
    sample_rate : int, default 8000
        Of all waveforms, in Hz.
    n_fft : int, default 256
        Samples of a frame of the spectra.
    hop_length : int or None, default 64
        Samples between frames; None for a quarter of `n_fft`.
    embedding_size : int, default 16
        Components of a direction.
    width : int, default 128
        Channels of the network between its blocks.
    hidden : int, default 192
        Channels inside the blocks.
    dilations : sequence of int, default (1, 2, 4, 8, 16, 32, 64, 1)
        One a block, in frames.
    loss : {'affinity', 'whitened'}, default 'affinity'
        A name of `anmf.deep.clustering_loss.CLUSTERING_LOSSES`.
    mask : {'soft', 'hard'}, default 'soft'
        A name of `anmf.deep.soft_masks.SHARES`.
    sharpness : float, default 4.0
        Of soft masks.
    batch_size : int, default 8
        Excerpts in a step.
    duration : float, default 2.0
        Of an excerpt, in s.
    max_iter : int, default 3000
        Steps.
    learning_rate : float, default 0.002
        Largest; it rises in 150 steps, or a tenth of all, and falls to 2 % along a cosine.
    remix : bool, default False
        Whether excerpts combine sources of different mixtures, so that none is heard twice; for
        mixtures that are the sums of sources which have nothing to do with each other.
    validation_fraction : float, default 0.05
        Share of the mixtures, from 1 to 64 of them, held out to choose the best weights.
    checkpoint : str, path or None, default None
        File (.npz) that training writes its state to, every 100 steps.
    warm_start : bool, default False
        Whether ``fit`` goes on: from `checkpoint`, if there is such a file, else from `weights_`.
    embedding : callable or None, default None
        Takes the place of the network: maps magnitudes (n_frames, n_bins) to directions (n_frames,
        n_bins, n_components) at unit length. Nothing is learned then.
    random_state : int, Generator, RandomState or None, default None
        Of training, and of the starts of K-means.
    verbose : int, default 0
        A progress bar when positive.

    Attributes
    ----------
    weights_ : dict of ndarray
        Of the network, float32.
    loss_ : ndarray of shape (n_iter_,)
        Of each step.
    held_out_loss_ : ndarray of shape (n_checks,)
        Of the held-out mixtures, every 100 steps and at the end.
    n_iter_ : int
        Steps made.

    Notes
    -----
    Mixtures to train on may differ in their numbers of sources. Those held out may share talkers
    with the others; if that matters, keep some talkers for ``score``. `anmf.deep.mixtures` draws
    mixtures from recordings of single talkers.

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

    _kind = "deep clustering"
    _saved = (
        "n_sources", "sample_rate", "n_fft", "hop_length", "embedding_size", "width", "hidden",
        "dilations", "loss", "mask", "sharpness",
    )  # fmt: skip
    _other_number = "set_params(n_sources=…)"

    def __init__(
        self,
        n_sources: int = 2,
        *,
        sample_rate: int = 8000,
        n_fft: int = 256,
        hop_length: int | None = 64,
        embedding_size: int = 16,
        width: int = 128,
        hidden: int = 192,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 1),
        loss: str = "affinity",
        mask: str = "soft",
        sharpness: float = 4.0,
        batch_size: int = 8,
        duration: float = 2.0,
        max_iter: int = 3000,
        learning_rate: float = 2e-3,
        remix: bool = False,
        validation_fraction: float = 0.05,
        checkpoint: PathLike | None = None,
        warm_start: bool = False,
        embedding: Callable[[np.ndarray], ArrayLike] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
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
        self.remix = remix
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.embedding = embedding
        self.random_state = random_state
        self.verbose = verbose

    def transform(self, x: ArrayLike) -> np.ndarray:
        """Embeddings of the bins of a waveform.

        Parameters
        ----------
        x : array-like of shape (n_times,)
            Mono waveform at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_frames, n_bins, embedding_size)
            At unit length.

        Raises
        ------
        ValueError
            For anything but a mono waveform, NaN, and an `embedding` that returns something else.
        """
        self._check_ready()
        return self._embed(np.abs(self._spectra(x)[1]))

    def __sklearn_is_fitted__(self):
        return self.embedding is not None or hasattr(self, "weights_")

    def _network(self):
        return EmbeddingNetwork(
            self.n_fft // 2 + 1, self.embedding_size, self.width, self.hidden, tuple(self.dilations)
        )

    def _terms(self, network):
        return (clustering_term(network.head, self.loss),)

    def _label(self):
        return label_bins

    def _train(self, mixtures, sources):
        if self.embedding is None:
            super()._train(mixtures, sources)

    def _masks(self, magnitude):
        return embedding_masks(
            self._embed(magnitude), magnitude, self.n_sources, xp=np, kind=self.mask,
            sharpness=self.sharpness, random_state=self.random_state,
        )  # fmt: skip

    def _check_parameters(self):
        super()._check_parameters()
        check_choice("loss", self.loss, CLUSTERING_LOSSES)
        check_choice("mask", self.mask, SHARES)
        check_real("sharpness", self.sharpness)
        if self.embedding is not None and not callable(self.embedding):
            raise ValueError(f"embedding={self.embedding!r} must be a callable or None")

    def _embed(self, magnitude):
        if self.embedding is None:
            self._check_weights()
            return self._network().run(self.weights_, magnitude)
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
