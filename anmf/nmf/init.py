"""Starting components: data rows, random values, or a singular value decomposition."""

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from anmf._core.arrays import is_foreign, like, namespace, take_rows, to_host, total
from anmf.nmf.updates import unit_rows


def exemplar(X, n_components, rng, weight=None):
    """Rows of the data, drawn without repetition, at unit length.

    Rows are put in the order of a random projection before the draw and equal rows count once
    with their joint weight. So the draw depends on the set of rows and their weights, not on
    their order, and a silent frame repeated a thousand times is not drawn a thousand times.

    Parameters
    ----------
    X : array or sparse matrix (n, m)
    n_components : int
    rng : numpy.random.Generator
    weight : ndarray (n,), optional
        Rows of larger weight are likelier; rows of zero weight are never drawn.

    Returns
    -------
    W : array (n_components, m)
    """
    direction = like(rng.random((X.shape[1], 1)), _dense(X))
    place = to_host(X @ direction)[:, 0]
    decimals = np.finfo(place.dtype).precision  # equal rows may differ by rounding
    place = np.round(place.astype(np.float64) / (place.max() or 1.0), decimals)
    counted = np.arange(len(place)) if weight is None else np.flatnonzero(weight)
    _, first, owner = np.unique(place[counted], return_index=True, return_inverse=True)
    mass = np.bincount(owner, weights=None if weight is None else weight[counted])
    drawn = np.argsort(rng.standard_exponential(len(mass)) / mass)[:n_components]
    W = take_rows(X, counted[first[drawn]])
    W = W.toarray() if sparse.issparse(W) else W
    xp = namespace(W)
    if len(drawn) < n_components:  # fewer different rows than components
        W = xp.concat([W, random(X, n_components - len(drawn), rng)], axis=0)
    return unit_rows(W, xp=xp)[0]


def random(X, n_components, rng, weight=None):
    """Uniform random entries on the scale of the data, as unit rows."""
    W = like(rng.random((n_components, X.shape[1])), _dense(X))
    return unit_rows(W, xp=namespace(W))[0]


def nndsvda(X, n_components, rng, weight=None):
    """Non-negative double SVD, zeros filled with the mean of the data, as unit rows.

    Row t is the dominant non-negative part of the t-th singular pair (Boutsidis and Gallopoulos,
    Pattern Recognition 41(4), 2008); rows beyond the rank are random. NumPy and SciPy data use
    scikit-learn's randomised SVD.
    """
    xp, rank = namespace(X), min(n_components, *X.shape)
    if is_foreign(X):
        U, _, V = xp.linalg.svd(X, full_matrices=False)
        U, V = U[:, :rank], V[:rank, :]
    else:
        seed = int(rng.integers(2**31))
        U, _, V = randomized_svd(X, rank, random_state=seed)
    sides = [(xp.clip(s * U, 0.0, None), xp.clip(s * V, 0.0, None)) for s in (1.0, -1.0)]
    size = [xp.sum(u * u, axis=0) * xp.sum(v * v, axis=1) for u, v in sides]
    W = xp.where((size[0] >= size[1])[:, None], sides[0][1], sides[1][1])
    W = xp.astype(unit_rows(W, xp=xp)[0], X.dtype)
    W = xp.where(W > 0, W, total(W, xp) / (rank * X.shape[1]))
    if rank < n_components:
        W = xp.concat([W, random(X, n_components - rank, rng)], axis=0)
    return unit_rows(W, xp=xp)[0]


INITS = {"exemplar": exemplar, "random": random, "nndsvda": nndsvda}


def check_draw(init, n_components, n_rows):
    """Raise if that many components can't be drawn as `init` says."""
    if init == "exemplar" and n_components > n_rows:
        raise ValueError(
            f"n_components={n_components} must be at most the number of rows ({n_rows}) "
            "for init='exemplar'; use init='random'"
        )


def draw_components(X, n_components, init, rng, weight=None, floor=0.03):
    """Components by a name of `INITS`, raised by a floor so that their zeros can re-open.

    The floor is `floor` times the entry 1 / √m of a flat unit row. Multiplicative updates never
    leave an exact zero, hence never recover a pixel that the drawn row happened to lack.
    """
    W = INITS[init](X, n_components, rng, weight)
    return unit_rows(W + floor / X.shape[1] ** 0.5, xp=namespace(W))[0]


def _dense(X):
    """Something dense that has the library, device and dtype of X."""
    return X.data if sparse.issparse(X) else X
