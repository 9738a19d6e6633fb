"""Speakers of a recording as edges of a cone: unit directions and non-negative activations."""

from anmf._core.arrays import device, namespace
from anmf.embedding.seeding import assigned, unit
from anmf.nmf.updates import coordinate_sweeps, support_step

PURE = 0.85
_ROUNDS, _SWEEPS = 4, 8
_RIDGE = 1e-9


def nonnegative_activations(Z, directions, *, xp):
    """Rows of A ≥ 0 of least ‖z_i − a_i C‖²: coordinate descent, and Newton steps between.

    Parameters
    ----------
    Z : array (n, p)
    directions : array (K, p)
        C.

    Returns
    -------
    A : array (n, K)
    """
    linear, gram = Z @ directions.T, directions @ directions.T
    A = xp.clip(linear, 0.0, None)
    for _ in range(_ROUNDS):
        A, _ = coordinate_sweeps(A, linear, gram, _SWEEPS, xp=xp)
        A = support_step(A, linear, gram, xp=xp)
    return coordinate_sweeps(A, linear, gram, 1, xp=xp)[0]


def update_directions(Z, A, directions, *, xp):
    """Purity-weighted means of the rows that a direction dominates.

    c_k ∝ Σ_i w_ik z_i with w_ik = s_ik² where the share s_ik = a_ik / Σ_l a_il is the largest of
    row i, else 0; where a direction has two pure rows (s_ik ≥ 0.85), only those count. A direction
    that dominates no row stays.

    Parameters
    ----------
    Z : array (n, p)
    A : array (n, K)
    directions : array (K, p)

    Returns
    -------
    array (K, p)
        At unit length.
    """
    share = shares(A, xp=xp)
    weight = assigned(share, xp=xp) * share**2
    pure = xp.astype(share >= PURE, Z.dtype)
    weight = xp.where(xp.sum(pure, axis=0) >= 2, weight * pure, weight)
    sums = weight.T @ Z
    return xp.where(xp.sum(weight, axis=0)[:, None] > 0, unit(sums, xp=xp), directions)


def few_talkers(A, *, xp):
    """Activations of the two largest in each row, without those of the faint: shares below 0.15."""
    if A.shape[1] > 2:
        second = xp.sort(A, axis=1)[:, -2:-1]
        A = xp.where(second <= A, A, xp.zeros_like(A))
    return xp.where(shares(A, xp=xp) >= 1 - PURE, A, xp.zeros_like(A))


def fit_directions(Z, A, directions, *, xp):
    """Least squares, C = argmin ‖Z − A C‖² at unit length; one that is never active stays.

    Parameters
    ----------
    Z : array (n, p)
    A : array (n, K)
    directions : array (K, p)

    Returns
    -------
    array (K, p)
    """
    gram = A.T @ A
    power = xp.linalg.diagonal(gram)
    ridge = _RIDGE * xp.max(power) + xp.astype(power == 0, A.dtype)
    eye = xp.eye(A.shape[1], dtype=A.dtype, device=device(A))
    fitted = unit(xp.linalg.solve(gram + eye * ridge, A.T @ Z), xp=xp)
    return xp.where(power[:, None] > 0, fitted, directions)


def shares(A, *, xp):
    """Rows of A divided by their sum; zero rows stay."""
    total = xp.sum(A, axis=1, keepdims=True)
    return A / xp.where(total > 0, total, xp.ones_like(total))


def cone(Z, directions, *, max_iter=20, n_fits=5, tol=1e-6):
    """Refine the edges of a cone, Z ≈ A C with A ≥ 0.

    First the edges move to where speakers are most alone: `nonnegative_activations` and
    `update_directions`, in turn. Then overlapped rows have their say: the activations of
    `few_talkers` and `fit_directions`.

    Parameters
    ----------
    Z : array (n, p)
        Coordinates of windows, seen from the mean of many speakers.
    directions : array (K, p)
        Start, at unit length.
    max_iter : int
        Of the first kind.
    n_fits : int
        Iterations of the second kind.
    tol : float
        Stop each once no entry of C changes by more.

    Returns
    -------
    directions : array (K, p)
        C.
    activations : array (n, K)
        A.

    Examples
    --------
    >>> import numpy as np
    >>> edges = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> A = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 1.0]])
    >>> C, found = cone(A @ edges, np.array([[0.9, 0.1], [0.5, 0.9]]))
    >>> bool(np.allclose(C, edges) and np.allclose(found, A))
    True
    """
    xp, C = namespace(Z), directions
    for most, few, update in ((max_iter, False, update_directions), (n_fits, True, fit_directions)):
        for _ in range(most):
            A = nonnegative_activations(Z, C, xp=xp)
            new = update(Z, few_talkers(A, xp=xp) if few else A, C, xp=xp)
            change, C = float(xp.max(xp.abs(new - C))), new
            if change < tol:
                break
    return C, nonnegative_activations(Z, C, xp=xp)
