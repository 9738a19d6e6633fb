"""Compiled twins for `anmf.iva.unrolled`: a pass over the frames of one frequency after another.

A sweep of ISS sees the frames only through V_m = ⟨φ_m y yᴴ⟩, and it multiplies y by a matrix B. So
turns of sources, and their reverse passes, are small algebra in double precision; long loops are
those over tiles of real planes that stay in the cache. V is of the current estimates y, not of the
microphones, so that it is well conditioned.
"""

import numpy as np

from anmf._core.jit import inlined, jit
from anmf.iva.unrolled import FLOOR


def power(X, W):
    """Twin of `anmf.iva.unrolled.power`."""
    X, W = _stacked(X, W)
    P = np.empty((*W.shape[:3], X.shape[3]), X.real.dtype)
    _power(_merged(X), _merged(W), _merged(P))
    return P


def power_reverse(gpower, X, W):
    """Twin of `anmf.iva.unrolled.power_reverse`."""
    X, W = _stacked(X, W)
    gW = np.empty_like(W)
    _power_reverse(_merged(_real(gpower, X)), _merged(X), _merged(W), _merged(gW))
    return gW


def next_demixing(X, W, weights, floor=FLOOR):
    """Twin of `anmf.iva.unrolled.next_demixing`."""
    X, W = _stacked(X, W)
    after = np.empty_like(W)
    _next_demixing(X, W, _real(weights, X), floor, after)
    return after


def next_demixing_reverse(gW, X, W, weights, floor=FLOOR):
    """Twin of `anmf.iva.unrolled.next_demixing_reverse`."""
    X, W = _stacked(X, W)
    weights, gW = _real(weights, X), np.ascontiguousarray(gW, dtype=X.dtype)
    before, gweights = np.empty_like(W), np.zeros_like(weights)
    _next_demixing_reverse(gW, X, W, weights, floor, before, gweights)
    return before, gweights


def _stacked(X, W):
    """Both without gaps and of the type of X."""
    return np.ascontiguousarray(X), np.ascontiguousarray(W, dtype=X.dtype)


def _real(a, X):
    return np.ascontiguousarray(a, dtype=X.real.dtype)


def _merged(A):
    """A view with batch and frequencies in one axis."""
    return A.reshape(-1, *A.shape[2:])


@jit
def _power(X, W, P):
    x, y = _tiles(X[0], W[0])
    for f in range(len(X)):
        _demix(X[f], W[f], x, y)
        for s in range(W.shape[1]):
            for t in range(X.shape[2]):
                P[f, s, t] = y[0, s, t] * y[0, s, t] + y[1, s, t] * y[1, s, t]


@jit
def _power_reverse(gpower, X, W, gW):
    x, y = _tiles(X[0], W[0])
    for f in range(len(X)):
        _demix(X[f], W[f], x, y)
        for s in range(W.shape[1]):
            for t in range(X.shape[2]):
                twice = 2 * gpower[f, s, t]
                y[0, s, t] *= twice
                y[1, s, t] *= twice
        gW[f] = 0
        _add_correlation(y, x, gW[f])


@jit
def _next_demixing(X, W, weights, floor, after):
    n, n_frames = W.shape[2], X.shape[3]
    x, y = _tiles(X[0, 0], W[0, 0])
    p = np.empty((n, n, n_frames), x.dtype)
    V, B = np.empty((n, n, n), np.complex128), np.empty((n + 1, n, n), np.complex128)
    v, d = np.empty((n, n), np.complex128), np.empty((n, n))
    for b in range(X.shape[0]):
        for f in range(X.shape[1]):
            phi = weights[b, min(f, weights.shape[1] - 1)]
            _demix(X[b, f], W[b, f], x, y)
            _products(y, p)
            _covariances(p, phi, V)
            _steer(V, floor, B, v, d)
            _multiply(B[n], W[b, f], after[b, f])


