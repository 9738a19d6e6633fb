"""Recordings taken apart: what comes out, and the models by name."""

from dataclasses import dataclass

from anmf._core.arrays import moved, namespace, to_host
from anmf.embedding.cone import cone, shares
from anmf.embedding.counting import count
from anmf.embedding.seeding import assigned, spherical_kmeans, unit

_OVERLAP_SHARE = 0.25
_STARTS, _MAX_ITER = 10, 50


@dataclass(frozen=True)
class Demixed:
    """A recording of n windows, taken apart.

    Attributes
    ----------
    speakers : array (K, d)
        Embedding of each speaker.
    activations : array (n, K)
        How much of each speaker is in each window.
    overlap : array of bool (n,)
        Where two speakers or more talk.
    parts : array (n, K, d)
        What is each speaker's in each window; their sum is the embedding of the window.
    """

    speakers: object
    activations: object
    overlap: object
    parts: object


def split(X, contributions, share):
    """Parts (n, K, d) that sum to X: what a model explains, and of the rest, shares (n, K)."""
    rest = X - namespace(X).sum(contributions, axis=1)
    return contributions + share[:, :, None] * rest[:, None, :]


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
        kmeans = {"n_init": _STARTS, "max_iter": _MAX_ITER}
        edges, A = cone(Y, spherical_kmeans(unit(Y, xp=xp), n_speakers, rng, **kmeans))
        directions = (edges @ axes) @ moved(self.dewhitening, X).T
        level, share = _levels(A, xp), shares(A, xp=xp)
        overlap = xp.sum(xp.astype(share > _OVERLAP_SHARE, X.dtype), axis=1) > 1.5
        nobody = xp.sum(share, axis=1, keepdims=True) == 0
        share = xp.where(nobody, assigned(Y @ edges.T, xp=xp), share)
        parts = split(X, A[:, :, None] * directions, share)
        speakers = moved(self.mean, X) + level[:, None] * directions
        return Demixed(speakers, A / level, overlap, parts)


def _levels(A, xp):
    """Mean activation (K,) where a speaker dominates; of all where it never does."""
    leads = xp.astype(A > 0, A.dtype) * assigned(A, xp=xp)
    level = xp.sum(leads * A, axis=0) / xp.clip(xp.sum(leads, axis=0), 1, None)
    usual = xp.mean(xp.max(A, axis=1))
    level = xp.where(level > 0, level, usual)
    return xp.where(level > 0, level, xp.ones_like(level))
