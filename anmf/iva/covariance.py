"""Weighted covariances of the current estimates, all that an update sees, and their algebra."""

LOADING = 4
"""Rounding of an entry of a covariance, a bound in units of the precision."""


def weighted_covariances(Y, weights, n_frames, *, xp):
    """V_kf = (1/T) Σ_t φ_kft y_ft y_ftᴴ, the diagonal raised by more than rounding can take.

    Parameters
    ----------
    Y : complex array (n_frequencies, n_channels, n_columns)
    weights : array (n_frequencies or 1, n_weights, n_columns)
        φ, at least 0.
    n_frames : int
        T.
    xp : namespace

    Returns
    -------
    complex array (n_frequencies, n_weights, n_channels, n_channels)
        Hermitian to the last bit, and positive semidefinite.
    """
    Y = Y[:, None, :, :]
    V = xp.matmul((weights + 0 * Y[:, :, 0, :])[:, :, None, :] * Y, adjoint(Y, xp=xp))
    eye = xp.stack(identity_rows(V, xp=xp), axis=-2)[:, None, :, :]
    raised = 1 + LOADING * Y.shape[2] * xp.finfo(weights.dtype).eps * eye
    return (V + adjoint(V, xp=xp)) / (2 * n_frames) * raised


def adjoint(A, *, xp):
    """Conjugate transpose of stacked matrices."""
    return xp.conj(xp.matrix_transpose(A))


def identity_rows(V, *, xp):
    """The rows of stacked identity matrices, of the kind of V (..., n, n)."""
    zero = V[:, 0, 0, 0] * 0
    n = V.shape[-1]
    return [xp.stack([zero + float(c == k) for c in range(n)], axis=-1) for k in range(n)]


def covariance_of(V, row):
    """That of a row: under its own weights, or as one of the background, under the last."""
    return V[:, min(row, V.shape[1] - 1), :, :]


def definite(V, *, xp):
    """Stacked covariances that can be inverted: with a trace of rounding, or 1 if all is silent."""
    eye = xp.stack(identity_rows(V[:, None, :, :], xp=xp), axis=-2)
    trace = xp.real(xp.sum(eye * V, axis=(-2, -1)))
    added = xp.where(trace > 0, xp.finfo(trace.dtype).eps * trace, 1.0)
    return V + added[:, None, None] * eye


def conjugate_product(V, row, *, xp):
    """V bᴴ for stacked row vectors b: (n_frequencies, n_channels)."""
    return xp.matmul(V, xp.conj(row)[..., None])[..., 0]


def inner(row, column, *, xp):
    """b u for stacked row and column vectors: (n_frequencies,)."""
    return xp.sum(row * column, axis=-1)


def pairs(n_channels):
    """Neighbours in a ring: every row is in two pairs, or in the only one."""
    if n_channels == 2:
        return [(0, 1)]
    return [(m, (m + 1) % n_channels) for m in range(n_channels)]
