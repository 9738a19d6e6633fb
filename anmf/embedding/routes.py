"""Routes to the singular values and right singular vectors of data."""

import numpy as np

from anmf._core.arrays import device, like, namespace
from anmf.embedding.whitening import signed

EPS = float(np.finfo(np.float64).eps)
_BLOCK = 1024
"""Rows centred and brought to double precision at a time."""
_BLUR = 1e-3
"""Share of the largest singular value below which squaring leaves fewer than 10 digits."""


def full(X, n_components=None, rng=None, *, xp):
    """Singular value decomposition, of the triangular factor where X has more rows than columns.

    Parameters
    ----------
    X : float64 array (n, d)
        Centred data.
    n_components, rng
        Unused.

    Returns
    -------
    values : array (r,)
        Singular values that rounding can tell from zero, falling.
    axes : array (r, d)
        Right singular vectors in rows; the largest entry in size of each is positive.

    Examples
    --------
    >>> import numpy as np
    >>> values, axes = full(np.array([[0.0, -3.0], [2.0, 0.0], [0.0, 0.0]]), xp=np)
    >>> values, axes + 0.0
    (array([3., 2.]), array([[0., 1.], [1., 0.]]))
    """
    n, d = X.shape
    R = xp.linalg.qr(X)[1] if n > d else X
    _, values, axes = xp.linalg.svd(R, full_matrices=False)
    return _resolved(values, axes, max(n, d) * EPS, xp)


def gram(X, n_components=None, rng=None, *, xp):
    """Eigenvectors of XᵀX, or of XXᵀ where X has fewer rows than columns.

    Fast where one side is short. Singular values below about 1e-6 of the largest are lost, and
    small ones above have fewer digits (``decompose`` mends this for tall data). Parameters and
    results are as in ``full``.
    """
    n, d = X.shape
    if n >= d:
        return _of_squares(X.T @ X, n, xp)
    values, vectors = _of_squares(X @ X.T, d, xp)
    return values, signed(vectors @ X / values[:, None], xp=xp) if values.shape[0] else X[:0, :]


def randomized(X, n_components, rng, *, xp, n_oversamples=10, n_iter=7):
    """The `n_components` leading ones, from products with random vectors and power iterations.

    Parameters and results are as in ``full``, and `rng` is the NumPy Generator of the vectors.
    Accurate where singular values fall off after the ones that are asked for.

    References
    ----------
    Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011.
    """
    size = min(n_components + n_oversamples, *X.shape)
    Q = like(rng.standard_normal((X.shape[1], size)), X)
    for _ in range(n_iter + 1):
        P = xp.linalg.qr(X @ Q)[0]
        Q = xp.linalg.qr(X.T @ P)[0]
    _, values, axes = xp.linalg.svd(X @ Q, full_matrices=False)
    k = min(n_components, size)
    return _resolved(values[:k], axes[:k, :] @ Q.T, max(*X.shape) * EPS, xp)


def decompose(X, n_components=None, solver="auto", rng=None):
    """Mean, singular values and right singular vectors of data, in double precision.

    Parameters
    ----------
    X : array (n, d)
        Not centred.
    n_components : int or None
        Leading components that are wanted; the other routes than 'randomized' return all.
    solver : {'auto', 'full', 'gram', 'randomized'}
        'auto' takes 'gram' where one side is at least 4 times the other and that one at most
        2048, and falls back to 'full' where that would lose singular values; 'randomized' where
        fewer than a twentieth of more than 500 components are wanted; else 'full'.
    rng : numpy.random.Generator, optional
        For 'randomized'.

    Returns
    -------
    mean : array (d,)
    values : array (r,)
        Singular values of the centred data that rounding can tell from zero, falling.
    axes : array (r, d)
        Orthonormal rows; the largest entry in size of each is positive.
    """
    xp = namespace(X)
    mean = xp.mean(xp.astype(X, xp.float64, copy=False), axis=0)
    route = choose(*X.shape, n_components) if solver == "auto" else solver
    if route == "gram" and X.shape[0] >= X.shape[1]:
        values, axes = _blockwise_gram(X, mean, xp)
    else:
        values, axes = ROUTES[route](_centred(X, mean, xp), n_components, rng, xp=xp)
    if solver == "auto" and route == "gram" and _lost(values, *X.shape):
        values, axes = full(_centred(X, mean, xp), xp=xp)
    return mean, *above_rounding(values, axes, mean, X.shape[0])


