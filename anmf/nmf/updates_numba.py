"""Compiled twins of the sweeps in `updates`, with samples in the SIMD lanes.

A dot product along one sample is a chain of dependent additions; the same update for 128 samples
side by side is not. A block of rows is transposed into a (k, 128) buffer that fits the cache, and
four coordinates are updated against four others a pass. The dependencies inside each group of four
are then repaired, so the result is exact cyclic coordinate descent.
"""

import numpy as np

from anmf._core.jit import jit
from anmf.nmf import updates

_LANES = 128
_PADDING = 16  # keeps the rows of the buffers out of each other's cache sets


@jit
def _residual_of_four(acc, h, g, t, k, width):
    """acc[q] −= Σ_r g[t + q, r] h[r] for q = 0 … 3, over all k rows of h."""
    a0, a1, a2, a3 = acc[0], acc[1], acc[2], acc[3]
    full = k - k % 4
    for r in range(0, full, 4):
        h0, h1, h2, h3 = h[r], h[r + 1], h[r + 2], h[r + 3]
        g00, g01, g02, g03 = g[t, r], g[t, r + 1], g[t, r + 2], g[t, r + 3]
        g10, g11, g12, g13 = g[t + 1, r], g[t + 1, r + 1], g[t + 1, r + 2], g[t + 1, r + 3]
        g20, g21, g22, g23 = g[t + 2, r], g[t + 2, r + 1], g[t + 2, r + 2], g[t + 2, r + 3]
        g30, g31, g32, g33 = g[t + 3, r], g[t + 3, r + 1], g[t + 3, r + 2], g[t + 3, r + 3]
        for j in range(width):
            x0, x1, x2, x3 = h0[j], h1[j], h2[j], h3[j]
            a0[j] -= g00 * x0 + g01 * x1 + g02 * x2 + g03 * x3
            a1[j] -= g10 * x0 + g11 * x1 + g12 * x2 + g13 * x3
            a2[j] -= g20 * x0 + g21 * x1 + g22 * x2 + g23 * x3
            a3[j] -= g30 * x0 + g31 * x1 + g32 * x2 + g33 * x3
    for r in range(full, k):
        for q in range(4):
            for j in range(width):
                acc[q, j] -= g[t + q, r] * h[r, j]


@jit
def _residual_of_one(acc, h, g, t, k, width):
    """acc −= Σ_r g[t, r] h[r]."""
    for r in range(k):
        for j in range(width):
            acc[j] -= g[t, r] * h[r, j]


@jit
def _move(h, slope, curvature, moved, width):
    """One exact coordinate step of all lanes; `moved` receives the change."""
    inverse = 1 / curvature if curvature > 0 else curvature * 0
    for j in range(width):
        value = h[j] + slope[j] * inverse
        value = value if value > 0 else value * 0
        moved[j] = value - h[j]
        h[j] = value


@jit
def _add_gain(gain, slope, curvature, moved, width):
    """By how much each lane's objective fell with its last move."""
    half = curvature / 2
    for j in range(width):
        gain[j] += moved[j] * (slope[j] - half * moved[j])


@jit
def _sweep_block(h, c, g, measured, acc, moved, gain, width):
    k = g.shape[0]
    full = k - k % 4
    for t in range(0, full, 4):
        for q in range(4):
            for j in range(width):
                acc[q, j] = c[t + q, j]
        _residual_of_four(acc, h, g, t, k, width)
        for q in range(4):
            _move(h[t + q], acc[q], g[t + q, t + q], moved, width)
            if measured:
                _add_gain(gain, acc[q], g[t + q, t + q], moved, width)
            for p in range(q + 1, 4):
                coupling, ahead = g[t + p, t + q], acc[p]
                for j in range(width):
                    ahead[j] -= coupling * moved[j]
    for t in range(full, k):
        for j in range(width):
            acc[0, j] = c[t, j]
        _residual_of_one(acc[0], h, g, t, k, width)
        _move(h[t], acc[0], g[t, t], moved, width)
        if measured:
            _add_gain(gain, acc[0], g[t, t], moved, width)


