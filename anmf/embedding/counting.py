"""How many speakers a recording has: rules by name."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from anmf.embedding.rank import RANK_RULES
from anmf.embedding.routes import EPS
from anmf.metrics.speakers import equal_error_rate

_MOST_ROWS = 1000
_SMALLEST = 2, 0.05
"""Windows of a speaker, in number and as a share of the recording."""


def calibrate(X, y, rng):
    """Cosine at which windows of one speaker and of two are confused equally often.

    Parameters
    ----------
    X : ndarray (n, d)
        Centred embeddings of windows of one speaker each. Of many, whole speakers are drawn.
    y : ndarray (n,)
        Their speakers.
    rng : Generator

    Returns
    -------
    float or None
        None unless there are two speakers, and two windows of one.
    """
    if len(X) > _MOST_ROWS:
        speakers, place, counts = np.unique(y, return_inverse=True, return_counts=True)
        order = rng.permutation(len(speakers))
        order = order[np.argsort(counts[order] < 2, kind="stable")]
        n_drawn = max(2, np.searchsorted(np.cumsum(counts[order]), _MOST_ROWS))
        drawn = np.flatnonzero(np.isin(place, order[:n_drawn]))
        drawn = rng.permutation(drawn)[: 2 * _MOST_ROWS]
        X, y = X[drawn], y[drawn]
    first, second = np.triu_indices(len(X), 1)
    same = y[first] == y[second]
    if not len(same) or same.all() or not same.any():
        return None
    return equal_error_rate(same, 1 - _distances(X))[1]


def agglomerative(X, Z, threshold, max_speakers):
    """Clusters that are no accident, by average linkage of cosines down to a threshold.

    Parameters
    ----------
    X : ndarray (n, d)
        Centred embeddings of the windows of a recording.
    Z : ndarray (n, p)
        Their whitened coordinates, which have no part in it.
    threshold : float
        Of ``calibrate``.
    max_speakers : int

    Returns
    -------
    int
        At least one.
    """
    if len(X) < 2:
        return 1
    if threshold is None:
        raise ValueError(
            "n_speakers='agglomerative' needs a threshold that fit(X, y) calibrates, from two "
            "speakers at least and two rows of one; give y, or a number of speakers"
        )
    clusters = fcluster(linkage(_distances(X), "average"), 1 - threshold, "distance")
    smallest = max(_SMALLEST[0], round(_SMALLEST[1] * len(X)))
    return int(np.clip(np.sum(np.bincount(clusters) >= smallest), 1, max_speakers))


def by_rank(rule):
    """Rule that counts the singular values of whitened coordinates by one of `RANK_RULES`."""

    def count(X, Z, threshold, max_speakers):
        values = np.linalg.svd(Z, compute_uv=False)
        values = np.where(values > EPS * max(Z.shape) * values[0], values, 0.0)
        return int(np.clip(RANK_RULES[rule](values, *Z.shape), 1, max_speakers))

    return count


COUNTING_RULES = {"agglomerative": agglomerative} | {rule: by_rank(rule) for rule in RANK_RULES}
"""Rules by name: functions of centred embeddings, whitened coordinates, the calibrated threshold
and the most speakers.

Those of `RANK_RULES` hold where recordings are linear in their speakers and the noise is white, as
it is after whitening within classes. On embeddings of speech they are wrong."""


def count(rule, X, Z, threshold, max_speakers):
    """Number of speakers by the rule of that name, or the usual one; see ``agglomerative``."""
    if rule is None:
        rule = "gavish-donoho" if threshold is None else "agglomerative"
    if rule not in COUNTING_RULES:
        raise ValueError(
            f"n_speakers={rule!r} needs demixing_model='pair-mixture', and overlapped rows in fit; "
            f"use one of {sorted(COUNTING_RULES)}, or a number of speakers"
        )
    return COUNTING_RULES[rule](X, Z, threshold, min(max_speakers, len(X)))


def _distances(X):
    """Cosine distances of all pairs; a row without direction is like no other."""
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = pdist(X, "cosine")
    return np.where(np.isfinite(distances), distances, 1.0)
