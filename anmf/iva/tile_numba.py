"""Compiled passes over the frames of one frequency: a tile that stays in the cache.

A tile y is real, (2, n_channels, n_frames): the real parts, then the imaginary parts, since loops
over real numbers become vector instructions. Matrices of several frequencies lie side by side,
(2, ..., LANES), for the same reason.
"""

import numpy as np

from anmf._core.jit import jit
from anmf.iva.covariance import LOADING


@jit
def covariances(y, weights, n_frames, V, lane):
    """V_k = (1/T) Σ_t φ_kt y_t y_tᴴ of a tile, the diagonal raised as in the reference.

    Parameters
    ----------
    y : real ndarray (2, n_channels, n_columns)
    weights : real ndarray (n_weights, n_columns)
    n_frames : int
        T.
    V : float64 ndarray (2, n_weights, n_channels, n_channels, LANES)
        Overwritten in one lane.
    lane : int
    """
    n_weights, scale, k = weights.shape[0], 1 / n_frames, 0
    while k < n_weights:
        if n_weights - k >= 4:
            _covariances_4(y, weights, V, lane, k, scale)
            k += 4
        elif n_weights - k == 3:
            _covariances_3(y, weights, V, lane, k, scale)
            k += 3
        elif n_weights - k == 2:
            _covariances_2(y, weights, V, lane, k, scale)
            k += 2
        else:
            _covariances_1(y, weights, V, lane, k, scale)
            k += 1
    raised = 1 + LOADING * y.shape[1] * np.finfo(y.dtype).eps
    for k in range(n_weights):
        for i in range(y.shape[1]):
            V[0, k, i, i, lane] *= raised


@jit
def _covariances_4(y, weights, V, lane, k, scale):
    """Those under four rows of weights: what is loaded serves all."""
    zero = y.dtype.type(0)
    for i in range(y.shape[1]):
        for j in range(i):
            a = b = c = d = e = f = g = h = zero
            for t in range(y.shape[2]):
                re = y[0, i, t] * y[0, j, t] + y[1, i, t] * y[1, j, t]
                im = y[1, i, t] * y[0, j, t] - y[0, i, t] * y[1, j, t]
                a += weights[k, t] * re
                b += weights[k, t] * im
                c += weights[k + 1, t] * re
                d += weights[k + 1, t] * im
                e += weights[k + 2, t] * re
                f += weights[k + 2, t] * im
                g += weights[k + 3, t] * re
                h += weights[k + 3, t] * im
            _put(V, lane, k, i, j, scale * a, scale * b)
            _put(V, lane, k + 1, i, j, scale * c, scale * d)
            _put(V, lane, k + 2, i, j, scale * e, scale * f)
            _put(V, lane, k + 3, i, j, scale * g, scale * h)
        a = b = c = d = zero
        for t in range(y.shape[2]):
            p = y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]
            a += weights[k, t] * p
            b += weights[k + 1, t] * p
            c += weights[k + 2, t] * p
            d += weights[k + 3, t] * p
        _put(V, lane, k, i, i, scale * a, 0.0)
        _put(V, lane, k + 1, i, i, scale * b, 0.0)
        _put(V, lane, k + 2, i, i, scale * c, 0.0)
        _put(V, lane, k + 3, i, i, scale * d, 0.0)


@jit
def _covariances_3(y, weights, V, lane, k, scale):
    """Those under three rows of weights."""
    zero = y.dtype.type(0)
    for i in range(y.shape[1]):
        for j in range(i):
            a = b = c = d = e = f = zero
            for t in range(y.shape[2]):
                re = y[0, i, t] * y[0, j, t] + y[1, i, t] * y[1, j, t]
                im = y[1, i, t] * y[0, j, t] - y[0, i, t] * y[1, j, t]
                a += weights[k, t] * re
                b += weights[k, t] * im
                c += weights[k + 1, t] * re
                d += weights[k + 1, t] * im
                e += weights[k + 2, t] * re
                f += weights[k + 2, t] * im
            _put(V, lane, k, i, j, scale * a, scale * b)
            _put(V, lane, k + 1, i, j, scale * c, scale * d)
            _put(V, lane, k + 2, i, j, scale * e, scale * f)
        a = b = c = zero
        for t in range(y.shape[2]):
            p = y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]
            a += weights[k, t] * p
            b += weights[k + 1, t] * p
            c += weights[k + 2, t] * p
        _put(V, lane, k, i, i, scale * a, 0.0)
        _put(V, lane, k + 1, i, i, scale * b, 0.0)
        _put(V, lane, k + 2, i, i, scale * c, 0.0)