@jit
def _coordinate_sweeps(H, C, G, n_sweeps, out, gains):
    n, k = H.shape
    h = np.zeros((k, _LANES + _PADDING), H.dtype)
    c = np.zeros((k, _LANES + _PADDING), H.dtype)
    acc = np.zeros((4, _LANES), H.dtype)
    moved = np.zeros(_LANES, H.dtype)
    gain = np.zeros((2, _LANES), H.dtype)
    for start in range(0, n, _LANES):
        width = min(_LANES, n - start)
        for j in range(width):
            for r in range(k):
                h[r, j] = H[start + j, r]
                c[r, j] = C[start + j, r]
        for sweep in range(n_sweeps):
            if sweep >= n_sweeps - 2:
                gain[0] = gain[1]
                gain[1] = 0
            _sweep_block(h, c, G, sweep >= n_sweeps - 2, acc, moved, gain[1], width)
        for j in range(width):
            gains[start + j, 0] = gain[0, j] if n_sweeps > 1 else 0
            gains[start + j, 1] = gain[1, j]
            for r in range(k):
                out[start + j, r] = h[r, j]


@jit
def _coordinate_sweeps_each(H, C, G, n_sweeps, gains):
    n, k = H.shape
    for i in range(n):
        h, c, g = H[i], C[i], G[i]
        for _ in range(n_sweeps):
            gains[i, 0] = gains[i, 1]
            gain = c[0] * 0
            for t in range(k):
                slope = c[t]
                for r in range(k):
                    slope -= g[t, r] * h[r]
                if g[t, t] > 0:
                    value = max(h[t] + slope / g[t, t], h[t] * 0)
                    move = value - h[t]
                    h[t] = value
                    gain += move * (slope - g[t, t] * move / 2)
            gains[i, 1] = gain


@jit
def _sphere_sweeps(W, P, Q, shrinkage, free, n_sweeps):
    k, m = W.shape
    full = k - k % 4
    p = np.empty(m, W.dtype)
    for _ in range(n_sweeps):
        for t in free:
            own, shift = Q[t, t], shrinkage[t]
            for j in range(m):
                p[j] = P[t, j] + own * W[t, j] - shift
            for r in range(0, full, 4):
                a, b, c, d = Q[t, r], Q[t, r + 1], Q[t, r + 2], Q[t, r + 3]
                for j in range(m):
                    p[j] -= a * W[r, j] + b * W[r + 1, j] + c * W[r + 2, j] + d * W[r + 3, j]
            for r in range(full, k):
                for j in range(m):
                    p[j] -= Q[t, r] * W[r, j]
            square = p[0] * 0
            for j in range(m):
                p[j] = p[j] if p[j] > 0 else p[j] * 0
                square += p[j] * p[j]
            if square > 0:
                scale = 1 / np.sqrt(square)
                for j in range(m):
                    W[t, j] = p[j] * scale


@jit
def cholesky_solve(A, b, n):
    """Solve A x = b for symmetric positive definite A[:n, :n], both overwritten; b becomes x."""
    for i in range(n):
        for j in range(i + 1):
            value = A[i, j]
            for r in range(j):
                value -= A[i, r] * A[j, r]
            A[i, j] = np.sqrt(max(value, 1e-300)) if i == j else value / A[j, j]
        for r in range(i):
            b[i] -= A[i, r] * b[r]
        b[i] /= A[i, i]
    for i in range(n - 1, -1, -1):
        b[i] /= A[i, i]
        for r in range(i):
            b[r] -= A[i, r] * b[i]


