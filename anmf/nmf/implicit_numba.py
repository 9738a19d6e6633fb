"""Compiled twins of the functions in `implicit`."""

import numpy as np

from anmf._core.jit import jit
from anmf.nmf import implicit
from anmf.nmf.updates_numba import aligned, cholesky_solve


@jit
def _support_solve(H, B, G, guard, Z):
    n, k = H.shape
    support = np.empty(k, np.intp)
    system = np.empty((k, k))
    b = np.empty(k)
    for i in range(n):
        size = 0
        for t in range(k):
            if H[i, t] > 0:
                support[size] = t
                size += 1
        for a in range(size):
            row = G[support[a]]
            b[a] = B[i, support[a]]
            for c in range(a + 1):
                system[a, c] = row[support[c]]
            system[a, a] += guard
        cholesky_solve(system, b, size)
        for a in range(size):
            Z[i, support[a]] = b[a]


@jit
def _mask_loss(V, U, P, least, floor, loss, gradient):
    n_sources, n, m = P.shape
    inverse = np.empty(m, P.dtype)
    mean = np.empty(m, P.dtype)
    for i in range(n):
        v = V[i]
        for j in range(m):
            inverse[j] = least * n_sources
        for s in range(n_sources):
            p = P[s, i]
            for j in range(m):
                inverse[j] += p[j]
        for j in range(m):
            inverse[j] = 1 / inverse[j]
            mean[j] = 0
        value = 0.0
        for s in range(n_sources):
            p, u, g = P[s, i], U[s, i], gradient[s, i]
            energy = floor
            for j in range(m):
                g[j] = (p[j] + least) * inverse[j] * v[j] - u[j]
                energy += g[j] * g[j]
            value += np.log(energy) / 2
            scale = 1 / energy
            for j in range(m):
                g[j] *= scale
                mean[j] += g[j] * (p[j] + least) * inverse[j]
        for j in range(m):
            inverse[j] *= v[j]
        for s in range(n_sources):
            g = gradient[s, i]
            for j in range(m):
                g[j] = (g[j] - mean[j]) * inverse[j]
        loss[i] = value


def support_solve(H, B, G):
    """Twin of `anmf.nmf.implicit.support_solve`; the small systems are in double precision."""
    H, B, G = aligned(H, B, G)
    Z = np.zeros_like(H)
    _support_solve(H, B, G, implicit.RIDGE * float(np.diag(G).max()), Z)
    return Z


def mask_loss(V, U, P, least, floor):
    """Twin of `anmf.nmf.implicit.mask_loss`."""
    V, U, P = aligned(V, U, P)
    loss, gradient = np.empty(len(V), V.dtype), np.empty_like(P)
    _mask_loss(V, U, P, V.dtype.type(least), V.dtype.type(floor), loss, gradient)
    return loss, gradient
