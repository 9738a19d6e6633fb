"""Compiled twins of the updates for one frequency: V (n_weights, n, n) to B (n, n) and log|det B|.

B comes in as the identity.
"""

import numpy as np

from anmf._core.jit import jit


@jit
def iss(V, B):
    """Twin of `anmf.iva.iss.iss`.

    In the turn of row k, row m of B has entries in the columns before k and in column m only.
    """
    n_weights, n = V.shape[0], V.shape[1]
    v = np.zeros(n, V.dtype)
    product = 1.0
    for k in range(n):
        for m in range(n):
            w = min(m, n_weights - 1)
            power, z = 0.0, complex(0.0)
            for i in range(k + 1):
                a = _row_times(V, w, i, B, k, k + 1)
                power += B[k, i].real * a.real - B[k, i].imag * a.imag
                z += B[m, i] * a
            if m > k:
                z += B[m, m] * _row_times(V, w, m, B, k, k + 1)
            v[m] = 0
            if power > 0:
                if m == k:
                    scale = 1 / np.sqrt(power)
                    v[m] = 1 - scale
                    product *= scale
                else:
                    v[m] = complex(z.real / power, z.imag / power)
        for m in range(n):
            if m != k:
                for c in range(k + 1):
                    B[m, c] -= v[m] * B[k, c]
        for c in range(k + 1):
            B[k, c] *= 1 - v[k].real
    return np.log(product)


@jit
def _row_times(V, w, i, B, k, size):
    """Entry i of V_w b_kᴴ, where b_k has entries in the first columns only."""
    z = V[w, i, 0] * B[k, 0].conjugate()
    for j in range(1, size):
        z += V[w, i, j] * B[k, j].conjugate()
    return z


@jit
def iss2(V, B):
    """Twin of `anmf.iva.iss2.iss2`."""
    n_weights, n = V.shape[0], V.shape[1]
    G, A = np.empty((2, 2, 2), V.dtype), np.empty((2, 2), V.dtype)
    u = np.empty((2, n), V.dtype)
    rows = B.copy()
    gain = 0.0
    for first in range(1 if n == 2 else n):
        m, o = first, (first + 1) % n
        for k in range(n):
            w = min(k, n_weights - 1)
            for i in range(n):
                u[0, i] = _row_times(V, w, i, B, m, n)
                u[1, i] = _row_times(V, w, i, B, o, n)
            a, c = _product(B, m, u, 0).real, _product(B, o, u, 1).real
            b = _product(B, m, u, 1)
            if k in (m, o):
                s = 0 if k == m else 1
                G[s, 0, 0], G[s, 0, 1], G[s, 1, 0], G[s, 1, 1] = a, b, b.conjugate(), c
                continue
            det = a * c - (b.real * b.real + b.imag * b.imag)
            if det > 0:
                f, g = _product(B, k, u, 0), _product(B, k, u, 1)
                p, q = (f * c - g * b.conjugate()) / det, (g * a - f * b) / det
                for j in range(n):
                    rows[k, j] -= p * B[m, j] + q * B[o, j]
        demix_pair(G, A)
        for j in range(n):
            rows[m, j] = A[0, 0] * B[m, j] + A[0, 1] * B[o, j]
            rows[o, j] = A[1, 0] * B[m, j] + A[1, 1] * B[o, j]
        B[:] = rows
        gain += _log_determinant(A)
    return gain


@jit
def _product(B, k, u, s):
    """b_k u_s."""
    z = B[k, 0] * u[s, 0]
    for j in range(1, B.shape[0]):
        z += B[k, j] * u[s, j]
    return z


@jit
def ip(V, B):
    """Twin of `anmf.iva.ip.ip`."""
    n_weights, n = V.shape[0], V.shape[1]
    M, u = np.empty((n, n), V.dtype), np.empty((n, 1), V.dtype)
    gain = 0.0
    for k in range(n):
        w = min(k, n_weights - 1)
        _system(B, V, w, k, M)
        u[:] = 0
        u[k, 0] = 1
        _solve(M, u)
        power = 0.0
        for i in range(n):
            z = V[w, i, 0] * u[0, 0]
            for j in range(1, n):
                z += V[w, i, j] * u[j, 0]
            power += u[i, 0].real * z.real + u[i, 0].imag * z.imag
        if power > 0:
            scale = 1 / np.sqrt(power)
            for i in range(n):
                B[k, i] = scale * u[i, 0].conjugate()
            gain -= np.log(scale)
    return gain


@jit
def ip2(V, B):
    """Twin of `anmf.iva.ip2.ip2`."""
    n_weights, n = V.shape[0], V.shape[1]
    M, P = np.empty((n, n), V.dtype), np.empty((2, n, 2), V.dtype)
    G, A = np.empty((2, 2, 2), V.dtype), np.empty((2, 2), V.dtype)
    gain = 0.0
    for first in range(1 if n == 2 else n):
        pair = first, (first + 1) % n
        for s in range(2):
            w = min(pair[s], n_weights - 1)
            _system(B, V, w, n, M)
            P[s] = 0
            P[s, pair[0], 0] = P[s, pair[1], 1] = 1
            _solve(M, P[s])
            _inverse_gram(V[w], P[s], G[s])
        demix_pair(G, A)
        for s in range(2):
            p = A[s, 0] * G[s, 0, 0] + A[s, 1] * G[s, 1, 0]
            q = A[s, 0] * G[s, 0, 1] + A[s, 1] * G[s, 1, 1]
            for i in range(n):
                B[pair[s], i] = p * P[s, i, 0].conjugate() + q * P[s, i, 1].conjugate()
        gain += _log_determinant(A)
    return gain


@jit
def _system(B, V, w, size, M):
    """M = B V_w, of which rows from `size` on are those of V_w."""
    n = M.shape[0]
    for i in range(n):
        for j in range(n):
            if i >= size:
                M[i, j] = V[w, i, j]
                continue
            z = B[i, 0] * V[w, 0, j]
            for c in range(1, n):
                z += B[i, c] * V[w, c, j]
            M[i, j] = z


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
def _inverse_gram(V, P, G):
    """G = (Pᴴ V P)⁻¹, 2 × 2."""
    n = P.shape[0]
    a, b, c = 0.0, complex(0.0), 0.0
    for i in range(n):
        f, g = V[i, 0] * P[0, 0], V[i, 0] * P[0, 1]
        for j in range(1, n):
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
    """Twin of `anmf.iva.pairwise.demix_pair`; G (2, 2, 2) holds G_m and G_n."""
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
        A[i, 0] *= scale
        A[i, 1] *= scale


@jit
def _log_determinant(A):
    return 0.5 * np.log(_square(A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]))


@jit
def _square(z):
    return z.real * z.real + z.imag * z.imag
