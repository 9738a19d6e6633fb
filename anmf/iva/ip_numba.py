"""IP, compiled, for `LANES` frequencies side by side, as in `anmf.iva.iss_numba`."""

import numpy as np

from anmf._core.jit import inlined, jit
from anmf.iva.iss_numba import LANES


@jit
def ip(V, B):
    """Twin of `anmf.iva.ip.ip`, as `iss`; the inverse of B goes along."""
    n_weights, n = V.shape[1], V.shape[2]
    M, F, u, c = B.copy(), np.empty_like(B), np.empty((2, n, LANES)), np.empty((2, n, LANES))
    power, z, gain = np.empty(LANES), np.empty((2, LANES)), np.zeros(LANES)
    for k in range(n):
        w = min(k, n_weights - 1)
        _factorize(V, w, F)
        _solve(F, M, k, u)
        power[:] = 0
        for i in range(n):
            z[:] = 0
            for j in range(n):
                for l in range(LANES):  # noqa: E741
                    a, b = V[0, w, i, j, l], V[1, w, i, j, l]
                    z[0, l] += a * u[0, j, l] - b * u[1, j, l]
                    z[1, l] += a * u[1, j, l] + b * u[0, j, l]
            for l in range(LANES):  # noqa: E741
                power[l] += u[0, i, l] * z[0, l] + u[1, i, l] * z[1, l]
        for l in range(LANES):  # noqa: E741
            gain[l] += 0.5 * np.log(power[l]) if power[l] > 0 else 0.0
        for i in range(n):
            for l in range(LANES):  # noqa: E741
                fine, scale = power[l] > 0, 1 / np.sqrt(power[l] if power[l] > 0 else 1.0)
                B[0, k, i, l] = scale * u[0, i, l] if fine else B[0, k, i, l]
                B[1, k, i, l] = -scale * u[1, i, l] if fine else B[1, k, i, l]
        if k < n - 1:
            _replace(M, B, k, c, u)
    return gain


@inlined
def _factorize(V, w, F):
    """L D Lᴴ of V_w, made definite; L lies below the diagonal of F, D on it."""
    n, eps = F.shape[1], np.finfo(np.float64).eps
    for j in range(n):
        for r in range(j, n):
            for l in range(LANES):  # noqa: E741
                F[0, r, j, l], F[1, r, j, l] = V[0, w, r, j, l], V[1, w, r, j, l]
        for i in range(n):
            for l in range(LANES):  # noqa: E741
                F[0, j, j, l] += eps * V[0, w, i, i, l]
        for i in range(j):
            for r in range(j, n):
                for l in range(LANES):  # noqa: E741
                    d = F[0, i, i, l]
                    a, b, x, y = F[0, r, i, l], F[1, r, i, l], F[0, j, i, l], F[1, j, i, l]
                    F[0, r, j, l] -= d * (a * x + b * y)
                    F[1, r, j, l] -= d * (b * x - a * y)
        for l in range(LANES):  # noqa: E741
            F[0, j, j, l] = F[0, j, j, l] if F[0, j, j, l] > 0 else 1.0
        for r in range(j + 1, n):
            for l in range(LANES):  # noqa: E741
                F[0, r, j, l] /= F[0, j, j, l]
                F[1, r, j, l] /= F[0, j, j, l]


@inlined
def _solve(F, M, k, u):
    """u = (L D Lᴴ)⁻¹ m, with column k of M."""
    n = F.shape[1]
    for i in range(n):
        for l in range(LANES):  # noqa: E741
            u[0, i, l], u[1, i, l] = M[0, i, k, l], M[1, i, k, l]
        for j in range(i):
            for l in range(LANES):  # noqa: E741
                a, b = F[0, i, j, l], F[1, i, j, l]
                u[0, i, l] -= a * u[0, j, l] - b * u[1, j, l]
                u[1, i, l] -= a * u[1, j, l] + b * u[0, j, l]
    for i in range(n - 1, -1, -1):
        for l in range(LANES):  # noqa: E741
            u[0, i, l] /= F[0, i, i, l]
            u[1, i, l] /= F[0, i, i, l]
        for j in range(i + 1, n):
            for l in range(LANES):  # noqa: E741
                a, b = F[0, j, i, l], -F[1, j, i, l]
                u[0, i, l] -= a * u[0, j, l] - b * u[1, j, l]
                u[1, i, l] -= a * u[1, j, l] + b * u[0, j, l]


@inlined
def _replace(M, B, k, c, m):
    """M ← B⁻¹ after row k of B has changed: M − m (b_k M − e_k) / (b_k m), m being column k."""
    n = M.shape[1]
    for j in range(n):
        for l in range(LANES):  # noqa: E741
            m[0, j, l], m[1, j, l] = M[0, j, k, l], M[1, j, k, l]
            c[0, j, l], c[1, j, l] = 0, 0
        for i in range(n):
            for l in range(LANES):  # noqa: E741
                a, b = B[0, k, i, l], B[1, k, i, l]
                c[0, j, l] += a * M[0, i, j, l] - b * M[1, i, j, l]
                c[1, j, l] += a * M[1, i, j, l] + b * M[0, i, j, l]
    for j in range(n):
        for i in range(n):
            for l in range(LANES):  # noqa: E741
                p, q = c[0, k, l], c[1, k, l]
                size = p * p + q * q
                x, y = c[0, j, l] - (1.0 if j == k else 0.0), c[1, j, l]
                x, y = (x * p + y * q) / size, (y * p - x * q) / size
                M[0, i, j, l] -= m[0, i, l] * x - m[1, i, l] * y
                M[1, i, j, l] -= m[0, i, l] * y + m[1, i, l] * x
