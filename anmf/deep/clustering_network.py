"""The network of deep clustering, and what it is taught."""

from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter

import numpy as np

from anmf.deep.clustering_loss import CLUSTERING_LOSSES, bin_weights
from anmf.deep.excerpts import Batch
from anmf.deep.network import Network, layer
from anmf.deep.spectra import dominance, log_features
from anmf.deep.trunk import Term, TrunkNetwork

_EVERY = 3
"""Embeddings of every third frame are enough to train on, and the head costs much of a step."""


@dataclass(frozen=True)
class EmbeddingNetwork(TrunkNetwork):
    """Dilated, gated convolutions over frames, then a direction for each bin.

    Parameters
    ----------
    n_bins, size : int
        Frequencies, and components of an embedding.
    width, hidden : int
        Channels between the blocks, and inside them.
    dilations : tuple of int
        One a block, in frames.
    """

    n_bins: int
    size: int
    width: int
    hidden: int
    dilations: tuple

    @cached_property
    def head(self):
        """From channels to embeddings (..., n_bins, size)."""
        return embedding_head(self.n_bins, self.size, self.width)

    @property
    def output_shape(self):
        """Of the embeddings of a frame."""
        return self.n_bins, self.size


def embedding_head(n_bins, size, width):
    """Network from `width` channels to a direction for each bin, (..., n_bins, size)."""
    dense = layer("embedding", "dense", n_in=width, n_out=n_bins * size)
    return Network([dense, layer("unit", "unit", size=size)])


def clustering_term(head, loss="affinity", weight=1.0):
    """The loss of embeddings.

    Parameters
    ----------
    head : Network
        Of `embedding_head`.
    loss : str
        A name of `CLUSTERING_LOSSES`.
    weight : float

    Returns
    -------
    Term
    """
    objective = partial(_clustering_objective, loss=loss)
    return Term(head, attrgetter("frames"), objective, float(weight))


def _clustering_objective(V, batch, loss):
    return CLUSTERING_LOSSES[loss](V, batch.Y, batch.weight, xp=np)


def label_bins(X, S, rng):
    """What deep clustering learns of mixtures: the loudest source of each bin.

    Parameters
    ----------
    X : complex ndarray (batch, n_frames, n_bins)
        Spectra of mixtures.
    S : complex ndarray (batch, n_frames, n_sources, n_bins)
        Of their sources.
    rng : numpy.random.Generator
        Draws the frames that count.

    Returns
    -------
    Batch
    """
    magnitude = np.abs(X)
    frames = slice(int(rng.integers(min(_EVERY, X.shape[1]))), None, _EVERY)
    return Batch(
        log_features(magnitude, xp=np),
        frames,
        dominance(S[:, frames], xp=np),
        bin_weights(magnitude[:, frames], xp=np),
    )