def choose(n, d, n_components=None):
    """Name of the route that ``decompose`` takes for 'auto' and a shape."""
    small, large = sorted((n, d))
    if large >= 4 * small and small <= 2048:
        return "gram"
    if n_components is not None and small > 500 and n_components < small / 20:
        return "randomized"
    return "full"


def above_rounding(values, axes, mean, n):
    """Singular values of centred data that the rounding of the mean of n rows doesn't explain."""
    xp = namespace(values)
    floor = 16 * EPS * float(xp.linalg.vector_norm(mean)) * n**0.5
    rank = int(xp.sum(xp.astype(values > floor, xp.int64)))
    return values[:rank], axes[:rank, :]


def blocks(X, mean):
    """Centred blocks of rows of X in double precision, one after the other."""
    xp = namespace(X)
    for start in range(0, X.shape[0], _BLOCK):
        yield _centred(X[start : min(start + _BLOCK, X.shape[0]), :], mean, xp)


def _centred(X, mean, xp):
    return xp.astype(X, xp.float64, copy=False) - mean


def _blockwise_gram(X, mean, xp):
    """``gram`` of tall data with no centred copy of them, and at the accuracy of ``full``.

    Where squaring blurs small values, a second pass takes their rows of the Gram matrix of
    X V S⁻¹, which is close to I. Its Cholesky factor R makes R S Vᵀ a triangular factor of X.
    """
    values, axes = _of_squares(sum(B.T @ B for B in blocks(X, mean)), X.shape[0], xp)
    r = values.shape[0]
    if r == 0 or float(values[-1]) > _BLUR * float(values[0]):
        return values, axes
    sharp = int(xp.sum(xp.astype(values > _BLUR * values[0], xp.int64)))
    whiten = axes.T / values
    small = whiten[:, sharp:]
    crossed = sum(B.T @ (B @ small) for B in blocks(X, mean))
    below = crossed.T @ whiten
    eye = xp.eye(sharp, dtype=below.dtype, device=device(below))
    above = xp.concat([eye, below[:, :sharp].T], axis=1)
    lower = xp.linalg.cholesky(xp.concat([above, below], axis=0))
    _, values, turn = xp.linalg.svd(lower.T * values, full_matrices=False)
    return values, signed(turn @ axes, xp=xp)


def _of_squares(G, longest, xp):
    """Square roots of the eigenvalues of G, and its eigenvectors in rows."""
    squares, vectors = xp.linalg.eigh(G)
    values = xp.sqrt(xp.clip(xp.flip(squares), 0.0, None))
    return _resolved(values, xp.flip(vectors.T, axis=0), (longest * EPS) ** 0.5, xp)


def _lost(values, n, d):
    """Whether squares have lost the smallest singular values (wide data: their accuracy)."""
    if values.shape[0] == 0 or values.shape[0] < min(n - 1, d):
        return True
    return n < d and float(values[-1]) < _BLUR * float(values[0])


def _resolved(values, axes, resolution, xp):
    """Leading values above `resolution` times the largest, and their signed axes."""
    rank = int(xp.sum(xp.astype(values > resolution * values[0], xp.int64)))
    return values[:rank], signed(axes[:rank, :], xp=xp) if rank else axes[:0, :]


ROUTES = {"full": full, "gram": gram, "randomized": randomized}
"""Routes by name: functions of centred data, number of components and Generator."""