@jit
def _support_step(H, C, G, relative_ridge):
    n, k = H.shape
    support = np.empty(k, np.intp)
    system = np.empty((k, k))
    d = np.empty(k)
    for i in range(n):
        h, g = H[i], G[min(i, G.shape[0] - 1)]
        size = 0
        for t in range(k):
            if h[t] > 0:
                support[size] = t
                size += 1
        guard = relative_ridge * np.diag(g).max()
        for a in range(size):
            t = support[a]
            d[a] = C[i, t]
            for b in range(size):
                d[a] -= g[t, support[b]] * h[support[b]]
            for b in range(a + 1):
                system[a, b] = g[t, support[b]]
            system[a, a] += guard
        cholesky_solve(system, d, size)
        theta = 1.0
        for a in range(size):
            if d[a] < 0:
                theta = min(theta, -h[support[a]] / d[a])
        for a in range(size):
            h[support[a]] = max(h[support[a]] + theta * d[a], 0.0)


@jit
def _ratio(x, y, floor, out):
    for i in range(x.size):
        out[i] = x[i] / max(y[i], floor)


@jit
def _ratio_and_inverse(x, y, floor, ratio, inverse):
    for i in range(x.size):
        inverse[i] = 1 / max(y[i], floor)
        ratio[i] = x[i] * inverse[i] * inverse[i]


@jit
def _inner_above(X, logs, least, out):
    for i in range(X.shape[0]):
        x, y = X[i], logs[i]
        value = x[0] * 0
        for j in range(X.shape[1]):
            value += x[j] * max(y[j], least)
        out[i] = value


def aligned(*arrays):
    """The arrays in C order and the dtype of the first (a kernel is compiled once a dtype)."""
    return [np.ascontiguousarray(a, dtype=arrays[0].dtype) for a in arrays]


def coordinate_sweeps(H, C, G, n_sweeps):
    """Twin of `anmf.nmf.updates.coordinate_sweeps`."""
    H, C, G = aligned(H, C, G)
    out, gains = np.empty_like(H), np.empty((len(H), 2), H.dtype)
    _coordinate_sweeps(H, C, G, n_sweeps, out, gains)
    return out, gains


def coordinate_sweeps_each(H, C, G, n_sweeps):
    """Twin of `anmf.nmf.updates.coordinate_sweeps_each`."""
    H, C, G = aligned(H.copy(), C, G)
    gains = np.zeros((len(H), 2), H.dtype)
    _coordinate_sweeps_each(H, C, G, n_sweeps, gains)
    return H, gains


def support_step(H, C, G):
    """Twin of `anmf.nmf.updates.support_step`; the small systems are solved in double precision."""
    H, C, G = aligned(H.copy(), C, G)
    _support_step(H, C, G.reshape(-1, *G.shape[-2:]), updates.RIDGE)
    return H


def ratio_terms(X, Y, beta, floor):
    """Twin of `anmf.nmf.updates.ratio_terms` for β of 1 and 0; powers are NumPy's own."""
    if beta not in (0, 1):
        return updates.ratio_terms.reference(X, Y, beta, floor, xp=np)
    X, Y = aligned(X, Y)
    flat, floor = (X.ravel(), Y.ravel()), X.dtype.type(floor)
    first = np.empty_like(X)
    if beta == 1:
        _ratio(*flat, floor, first.ravel())
        return first, None
    second = np.empty_like(X)
    _ratio_and_inverse(*flat, floor, first.ravel(), second.ravel())
    return first, second


def log_inner(X, Y, floor):
    """Twin of `anmf.nmf.updates.log_inner`: NumPy's logarithm, then floor and sum in one pass."""
    X, Y = aligned(X, Y)
    with np.errstate(divide="ignore"):
        logs = np.log(Y)
    out = np.empty(len(X), X.dtype)
    _inner_above(X, logs, X.dtype.type(np.log(floor)), out)
    return out


def sphere_sweeps(W, P, Q, shrinkage, free, n_sweeps):
    """Twin of `anmf.nmf.updates.sphere_sweeps`."""
    W, P, Q, shrinkage = aligned(W.copy(), P, Q, shrinkage)
    _sphere_sweeps(W, P, Q, shrinkage, np.asarray(free, dtype=np.intp), n_sweeps)
    return W
