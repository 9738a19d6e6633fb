"""Update equations of non-negative matrix factorisation, X ≈ H W, as pure array-API functions.

Rows are samples: X (n, m), activations H (n, k), components W (k, m). Every function takes arrays
and gives back new ones. Those with a compiled twin run it when they are given NumPy arrays.
"""

from anmf._core.arrays import device
from anmf._core.jit import with_twin

_twin = with_twin(module="anmf.nmf.updates_numba")


RIDGE = 1e-6
"""ε of `support_step` over the largest diagonal entry. It bounds how much rounding is amplified
where components are (nearly) dependent, so that equal problems keep equal solutions."""


@_twin
def coordinate_sweeps(H, C, G, n_sweeps, *, xp):
    """Cyclic coordinate descent on min_{h ≥ 0} ½ h G hᵀ − c hᵀ, every row of H for itself.

    h_t ← max(0, h_t + (c_t − Σ_s h_s g_st) / g_tt),  t = 1 … k

    Parameters
    ----------
    H : array (n, k)
        Start.
    C : array (n, k)
        Linear terms; for activations X Wᵀ − α.
    G : array (k, k)
        Symmetric positive semi-definite; for activations W Wᵀ.
    n_sweeps : int
        Passes over the k coordinates, at least one.

    Returns
    -------
    H : array (n, k)
    gains : array (n, 2)
        By how much the last sweep but one and the last lowered each row's objective.

    References
    ----------
    Hsieh and Dhillon, "Fast coordinate descent methods with variable selection for non-negative
    matrix factorization", KDD 2011.
    """
    curvature = xp.linalg.diagonal(G)
    inverse = xp.where(curvature > 0, 1 / xp.where(curvature > 0, curvature, 1), 0)
    H = xp.asarray(H, copy=True)
    last = xp.zeros_like(H[:, 0])
    for _ in range(n_sweeps):
        before, last = last, xp.zeros_like(last)
        for t in range(H.shape[1]):
            slope = C[:, t] - H @ G[:, t]
            move = xp.clip(H[:, t] + slope * inverse[t], 0.0, None) - H[:, t]
            H[:, t] += move
            last += move * (slope - 0.5 * curvature[t] * move)
    return H, xp.stack([before, last], axis=1)


@_twin
def coordinate_sweeps_each(H, C, G, n_sweeps, *, xp):
    """`coordinate_sweeps` where each row has a matrix of its own: G is (n, k, k).

    Rows with missing entries need this: only the observed columns enter their Gram matrix.
    """
    H = xp.asarray(H, copy=True)
    last = xp.zeros_like(H[:, 0])
    for _ in range(n_sweeps):
        before, last = last, xp.zeros_like(last)
        for t in range(H.shape[1]):
            curvature = G[:, t, t]
            inverse = xp.where(curvature > 0, 1 / xp.where(curvature > 0, curvature, 1), 0)
            slope = C[:, t] - xp.sum(H * G[:, :, t], axis=1)
            move = xp.clip(H[:, t] + slope * inverse, 0.0, None) - H[:, t]
            H[:, t] += move
            last += move * (slope - 0.5 * curvature * move)
    return H, xp.stack([before, last], axis=1)


@_twin
def support_step(H, C, G, *, xp):
    """Newton step on the positive coordinates of each row, cut where the first one meets zero.

    h ← h + θ d with (G_SS + ε I) d_S = (c − h G)_S on the support S = {t: h_t > 0} and the largest
    θ ≤ 1 that keeps h ≥ 0. Where coordinate descent crawls along a narrow valley, this crosses it.

    Parameters
    ----------
    H, C : array (n, k)
        As in `coordinate_sweeps`.
    G : array (k, k) or (n, k, k)
        One matrix for all rows, or one a row.

    Returns
    -------
    H : array (n, k)

    References
    ----------
    Portugal, Júdice and Vicente, "A comparison of block pivoting and interior-point algorithms for
    linear least squares problems with nonnegative variables", Math. Comp. 63, 1994.
    """
    G = G[None, :, :] if G.ndim == 2 else G
    support = xp.astype(H > 0, H.dtype)
    eye = xp.eye(H.shape[1], dtype=H.dtype, device=device(H))
    guard = RIDGE * xp.max(xp.linalg.diagonal(G), axis=1, keepdims=True)
    inside = support[:, :, None] * support[:, None, :]
    system = inside * G + eye * (1 - support + guard)[:, None, :]
    slope = support * (C - xp.matmul(H[:, None, :], G)[:, 0, :])
    d = support * xp.linalg.solve(system, slope[:, :, None])[:, :, 0]
    falling = d < 0
    room = xp.where(falling, H / xp.where(falling, -d, 1), 1)
    theta = xp.clip(xp.min(room, axis=1, keepdims=True), 0.0, 1.0)
    return xp.clip(H + theta * d, 0.0, None)