@jit
def _covariances_2(y, weights, V, lane, k, scale):
    """Those under two rows of weights: what is loaded serves all."""
    zero = y.dtype.type(0)
    for i in range(y.shape[1]):
        for j in range(i):
            a = b = c = d = zero
            for t in range(y.shape[2]):
                re = y[0, i, t] * y[0, j, t] + y[1, i, t] * y[1, j, t]
                im = y[1, i, t] * y[0, j, t] - y[0, i, t] * y[1, j, t]
                a += weights[k, t] * re
                b += weights[k, t] * im
                c += weights[k + 1, t] * re
                d += weights[k + 1, t] * im
            _put(V, lane, k, i, j, scale * a, scale * b)
            _put(V, lane, k + 1, i, j, scale * c, scale * d)
        a = b = zero
        for t in range(y.shape[2]):
            p = y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]
            a += weights[k, t] * p
            b += weights[k + 1, t] * p
        _put(V, lane, k, i, i, scale * a, 0.0)
        _put(V, lane, k + 1, i, i, scale * b, 0.0)


@jit
def _covariances_1(y, weights, V, lane, k, scale):
    """Those under one row of weights."""
    zero = y.dtype.type(0)
    for i in range(y.shape[1]):
        for j in range(i):
            a = b = zero
            for t in range(y.shape[2]):
                re = y[0, i, t] * y[0, j, t] + y[1, i, t] * y[1, j, t]
                im = y[1, i, t] * y[0, j, t] - y[0, i, t] * y[1, j, t]
                a += weights[k, t] * re
                b += weights[k, t] * im
            _put(V, lane, k, i, j, scale * a, scale * b)
        a = zero
        for t in range(y.shape[2]):
            p = y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]
            a += weights[k, t] * p
        _put(V, lane, k, i, i, scale * a, 0.0)


@jit
def _put(V, lane, k, i, j, re, im):
    V[0, k, i, j, lane] = V[0, k, j, i, lane] = re
    V[1, k, i, j, lane] = im
    V[1, k, j, i, lane] = -im


@jit
def demix(B, lane, y, held, power):
    """y ← B y for one lane of B (2, n, n, LANES), and |y|² is added to `power` (n, n_columns).

    `held` is overwritten, beyond four channels.
    """
    n_channels = y.shape[1]
    if n_channels == 2:
        _demix_2(B, lane, y)
    elif n_channels == 3:
        _demix_3(B, lane, y)
    elif n_channels == 4:
        _demix_4(B, lane, y)
    else:
        _demix_any(B, lane, y, held)
    for i in range(n_channels):
        for t in range(y.shape[2]):
            power[i, t] += y[0, i, t] * y[0, i, t] + y[1, i, t] * y[1, i, t]


@jit
def _demix_2(B, lane, y):
    """Two channels in registers."""
    a, b = _entry(y, B, lane, 0, 0), _entry(y, B, lane, 0, 1)
    c, d = _entry(y, B, lane, 1, 0), _entry(y, B, lane, 1, 1)
    for t in range(y.shape[2]):
        p, q = _get(y, 0, t), _get(y, 1, t)
        _set(y, 0, t, a * p + b * q)
        _set(y, 1, t, c * p + d * q)


