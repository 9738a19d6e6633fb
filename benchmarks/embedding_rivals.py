"""What `SVDDecorrelator` is measured against: other ways from segments to speakers.

A rival is a function of the segments (n, d) and the number of speakers K that returns embeddings,
(K, d) at most. `counters` find K. `ORACLES` are told the true embedding of the other speaker, and
`from_activity` who talks when.
"""

import warnings
from functools import partial

import numpy as np
from scipy.sparse.csgraph import laplacian
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.decomposition import NMF, PCA, FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from anmf.metrics import equal_error_rate

MOST_SPEAKERS = 8
KEPT, DAMPING = 0.9, 0.01
"""Of the affinity: below this quantile of its row, an entry is multiplied by the second number."""
SMALLEST_CLUSTER = 5


def cluster_means(X, labels):
    """Mean directions (K, d) of the segments with each label."""
    rows = normalize(X)
    return normalize(np.stack([rows[labels == label].mean(axis=0) for label in np.unique(labels)]))


def kmeans_labels(X, n_speakers, n_init=10):
    """Clusters by k-means of segments of unit length."""
    return KMeans(n_speakers, n_init=n_init, random_state=0).fit_predict(normalize(X))


def kmeans(X, n_speakers):
    """Spherical k-means: rows and centres of unit length."""
    return cluster_means(X, kmeans_labels(X, n_speakers))


def refined_affinity(X):
    """Cosines (n, n), those far below the best of their row damped, made symmetric again."""
    rows = normalize(X)
    cosine = np.clip(rows @ rows.T, 1e-6, 1)  # a graph in one piece
    best = cosine >= np.quantile(cosine, KEPT, axis=1, keepdims=True)
    affinity = np.where(best, cosine, DAMPING * cosine)
    return (affinity + affinity.T) / 2


def spectral(X, n_speakers):
    """Spectral clustering of the refined affinity."""
    if n_speakers == 1:
        return kmeans(X, 1)
    method = SpectralClustering(n_speakers, affinity="precomputed", random_state=0)
    return cluster_means(X, method.fit_predict(refined_affinity(X)))


def agglomerative(X, n_speakers):
    """Average linkage of cosines, cut at K clusters."""
    method = AgglomerativeClustering(n_speakers, metric="cosine", linkage="average")
    return cluster_means(X, method.fit_predict(X))


def nmf(X, n_speakers):
    """NMF, with what is negative set to zero."""
    method = NMF(n_speakers, init="nndsvda", max_iter=500, random_state=0)
    return normalize(_quietly(method.fit, np.maximum(X, 0)).components_)


def ica(X, n_speakers):
    """Columns of the mixing matrix of FastICA."""
    if n_speakers == 1:
        return kmeans(X, 1)
    method = FastICA(n_speakers, whiten="unit-variance", max_iter=500, random_state=0)
    return _turned(X, _quietly(method.fit, X).mixing_.T)


def pca(X, n_speakers):
    """Leading principal axes."""
    return _turned(X, PCA(n_speakers).fit(X).components_)


def svd(X, n_speakers):
    """Leading right singular vectors, without centring."""
    return _turned(X, np.linalg.svd(X, full_matrices=False)[2][:n_speakers])


def _turned(X, axes):
    """Axes of unit length, each with the sign that most of the segments have on it."""
    signs = np.sign((X @ np.linalg.pinv(axes)).sum(axis=0))
    return normalize(axes * np.where(signs == 0, 1, signs)[:, None])


def _quietly(function, X):
    """Call without the warning of an iteration that was cut off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return function(X)


RIVALS = {
    "k-means": kmeans,
    "spectral": spectral,
    "agglomerative": agglomerative,
    "NMF": nmf,
    "FastICA": ica,
    "PCA": pca,
    "SVD axes": svd,
}
"""Rivals that are told the number of speakers, by name."""


def eigengap(X):
    """Number of speakers: where the eigenvalues of the normalised Laplacian leap most."""
    values = np.linalg.eigvalsh(laplacian(refined_affinity(X), normed=True))
    return int(np.argmax(np.diff(values[: MOST_SPEAKERS + 1]))) + 1


def best_silhouette(X):
    """Number of speakers: that of the k-means clustering of largest silhouette. Never 1."""
    scores = {}
    for n_speakers in range(2, min(MOST_SPEAKERS, len(X) - 1) + 1):
        labels = kmeans_labels(X, n_speakers, n_init=3)
        if len(np.unique(labels)) > 1:
            scores[n_speakers] = silhouette_score(X, labels, metric="cosine")
    return max(scores, key=scores.get, default=1)


def calibrate(X, y, mean):
    """Cosine seen from the mean at which two segments are as likely of one speaker as of two.

    Parameters
    ----------
    X : ndarray (n, d)
        Segments of one speaker each.
    y : ndarray (n,)
    mean : ndarray (d,)

    Returns
    -------
    float
    """
    first, second = np.triu_indices(len(X), 1)
    return equal_error_rate(y[first] == y[second], 1 - pdist(normalize(X) - mean, "cosine"))[1]


def count_clusters(X, mean, threshold):
    """Number of clusters of five and more, joined while they are nearer than the threshold."""
    method = AgglomerativeClustering(
        None, metric="cosine", linkage="average", distance_threshold=1 - threshold
    )
    sizes = np.bincount(method.fit_predict(normalize(X) - mean))
    return int(np.clip(np.sum(sizes >= SMALLEST_CLUSTER), 1, MOST_SPEAKERS))


def counters(X, y, mean):
    """Rivals that count, calibrated on a background.

    Parameters
    ----------
    X, y, mean
        As for `calibrate`.

    Returns
    -------
    dict of str to (callable, callable)
        The count of the speakers, and the rival that then finds them.
    """
    clusters = partial(count_clusters, mean=mean, threshold=calibrate(X, y, mean))
    return {
        "spectral eigengap": (eigengap, spectral),
        "agglomerative": (clusters, kmeans),
        "silhouette": (best_silhouette, kmeans),
    }


def subtraction(X, other, mean):
    """What is left of the mean segment (1, d) without half the other speaker, from the mean."""
    return normalize(_middle(X) - 0.5 * (other - mean))


def projection(X, other, mean):
    """What is left of the mean segment (1, d) off the direction of the other speaker."""
    direction = normalize((other - mean)[None])
    whole = _middle(X)
    return normalize(whole - (whole - mean) @ direction.T * direction)


def _middle(X):
    return normalize(X.mean(axis=0, keepdims=True))


ORACLES = {"oracle: subtraction": subtraction, "oracle: projection": projection}
"""Told the true embedding of the other of two speakers, which no other method here is.

After Shi and Hain, "Supervised speaker embedding de-mixing in two-speaker environment", 2021."""


def from_activity(X, activity, mean):
    """Embeddings (K, d) by least squares from who talks how much: a ceiling, told the truth.

    X − mean ≈ A (E − mean), with the rows of A the activity (n, K) at unit length.
    """
    weights = normalize(activity)
    return mean + np.linalg.lstsq(weights, X - mean, rcond=None)[0]