@_twin
def sphere_sweeps(W, P, Q, shrinkage, free, n_sweeps, *, xp):
    """Block coordinate descent over components of unit length, each step in closed form.

    Minimises ½⟨Q, W Wᵀ⟩ − ⟨P, W⟩ + Σ_t α_t |w_t|₁ over W ≥ 0, ‖w_t‖ = 1:

    w_t ← [p_t]₊ / ‖[p_t]₊‖,  p_t = P_t − Σ_{s≠t} Q_ts w_s − α_t

    (on the sphere Q_tt ‖w_t‖² is constant). A row whose p_t has no positive entry stays.

    Parameters
    ----------
    W : array (k, m)
        Start.
    P : array (k, m)
        Hᵀ X, in whatever weighting Q has.
    Q : array (k, k)
        Hᵀ H.
    shrinkage : array (k,)
        α_t, in the same weighting.
    free : sequence of int
        Rows to update; the others are frozen.
    n_sweeps : int

    Returns
    -------
    W : array (k, m)
    """
    W = xp.asarray(W, copy=True)
    for _ in range(n_sweeps):
        for t in free:
            p = xp.clip(P[t, :] - Q[t, :] @ W + Q[t, t] * W[t, :] - shrinkage[t], 0.0, None)
            length = xp.sqrt(xp.sum(p * p))
            W[t, :] = xp.where(length > 0, p / xp.where(length > 0, length, 1), W[t, :])
    return W


@_twin
def ratio_terms(X, Y, beta, floor, *, xp):
    """Negative and positive part of the gradient of D_β(X | Y) with respect to Y.

    X Y^(β−2) and Y^(β−1), entry by entry, with Y kept above `floor`; the second is None where it
    is 1 throughout (β = 1).

    Parameters
    ----------
    X, Y : array (n, m)
        Data and model.
    beta : float
    floor : float

    Returns
    -------
    array (n, m), array (n, m) or None

    References
    ----------
    Févotte and Idier, "Algorithms for nonnegative matrix factorization with the β-divergence",
    Neural Computation 23(9), 2011.
    """
    Y = xp.clip(Y, floor, None)
    if beta == 1:
        return X / Y, None
    if beta == 0:
        inverse = 1 / Y
        return X * inverse * inverse, inverse
    power = Y ** (beta - 2)
    return X * power, Y * power


@_twin
def log_inner(X, Y, floor, *, xp):
    """Σ_j x_ij log max(y_ij, floor) for every row i, the data-model term of the KL divergence.

    Parameters
    ----------
    X, Y : array (n, m)
        Data and model.
    floor : float
        Positive.

    Returns
    -------
    array (n,)
    """
    return xp.vecdot(X, xp.log(xp.clip(Y, floor, None)))


def mm_exponent(beta):
    """Exponent γ(β) with which a multiplicative update can't raise the β-divergence.

    1 / (2 − β) for β < 1, 1 for 1 ≤ β ≤ 2, 1 / (β − 1) for β > 2 (Févotte and Idier 2011).
    """
    if beta < 1:
        return 1 / (2 - beta)
    return 1.0 if beta <= 2 else 1 / (beta - 1)


def multiply(F, numerator, denominator, exponent, *, xp):
    """F ∘ (numerator / denominator)^exponent with 0 / 0 = 0 and subnormals flushed to zero."""
    ratio = numerator / xp.where(denominator > 0, denominator, xp.inf)
    F = F * (ratio if exponent == 1 else ratio**exponent)
    return xp.where(F > 1e-30, F, 0)


def tangent_terms(W, numerator, denominator, *, xp):
    """Multiplicative terms for components that stay on the unit sphere.

    With both parts non-negative, (d − n) − w⟨w, d − n⟩, the gradient along the sphere, splits into
    d + w⟨w, n⟩ and n + w⟨w, d⟩ (Le Roux, Weninger and Hershey, "Sparse NMF — half-baked or well
    done?", 2015).
    """
    along_numerator = xp.sum(W * numerator, axis=1, keepdims=True)
    along_denominator = xp.sum(W * denominator, axis=1, keepdims=True)
    return numerator + W * along_denominator, denominator + W * along_numerator


def unit_rows(W, *, xp):
    """Rows of W at unit length, and the lengths (n, 1) they had; zero rows stay (length 1)."""
    length = xp.sqrt(xp.sum(W * W, axis=1, keepdims=True))
    length = xp.where(length > 0, length, 1)
    return W / length, length


def extrapolate(new, old, momentum, *, xp):
    """max(0, new + momentum (new − old)) (Ang and Gillis, Neural Computation 31(2), 2019)."""
    return xp.clip(new + momentum * (new - old), 0.0, None) if momentum else new
