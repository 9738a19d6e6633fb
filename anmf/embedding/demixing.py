"""Recordings taken apart: what comes out, and the models by name."""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import moved, namespace, to_host
from anmf._core.types import Array
from anmf.embedding.cone import cone, shares
from anmf.embedding.counting import count
from anmf.embedding.seeding import assigned, spherical_kmeans, successive_projection, unit

_LEAST_SHARE = 0.25
"""Of the activations of a window: what a speaker has who talks."""

_CLUSTERING = {"n_init": 5, "max_iter": 50}


@dataclass(frozen=True)
class Demixed:
    """A recording of n windows, taken apart.

    Parameters
    ----------
    speakers : array of shape (K, d)
        Embedding of each speaker.
    activations : array of shape (n, K)
        How much of each speaker is in each window.
    talking : ndarray of bool, shape (n, K)
        Who talks; at least one speaker in each window.
    labels : ndarray of int, shape (n,)
        The loudest speaker of each window.
    parts : array of shape (n, K, d)
        What is each speaker's in each window; their sum is the embedding of the window.

    Examples
    --------
    Two speakers, of whom the second talks alone in the last of three windows:

    >>> import numpy as np
    >>> from anmf.embedding import Demixed
    >>> speakers, activations = np.eye(2), np.array([[1.0, 0.0], [0.6, 0.7], [0.0, 1.0]])
    >>> found = Demixed(speakers, activations, activations > 0, activations.argmax(axis=1),
    ...                 activations[:, :, None] * speakers)
    >>> found.labels.tolist(), found.parts.sum(axis=1).tolist()
    ([0, 1, 1], [[1.0, 0.0], [0.6, 0.7], [0.0, 1.0]])
    """

    speakers: Array
    activations: Array
    talking: np.ndarray
    labels: np.ndarray
    parts: Array


def split(X, contributions, share):
    """Parts (n, K, d) that sum to X: what a model explains, and of the rest, shares (n, K)."""
    rest = X - namespace(X).sum(contributions, axis=1)
    return contributions + share[:, :, None] * rest[:, None, :]


def loudest(weights, n_talkers):
    """The loudest speakers of each window, as many as talk in it.

    Parameters
    ----------
    weights : array (n, K)
    n_talkers : ndarray (n,)

    Returns
    -------
    talking : ndarray of bool (n, K)
    labels : ndarray of int (n,)
        The very loudest.
    """
    order = np.argsort(-to_host(weights), axis=1, kind="stable")
    return np.argsort(order, axis=1) < n_talkers[:, None], order[:, 0]


@dataclass(frozen=True)
class Cone:
    """Speakers as edges of a cone, in the leading singular directions of a recording.

    Attributes
    ----------
    mean : array (d,)
        Of many speakers: seen from the recording's own mean, speakers would lose a dimension.
    whitening : array (k, d)
    dewhitening : array (d, k)
        Its pseudo-inverse.
    threshold : float or None
        Cosine of centred embeddings at which two windows are as likely of one speaker as of two.
    """

    mean: object
    whitening: object
    dewhitening: object
    threshold: float | None = None

    def demix(self, X, n_speakers, max_speakers, rng):
        """Take a recording apart.

        Parameters
        ----------
        X : array (n, d)
            Embeddings of its windows, in double precision.
        n_speakers : int, str or None
            A number, or a rule of `COUNTING_RULES`. None for 'agglomerative' where there is a
            threshold, else 'gavish-donoho'.
        max_speakers : int
            Most to be counted.
        rng : Generator

        Returns
        -------
        Demixed
            Activations are relative to a window in which the speaker talks alone: in the space,
            X ≈ mean + activations (speakers − mean).
        """
        xp = namespace(X)
        centred = X - moved(self.mean, X)
        Z = centred @ moved(self.whitening, X).T
        if n_speakers is None or isinstance(n_speakers, str):
            host = to_host(centred), to_host(Z)
            n_speakers = count(n_speakers, *host, self.threshold, max_speakers)
        axes = xp.linalg.svd(Z, full_matrices=False)[2][:n_speakers, :]
        Y = Z @ axes.T
        edges, A = _best_cone(Y, n_speakers, rng)
        directions = (edges @ axes) @ moved(self.dewhitening, X).T
        level, share = _levels(A, xp), shares(A, xp=xp)
        nobody = xp.sum(share, axis=1, keepdims=True) == 0
        share = xp.where(nobody, assigned(Y @ edges.T, xp=xp), share)
        n_talkers = np.maximum(1, (to_host(share) > _LEAST_SHARE).sum(axis=1))
        parts = split(X, A[:, :, None] * directions, share)
        speakers = moved(self.mean, X) + level[:, None] * directions
        return Demixed(speakers, A / level, *loudest(share, n_talkers), parts)


def _best_cone(Y, n_speakers, rng):
    """The cone of least residual, of those from clusters and from successive projection."""
    xp = namespace(Y)
    clusters = spherical_kmeans(unit(Y, xp=xp), n_speakers, rng, **_CLUSTERING)
    starts = clusters, successive_projection(Y, n_speakers)
    found = [cone(Y, start) for start in starts]
    return min(found, key=lambda cone: float(xp.sum((Y - cone[1] @ cone[0]) ** 2)))


def _levels(A, xp):
    """Mean activation (K,) where a speaker dominates; of all where it never does."""
    leads = xp.astype(A > 0, A.dtype) * assigned(A, xp=xp)
    level = xp.sum(leads * A, axis=0) / xp.clip(xp.sum(leads, axis=0), 1.0, None)
    usual = xp.mean(xp.max(A, axis=1))
    level = xp.where(level > 0, level, usual)
    return xp.where(level > 0, level, xp.ones_like(level))
