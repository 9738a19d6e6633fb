"""IP2, compiled, for one frequency: V (n_weights, n, n) to B (n, n) and log|det B|.

B comes in as the identity.
"""

import numpy as np

from anmf._core.jit import jit


@jit
def ip2(V, B):
    """Twin of `anmf.iva.ip2.ip2`."""
    n_weights, n = V.shape[0], V.shape[1]
    M, P = np.empty((n, n), V.dtype), np.empty((2, n, 2), V.dtype)
    G, A = np.empty((2, 2, 2), V.dtype), np.empty((2, 2), V.dtype)
    for first in range(1 if n == 2 else n):
        pair = first, (first + 1) % n
        for s in range(2):
            w = min(pair[s], n_weights - 1)
            _system(B, V, w, M)
            P[s] = 0
            P[s, pair[0], 0] = P[s, pair[1], 1] = 1
            _solve(M, P[s])
            _inverse_gram(V[w], _trace_of_rounding(V, w), P[s], G[s])
        demix_pair(G.copy(), A)
        for s in range(2):
            p = A[s, 0] * G[s, 0, 0] + A[s, 1] * G[s, 1, 0]
            q = A[s, 0] * G[s, 0, 1] + A[s, 1] * G[s, 1, 1]
            for i in range(n):
                B[pair[s], i] = p * P[s, i, 0].conjugate() + q * P[s, i, 1].conjugate()
    return _log_determinant(B.copy())


@jit
def _trace_of_rounding(V, w):
    """What `anmf.iva.covariance.definite` adds to the diagonal of V_w."""
    trace = 0.0
    for i in range(V.shape[1]):
        trace += V[w, i, i].real
    return np.finfo(np.float64).eps * trace if trace > 0 else 1.0


@jit
def _system(B, V, w, M):
    """M = B V_w, made definite."""
    n, added = M.shape[0], _trace_of_rounding(V, w)
    for i in range(n):
        for j in range(n):
            z = B[i, 0] * V[w, 0, j]
            for c in range(1, n):
                z += B[i, c] * V[w, c, j]
            M[i, j] = z + added * B[i, j]


@jit
def _solve(M, b):
    """b ← M⁻¹ b by elimination with partial pivoting; M is overwritten."""
    n, m = b.shape
    for i in range(n):
        pivot, best = i, _square(M[i, i])
        for r in range(i + 1, n):
            if _square(M[r, i]) > best:
                pivot, best = r, _square(M[r, i])
        if best == 0:
            b[:] = 0
            return
        if pivot != i:
            for c in range(i, n):
                M[i, c], M[pivot, c] = M[pivot, c], M[i, c]
            for c in range(m):
                b[i, c], b[pivot, c] = b[pivot, c], b[i, c]
        inverse = complex(M[i, i].real / best, -M[i, i].imag / best)
        M[i, i] = inverse
        for r in range(i + 1, n):
            q = M[r, i] * inverse
            for c in range(i + 1, n):
                M[r, c] -= q * M[i, c]
            for c in range(m):
                b[r, c] -= q * b[i, c]
    for i in range(n - 1, -1, -1):
        for c in range(m):
            z = b[i, c]
            for r in range(i + 1, n):
                z -= M[i, r] * b[r, c]
            b[i, c] = z * M[i, i]


@jit
def _inverse_gram(V, added, P, G):
    """G = (Pᴴ (V + added I) P)⁻¹, 2 × 2."""
    n = P.shape[0]
    a, b, c = 0.0, complex(0.0), 0.0
    for i in range(n):
        f, g = added * P[i, 0], added * P[i, 1]
        for j in range(n):
            f += V[i, j] * P[j, 0]
            g += V[i, j] * P[j, 1]
        a += P[i, 0].real * f.real + P[i, 0].imag * f.imag
        b += P[i, 0].conjugate() * g
        c += P[i, 1].real * g.real + P[i, 1].imag * g.imag
    det = a * c - _square(b)
    if not det > 0:
        det = 1.0
    G[0, 0], G[0, 1], G[1, 0], G[1, 1] = c / det, -b / det, -b.conjugate() / det, a / det


@jit
def demix_pair(G, A):
    """Twin of `anmf.iva.pairwise.demix_pair`; G (2, 2, 2) holds G_m and G_n, and is overwritten."""
    size_m, size_n = _unit_trace(G[0]), _unit_trace(G[1])
    a, b, c = G[1, 0, 0], G[1, 0, 1], G[1, 1, 1]
    p = c * G[0, 0, 0] - b * G[0, 1, 0]
    q = c * G[0, 0, 1] - b * G[0, 1, 1]
    r = a * G[0, 1, 0] - b.conjugate() * G[0, 0, 0]
    s = a * G[0, 1, 1] - b.conjugate() * G[0, 0, 1]
    d, size = (p - s) / 2, (p.real + s.real) / 2
    square = (d * d + q * r).real
    if square <= np.finfo(np.float64).eps * size * size:  # a double eigenvalue
        A[0, 0], A[0, 1] = 1, 0
        A[1, 0], A[1, 1] = (-b / a).conjugate() if a.real > 0 else complex(0.0), 1
    else:
        D = np.sqrt(square)
        if d.real >= 0:
            A[0, 0], A[0, 1] = q.conjugate(), (-d - D).conjugate()
            A[1, 0], A[1, 1] = (d + D).conjugate(), r.conjugate()
        else:
            A[0, 0], A[0, 1] = (d - D).conjugate(), r.conjugate()
            A[1, 0], A[1, 1] = q.conjugate(), (D - d).conjugate()
    for i in range(2):
        power = (
            G[i, 0, 0].real * _square(A[i, 0])
            + G[i, 1, 1].real * _square(A[i, 1])
            + 2 * (A[i, 0] * G[i, 0, 1] * A[i, 1].conjugate()).real
        )
        scale = 1 / np.sqrt(power) if power > 0 else 1.0
        scale /= size_m if i == 0 else size_n
        A[i, 0] *= scale
        A[i, 1] *= scale


@jit
def _unit_trace(G):
    """Divide G by its trace; returns the root of that."""
    trace = G[0, 0].real + G[1, 1].real
    if not trace > 0:
        return 1.0
    for i in range(2):
        for j in range(2):
            G[i, j] /= trace
    return np.sqrt(trace)


@jit
def _log_determinant(M):
    """log|det M|, by elimination; M is overwritten."""
    none = np.empty((M.shape[0], 0), M.dtype)
    _solve(M, none)
    total = 0.0
    for i in range(M.shape[0]):
        total -= 0.5 * np.log(_square(M[i, i]))  # the inverse pivots
    return total


@jit
def _square(z):
    return z.real * z.real + z.imag * z.imag