@jit
def _next_demixing_reverse(gW, X, W, weights, floor, before, gweights):
    n, n_frames = W.shape[2], X.shape[3]
    x, y = _tiles(X[0, 0], W[0, 0])
    p, gy = np.empty((n, n, n_frames), x.dtype), np.empty_like(y)
    V, B = np.empty((n, n, n), np.complex128), np.empty((n + 1, n, n), np.complex128)
    v, d = np.empty((n, n), np.complex128), np.empty((n, n))
    gV, gB = np.empty((n, n, n), np.complex128), np.empty((n, n), np.complex128)
    for b in range(X.shape[0]):
        for f in range(X.shape[1]):
            band = min(f, weights.shape[1] - 1)
            phi = weights[b, band]
            _demix(X[b, f], W[b, f], x, y)
            _products(y, p)
            _covariances(p, phi, V)
            _steer(V, floor, B, v, d)
            _multiply_reverse(gW[b, f], B[n], W[b, f], gB, before[b, f])
            _steer_reverse(gB, V, B, v, d, floor, gV)
            _add_to_weights(gV, p, gweights[b, band])
            _to_frames(gV, phi, y, gy)
            _add_correlation(gy, x, before[b, f])


@jit
def _tiles(x, w):
    """Empty planes (2, n_channels, n_frames) and (2, n_sources, n_frames) for `_demix`."""
    real = x.real
    wide = np.empty((2, *x.shape), real.dtype)
    return wide, np.empty((2, w.shape[0], x.shape[1]), real.dtype)


@inlined
def _demix(X, W, x, y):
    """Planes of X and of W X."""
    for c in range(X.shape[0]):
        for t in range(X.shape[1]):
            x[0, c, t] = X[c, t].real
            x[1, c, t] = X[c, t].imag
    y[:] = 0
    for s in range(W.shape[0]):
        for c in range(X.shape[0]):
            a, b = W[s, c].real, W[s, c].imag
            for t in range(X.shape[1]):
                y[0, s, t] += a * x[0, c, t] - b * x[1, c, t]
                y[1, s, t] += a * x[1, c, t] + b * x[0, c, t]


@inlined
def _add_correlation(y, x, W):
    """Σ_t y xᴴ of planes is added to W."""
    zero = y.dtype.type(0)
    for s in range(W.shape[0]):
        for c in range(W.shape[1]):
            re = im = zero
            for t in range(y.shape[2]):
                re += y[0, s, t] * x[0, c, t] + y[1, s, t] * x[1, c, t]
                im += y[1, s, t] * x[0, c, t] - y[0, s, t] * x[1, c, t]
            W[s, c] += re + 1j * im


@inlined
def _products(y, p):
    """p (n, n, n_frames): Re y_i ȳ_j in row i and Im y_i ȳ_j in row j, for j at most i."""
    for i in range(y.shape[1]):
        for t in range(y.shape[2]):
            p[i, i, t] = y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]
        for j in range(i):
            for t in range(y.shape[2]):
                p[i, j, t] = y[0, i, t] * y[0, j, t] + y[1, i, t] * y[1, j, t]
                p[j, i, t] = y[1, i, t] * y[0, j, t] - y[0, i, t] * y[1, j, t]


@inlined
def _covariances(p, phi, V):
    """V_m = ⟨φ_m y yᴴ⟩ of `_products`."""
    zero = p.dtype.type(0)
    for m in range(V.shape[0]):
        for i in range(V.shape[0]):
            for j in range(i + 1):
                re = im = zero
                for t in range(p.shape[2]):
                    re += phi[m, t] * p[i, j, t]
                    im += phi[m, t] * p[j, i, t]
                V[m, i, j] = complex(re, 0.0 if i == j else im) / p.shape[2]
                V[m, j, i] = np.conj(V[m, i, j])


@jit
def _steer(V, floor, B, v, d):
    """B[s] before the turn of source s, B[n] at the end; its v and ⟨φ_m |y_s|²⟩ in row s."""
    n = len(V)
    B[0] = 0
    for i in range(n):
        B[0, i, i] = 1
    for s in range(n):
        for m in range(n):
            along, total = 0j, 0.0
            for i in range(n):
                u = 0j
                for j in range(n):
                    u += V[m, i, j] * np.conj(B[s, s, j])
                along += B[s, m, i] * u
                total += (B[s, s, i] * u).real
            d[s, m], safe = total, max(total, floor)
            v[s, m] = 1 - 1 / np.sqrt(safe) if m == s else along / safe
            if total <= 0:
                v[s, m] = 0
        for m in range(n):
            for i in range(n):
                B[s + 1, m, i] = B[s, m, i] - v[s, m] * B[s, s, i]