@jit
def _demix_3(B, lane, y):
    """Three channels in registers."""
    a, b, c = _entry(y, B, lane, 0, 0), _entry(y, B, lane, 0, 1), _entry(y, B, lane, 0, 2)
    d, e, f = _entry(y, B, lane, 1, 0), _entry(y, B, lane, 1, 1), _entry(y, B, lane, 1, 2)
    g, h, i = _entry(y, B, lane, 2, 0), _entry(y, B, lane, 2, 1), _entry(y, B, lane, 2, 2)
    for t in range(y.shape[2]):
        p, q, r = _get(y, 0, t), _get(y, 1, t), _get(y, 2, t)
        _set(y, 0, t, a * p + b * q + c * r)
        _set(y, 1, t, d * p + e * q + f * r)
        _set(y, 2, t, g * p + h * q + i * r)


@jit
def _demix_4(B, lane, y):
    """Four channels in registers."""
    a, b, c, d = _row_of_4(y, B, lane, 0)
    e, f, g, h = _row_of_4(y, B, lane, 1)
    i, j, k, o = _row_of_4(y, B, lane, 2)
    l, m, n, u = _row_of_4(y, B, lane, 3)  # noqa: E741
    for t in range(y.shape[2]):
        p, q, r, s = _get(y, 0, t), _get(y, 1, t), _get(y, 2, t), _get(y, 3, t)
        _set(y, 0, t, a * p + b * q + c * r + d * s)
        _set(y, 1, t, e * p + f * q + g * r + h * s)
        _set(y, 2, t, i * p + j * q + k * r + o * s)
        _set(y, 3, t, l * p + m * q + n * r + u * s)


@jit
def _row_of_4(y, B, lane, i):
    a, b = _entry(y, B, lane, i, 0), _entry(y, B, lane, i, 1)
    return a, b, _entry(y, B, lane, i, 2), _entry(y, B, lane, i, 3)


@jit
def _demix_any(B, lane, y, held):
    """Any number of channels, two at a time, by way of `held`."""
    n_channels = y.shape[1]
    for i in range(n_channels):
        a = _entry(y, B, lane, i, 0)
        for t in range(y.shape[2]):
            _set(held, i, t, a * _get(y, 0, t))
        for j in range(1, n_channels - 1, 2):
            a, b = _entry(y, B, lane, i, j), _entry(y, B, lane, i, j + 1)
            for t in range(y.shape[2]):
                _set(held, i, t, _get(held, i, t) + a * _get(y, j, t) + b * _get(y, j + 1, t))
        if n_channels % 2 == 0:
            j = n_channels - 1
            a = _entry(y, B, lane, i, j)
            for t in range(y.shape[2]):
                _set(held, i, t, _get(held, i, t) + a * _get(y, j, t))
    y[:] = held


@jit
def _get(y, i, t):
    return complex(y[0, i, t], y[1, i, t])


@jit
def _set(y, i, t, z):
    y[0, i, t] = z.real
    y[1, i, t] = z.imag


@jit
def _entry(y, B, lane, i, j):
    """B_ij in the precision of y."""
    return complex(y.dtype.type(B[0, i, j, lane]), y.dtype.type(B[1, i, j, lane]))


@jit
def dereverberate(y, x, weights, n_frames, delay, G):
    """Twin of `anmf.iva.dereverberation.dereverberate` for one tap: G (n_channels, n_channels)."""
    zero = y.dtype.type(0)
    for c in range(x.shape[1]):
        for k in range(y.shape[1]):
            w = min(k, weights.shape[0] - 1)
            a = b = power = zero
            for t in range(delay, n_frames):
                p, q = x[0, c, t - delay], x[1, c, t - delay]
                a += weights[w, t] * (y[0, k, t] * p + y[1, k, t] * q)
                b += weights[w, t] * (y[1, k, t] * p - y[0, k, t] * q)
                power += weights[w, t] * (p * p + q * q)
            if power > 0:
                a /= power
                b /= power
                for t in range(delay, n_frames):
                    p, q = x[0, c, t - delay], x[1, c, t - delay]
                    y[0, k, t] -= a * p - b * q
                    y[1, k, t] -= a * q + b * p
                G[k, c] += complex(a, b)
