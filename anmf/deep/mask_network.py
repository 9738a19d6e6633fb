"""The network of permutation-invariant training, and what it is taught."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anmf.deep.clustering_network import clustering_term, embedding_head, label_bins
from anmf.deep.excerpts import Batch
from anmf.deep.network import Network, layer
from anmf.deep.pit_loss import TARGETS, pit_loss
from anmf.deep.spectra import log_features
from anmf.deep.trunk import Term, TrunkNetwork


@dataclass(frozen=True)
class MaskNetwork(TrunkNetwork):
    """Dilated, gated convolutions over frames, then a mask for each source.

    Parameters
    ----------
    n_bins, n_sources : int
        Frequencies, and masks.
    width, hidden : int
        Channels between the blocks, and inside them.
    dilations : tuple of int
        One a block, in frames.
    size : int, optional
        Components of the embeddings that a second head gives, for joint training; None for masks
        alone.
    """

    n_bins: int
    n_sources: int
    width: int
    hidden: int
    dilations: tuple
    size: int | None = None

    @cached_property
    def head(self):
        """From channels to masks (..., n_sources, n_bins) that sum to one."""
        n_out = self.n_sources * self.n_bins
        dense = layer("masks", "dense", n_in=self.width, n_out=n_out)
        return Network([dense, layer("softmax", "softmax", size=self.n_sources)])

    @cached_property
    def embedding_head(self):
        """From channels to embeddings (..., n_bins, size)."""
        return embedding_head(self.n_bins, self.size, self.width)

    @property
    def heads(self):
        """That of masks, and that of embeddings in joint training."""
        return (self.head,) if self.size is None else (self.head, self.embedding_head)

    @property
    def output_shape(self):
        """Of the masks of a frame."""
        return self.n_sources, self.n_bins


def mask_terms(network, clustering=1.0):
    """The loss of masks, and in joint training `clustering` times the affinity loss.

    Parameters
    ----------
    network : MaskNetwork
    clustering : float

    Returns
    -------
    tuple of Term
    """
    masks = Term(network.head, _every_frame, _mask_objective)
    if network.size is None:
        return (masks,)
    return masks, clustering_term(network.embedding_head, weight=clustering)


def _every_frame(batch):
    return slice(None)


def _mask_objective(masks, batch):
    return pit_loss(masks, batch.magnitude, batch.targets, xp=np)


def label_masks(X, S, rng, *, target):
    """What masks learn of mixtures: targets of the masked magnitudes.

    Parameters
    ----------
    X : complex ndarray (batch, n_frames, n_bins)
        Spectra of mixtures.
    S : complex ndarray (batch, n_frames, n_sources, n_bins)
        Of their sources.
    rng : numpy.random.Generator
        Unused here.
    target : str
        A name of `TARGETS`.

    Returns
    -------
    Batch
    """
    magnitude, targets = np.abs(X), TARGETS[target](X, S, xp=np)
    return Batch(log_features(magnitude, xp=np), magnitude=magnitude, targets=targets)


def label_masks_and_bins(X, S, rng, *, target):
    """What joint training learns of mixtures: `label_masks` and `label_bins` in one."""
    targets = TARGETS[target](X, S, xp=np)
    return label_bins(X, S, rng)._replace(magnitude=np.abs(X), targets=targets)
