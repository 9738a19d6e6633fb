"""Permutation-invariant training: sources of one microphone, by a network of masks."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.types import PathLike, RandomState
from anmf.deep.mask_network import MaskNetwork, label_masks, label_masks_and_bins, mask_terms
from anmf.deep.pit_loss import TARGETS
from anmf.deep.separator import MaskSeparator


class PITSeparator(MaskSeparator):
    """Separate the talkers of one microphone by a network of masks.

    The network maps a spectrogram X to masks M_k of all sources, with Σ_k M_k = 1 in every bin.
    Which source is the first is nobody's choice, so the loss is that of the best order π over the
    whole utterance, min_π Σ_k Σ |M_k |X| − T_π(k)| / Σ |X|, with T the targets. In joint training
    a second head of the same network learns deep clustering, and the losses are added.

    Parameters
    ----------
    n_sources : int, default 2
        To separate into, two at least: as many as in each mixture to train on.
    sample_rate : int, default 8000
        Of all waveforms, in Hz.
    n_fft : int, default 256
        Samples of a frame of the spectra.
    hop_length : int or None, default 64
        Samples between frames; None for a quarter of `n_fft`.
    width : int, default 128
        Channels of the network between its blocks.
    hidden : int, default 192
        Channels inside the blocks.
    dilations : sequence of int, default (1, 2, 4, 8, 16, 32, 64, 1)
        One a block, in frames.
    target : {'phase-sensitive', 'magnitude'}, default 'phase-sensitive'
        Of masked mixtures, a name of `anmf.deep.pit_loss.TARGETS`.
    clustering : float, default 1.0
        Weight of the affinity loss of deep clustering in joint training; 0 for masks alone.
    embedding_size : int, default 16
        Components of a direction in joint training.
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
    random_state : int, Generator, RandomState or None, default None
        Of training.
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

    See Also
    --------
    DeepClustering : For any number of sources.

    Notes
    -----
    Held-out mixtures may share talkers with the others; if that matters, keep some talkers for
    ``score``. `anmf.deep.mixtures` draws mixtures from recordings of single talkers. Files that
    ``save`` writes hold what separates; a warm start from them begins a new head for joint
    training.

    References
    ----------
    Kolbæk, Yu, Tan and Jensen, "Multitalker speech separation with utterance-level permutation
    invariant training of deep recurrent neural networks", IEEE/ACM Transactions on Audio, Speech,
    and Language Processing 25(10), 2017.

    Luo, Chen, Hershey, Le Roux and Mesgarani, "Deep clustering and conventional networks for music
    separation: stronger together", ICASSP 2017.

    Examples
    --------
    >>> from anmf.datasets import make_voices
    >>> from anmf.deep import PITSeparator
    >>> sources = [make_voices(2, 1.0, sample_rate=8000, random_state=i).waveforms
    ...            for i in range(4)]
    >>> model = PITSeparator(embedding_size=4, width=8, hidden=8, dilations=(1, 2), duration=0.5,
    ...                      max_iter=5, random_state=0)
    >>> _ = model.fit(None, sources)
    >>> mixture = sources[0].sum(axis=1)
    >>> model.separate(mixture).shape, model.transform(mixture).shape
    ((8000, 2), (126, 2, 129))
    """

    _kind = "mask network"
    _saved = (
        "n_sources", "sample_rate", "n_fft", "hop_length", "width", "hidden", "dilations",
        "target", "clustering", "embedding_size",
    )  # fmt: skip
    _other_number = "fit again with that n_sources"

    def __init__(
        self,
        n_sources: int = 2,
        *,
        sample_rate: int = 8000,
        n_fft: int = 256,
        hop_length: int | None = 64,
        width: int = 128,
        hidden: int = 192,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 1),
        target: str = "phase-sensitive",
        clustering: float = 1.0,
        embedding_size: int = 16,
        batch_size: int = 8,
        duration: float = 2.0,
        max_iter: int = 3000,
        learning_rate: float = 2e-3,
        remix: bool = False,
        validation_fraction: float = 0.05,
        checkpoint: PathLike | None = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.n_sources = n_sources
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.width = width
        self.hidden = hidden
        self.dilations = dilations
        self.target = target
        self.clustering = clustering
        self.embedding_size = embedding_size
        self.batch_size = batch_size
        self.duration = duration
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.remix = remix
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def transform(self, x: ArrayLike) -> np.ndarray:
        """Masks of the sources of a waveform.

        Parameters
        ----------
        x : array-like of shape (n_times,)
            Mono waveform at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_frames, n_sources, n_bins)
            Positive, with sum 1 over sources.

        Raises
        ------
        ValueError
            For anything but a mono waveform, NaN, and another number of sources than was fitted.
        """
        self._check_ready()
        return self._masks(np.abs(self._spectra(x)[1]))

    def _network(self):
        return self._masks_and(None)

    def _network_to_train(self):
        return self._masks_and(self.embedding_size if self.clustering else None)

    def _masks_and(self, size):
        return MaskNetwork(
            self.n_fft // 2 + 1, self.n_sources, self.width, self.hidden, tuple(self.dilations),
            size,
        )  # fmt: skip

    def _terms(self, network):
        return mask_terms(network, self.clustering)

    def _label(self):
        label = label_masks_and_bins if self.clustering else label_masks
        return partial(label, target=self.target)

    def _masks(self, magnitude):
        return self._network().run(self.weights_, magnitude)

    def _train(self, mixtures, sources):
        for i, s in enumerate(sources):
            if s.shape[1] != self.n_sources:
                raise ValueError(
                    f"sources[{i}] has shape {s.shape}; expected n_sources={self.n_sources} "
                    "columns in every mixture: leave it out, or change n_sources"
                )
        super()._train(mixtures, sources)

    def _known_weights(self, network, rng):
        """Weights so far. Heads that these lack, as those of files do, begin anew."""
        self._check_weights()
        known = {**network.start(rng), **self.weights_}
        return {name: known[name] for name in network.shapes}

    def _check_ready(self):
        super()._check_ready()
        self._check_weights()

    def _check_weights(self):
        network = self._network()
        network.body.check(self.weights_)
        n_fitted = len(self.weights_["masks.b"]) // network.n_bins
        if n_fitted != self.n_sources:
            raise ValueError(
                f"n_sources={self.n_sources} must be {n_fitted}, for which the masks were trained; "
                "for another number, fit again without warm_start"
            )
        super()._check_weights()

    def _check_parameters(self):
        super()._check_parameters()
        check_count("n_sources", self.n_sources, minimum=2)
        check_choice("target", self.target, TARGETS)
        check_real("clustering", self.clustering)
