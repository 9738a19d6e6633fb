"""Whitenings: matrices W with W C Wᵀ = I, told apart by what they keep of the features.

With z = W x, Φ = cov(z, x) = W C and Ψ = cor(z, x) = Φ diag(C)^(-1/2). All whitenings differ by an
orthogonal matrix on the left; each one below is the best of them by a criterion.

References
----------
Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician 72(4),
2018, arXiv:1512.00809.
"""

from anmf._core.arrays import device


def signed(V, *, xp):
    """Rows of `V` (k, d), each with the sign that makes its largest entry in size positive."""
    largest, smallest = xp.max(V, axis=1, keepdims=True), xp.min(V, axis=1, keepdims=True)
    return xp.where(largest >= -smallest, V, -V)


def zca(C, *, xp):
    """W = C^(-1/2), the symmetric one: it maximises tr Φ, so z stays closest to x.

    Parameters
    ----------
    C : array (d, d)
        Covariance, positive definite.

    Returns
    -------
    whitening, dewhitening : array (d, d)
        W and W⁻¹.

    Examples
    --------
    >>> import numpy as np
    >>> C = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> W, back = zca(C, xp=np)
    >>> bool(np.allclose(W @ C @ W.T, np.eye(2)) and np.allclose(W, W.T))
    True
    """
    deviation, V = _axes(C, xp)
    return (V.T / deviation) @ V, (V.T * deviation) @ V


def pca(C, *, xp):
    """W = Λ^(-1/2) Vᵀ of C = V Λ Vᵀ: it maximises Σ_j Φ_1j², then Σ_j Φ_2j², and so on.

    The largest entry in size of each row of W is positive. `C` and what is returned are as in
    ``zca``.
    """
    deviation, V = _axes(C, xp)
    return V / deviation[:, None], V.T * deviation


def cholesky(C, *, xp):
    """W = U⁻¹ of C = U Uᵀ, U upper triangular: Φ = Uᵀ is lower triangular, its diagonal positive.

    Coordinate j depends on the features from j on, and correlates with those up to j. `C` and what
    is returned are as in ``zca``.
    """
    # The lower factor of the reversed matrix, reversed, is the upper factor.
    U = xp.flip(xp.linalg.cholesky(xp.flip(C)))
    return xp.linalg.inv(U), U


def zca_cor(C, *, xp):
    """W = P^(-1/2) D^(-1/2), with D = diag(C) and P the correlations: it maximises tr Ψ.

    Scale equivariant: scaling features leaves z as it is. `C` and what is returned are as in
    ``zca``.
    """
    return _of_correlations(zca, C, xp)


def pca_cor(C, *, xp):
    """W = Θ^(-1/2) Gᵀ D^(-1/2) of correlations P = G Θ Gᵀ: it maximises Σ_j Ψ_1j², and so on.

    Scale equivariant: scaling features leaves z as it is. `C` and what is returned are as in
    ``zca``.
    """
    return _of_correlations(pca, C, xp)


def unwhitened(C, *, xp):
    """The identity, twice: coordinates keep their variances."""
    eye = xp.eye(C.shape[0], dtype=C.dtype, device=device(C))
    return eye, eye


def _of_correlations(whiten, C, xp):
    scale = xp.sqrt(xp.linalg.diagonal(C))
    W, back = whiten(C / (scale[:, None] * scale), xp=xp)
    return W / scale, back * scale[:, None]


def _axes(C, xp):
    """Standard deviations (d,), falling, and principal axes in rows (d, d) of a covariance."""
    values, vectors = xp.linalg.eigh((C + C.T) / 2)
    return xp.sqrt(xp.flip(values)), signed(xp.flip(vectors.T, axis=0), xp=xp)


WHITENINGS = {
    "zca": zca,
    "pca": pca,
    "cholesky": cholesky,
    "zca-cor": zca_cor,
    "pca-cor": pca_cor,
    None: unwhitened,
}
"""Whitenings by name: functions of a covariance (d, d) that return W and W⁻¹."""