@jit
def _steer_reverse(G, V, B, v, d, floor, gV):
    """From G = ∂L/∂B[n], which is overwritten, to ∂L/∂V_m + (∂L/∂V_m)ᴴ."""
    n, back = len(V), np.empty(len(V), np.complex128)
    gV[:] = 0
    for s in range(n - 1, -1, -1):
        back[:] = 0
        for m in range(n):
            gv = 0j
            for i in range(n):
                gv -= G[m, i] * np.conj(B[s, s, i])
                back[i] -= np.conj(v[s, m]) * G[m, i]
            gn, gd = _turn_reverse(gv, v[s, m], d[s, m], floor, m == s)
            for i in range(n):
                u, w = 0j, 0j
                for j in range(n):
                    u += V[m, i, j] * np.conj(B[s, s, j])
                    w += V[m, i, j] * np.conj(B[s, m, j])
                    gV[m, i, j] += gn * np.conj(B[s, m, i]) * B[s, s, j]
                    gV[m, i, j] += np.conj(gn) * np.conj(B[s, s, i]) * B[s, m, j]
                    gV[m, i, j] += 2 * gd * np.conj(B[s, s, i]) * B[s, s, j]
                back[i] += np.conj(gn * w) + 2 * gd * np.conj(u)
                G[m, i] += gn * np.conj(u)
        G[s] += back


@inlined
def _turn_reverse(gv, v, d, floor, own):
    """Gradients with respect to numerator and denominator of v."""
    safe = max(d, floor)
    gn = 0j if own or d <= 0 else gv / safe
    gd = gv.real / (2 * safe * np.sqrt(safe)) if own else -(np.conj(gv) * v).real / safe
    return gn, gd if d > floor else 0.0


@inlined
def _add_to_weights(gV, p, gweights):
    """½ yᴴ (∂L/∂V_m + (∂L/∂V_m)ᴴ) y / T is added for every frame."""
    real = p.dtype.type
    for m in range(len(gV)):
        for i in range(len(gV)):
            for j in range(i + 1):
                a = real(gV[m, i, j].real / ((2 if i == j else 1) * p.shape[2]))
                b = real(0.0 if i == j else gV[m, i, j].imag / p.shape[2])
                for t in range(p.shape[2]):
                    gweights[m, t] += a * p[i, j, t] + b * p[j, i, t]


@inlined
def _to_frames(gV, phi, y, gy):
    """∂L/∂y = Σ_m φ_m (∂L/∂V_m + (∂L/∂V_m)ᴴ) y / T in every frame."""
    real = y.dtype.type
    gy[:] = 0
    for m in range(len(gV)):
        for i in range(len(gV)):
            for j in range(len(gV)):
                a, b = real(gV[m, i, j].real / y.shape[2]), real(gV[m, i, j].imag / y.shape[2])
                for t in range(y.shape[2]):
                    q = phi[m, t]
                    gy[0, i, t] += q * (a * y[0, j, t] - b * y[1, j, t])
                    gy[1, i, t] += q * (a * y[1, j, t] + b * y[0, j, t])


@inlined
def _multiply(B, W, after):
    """B W."""
    for i in range(B.shape[0]):
        for c in range(W.shape[1]):
            total = 0j
            for j in range(B.shape[0]):
                total += B[i, j] * W[j, c]
            after[i, c] = total


@inlined
def _multiply_reverse(gW, B, W, gB, before):
    """∂L/∂B = G Wᴴ and ∂L/∂W = Bᴴ G of B W, from G after it."""
    before[:] = 0
    for i in range(B.shape[0]):
        for j in range(B.shape[0]):
            total = 0j
            for c in range(W.shape[1]):
                total += gW[i, c] * np.conj(W[j, c])
                before[j, c] += np.conj(B[i, j]) * gW[i, c]
            gB[i, j] = total
