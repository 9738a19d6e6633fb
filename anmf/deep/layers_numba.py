"""Compiled twins of the layers that gain from it: one pass over memory in place of many.

Matrix products stay with BLAS. Gates and other layers that work point by point stay with NumPy:
its SIMD loops of exponentials are fast, and the rest of their time goes into moving memory.
"""

import numpy as np

from anmf._core.jit import jit


def _rows(x):
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def layer_norm(x, gain, bias, epsilon=1e-5):
    """Twin of `anmf.deep.layers.layer_norm`."""
    X = _rows(x)
    y, normal, scale = np.empty_like(X), np.empty_like(X), np.empty_like(X[:, :1])
    _layer_norm(X, gain, bias, X.dtype.type(epsilon), y, normal, scale)
    return y.reshape(x.shape), normal.reshape(x.shape), scale.reshape(*x.shape[:-1], 1)


@jit
def _layer_norm(X, gain, bias, epsilon, y, normal, scale):
    n = X.shape[1]
    share = X.dtype.type(1 / n)
    for t in range(X.shape[0]):
        mean = X.dtype.type(0)
        for c in range(n):
            mean += X[t, c]
        mean *= share
        power = X.dtype.type(0)
        for c in range(n):
            power += (X[t, c] - mean) ** 2
        r = 1 / np.sqrt(power * share + epsilon)
        for c in range(n):
            normal[t, c] = (X[t, c] - mean) * r
            y[t, c] = normal[t, c] * gain[c] + bias[c]
        scale[t, 0] = r


def layer_norm_reverse(gy, normal, scale, gain):
    """Twin of `anmf.deep.layers.layer_norm_reverse`."""
    G = _rows(gy)
    gx, ggain, gbias = np.empty_like(G), np.zeros_like(G[0]), np.zeros_like(G[0])
    _layer_norm_reverse(G, _rows(normal), scale.reshape(-1), gain, gx, ggain, gbias)
    return gx.reshape(gy.shape), ggain, gbias


@jit
def _layer_norm_reverse(G, normal, scale, gain, gx, ggain, gbias):
    n = G.shape[1]
    share = G.dtype.type(1 / n)
    for t in range(G.shape[0]):
        mean, along = G.dtype.type(0), G.dtype.type(0)
        for c in range(n):
            h = G[t, c] * gain[c]
            mean += h
            along += h * normal[t, c]
        mean, along, r = mean * share, along * share, scale[t]
        for c in range(n):
            gx[t, c] = r * (G[t, c] * gain[c] - mean - normal[t, c] * along)
            ggain[c] += G[t, c] * normal[t, c]
            gbias[c] += G[t, c]


def unit_length(x, epsilon=1e-6):
    """Twin of `anmf.deep.layers.unit_length`."""
    X = _rows(x)
    y, scale = np.empty_like(X), np.empty_like(X[:, :1])
    _unit_length(X, X.dtype.type(epsilon), y, scale)
    return y.reshape(x.shape), scale.reshape(*x.shape[:-1], 1)


@jit
def _unit_length(X, epsilon, y, scale):
    for t in range(X.shape[0]):
        power = X.dtype.type(0)
        for c in range(X.shape[1]):
            power += X[t, c] ** 2
        r = 1 / np.sqrt(power + epsilon)
        for c in range(X.shape[1]):
            y[t, c] = X[t, c] * r
        scale[t, 0] = r


def unit_length_reverse(gy, y, scale):
    """Twin of `anmf.deep.layers.unit_length_reverse`."""
    G = _rows(gy)
    gx = np.empty_like(G)
    _unit_length_reverse(G, _rows(y), scale.reshape(-1), gx)
    return gx.reshape(gy.shape)


@jit
def _unit_length_reverse(G, y, scale, gx):
    for t in range(G.shape[0]):
        along, r = G.dtype.type(0), scale[t]
        for c in range(G.shape[1]):
            along += G[t, c] * y[t, c]
        for c in range(G.shape[1]):
            gx[t, c] = r * (G[t, c] - y[t, c] * along)


def depthwise(x, W, dilation=1):
    """Twin of `anmf.deep.convolution.depthwise`."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    _depthwise(x, W, dilation, y)
    return y


@jit
def _depthwise(x, W, dilation, y):
    middle, n_times = W.shape[0] // 2, x.shape[1]
    for b in range(x.shape[0]):
        for t in range(n_times):
            for c in range(x.shape[2]):
                y[b, t, c] = W[middle, c] * x[b, t, c]
            for k in range(W.shape[0]):
                s = t + (k - middle) * dilation
                if k != middle and 0 <= s < n_times:
                    for c in range(x.shape[2]):
                        y[b, t, c] += W[k, c] * x[b, s, c]


def depthwise_reverse(gy, x, W, dilation=1):
    """Twin of `anmf.deep.convolution.depthwise_reverse`."""
    gy, x = np.ascontiguousarray(gy), np.ascontiguousarray(x)
    gx, gW = np.empty_like(x), np.zeros_like(W)
    _depthwise(gy, W[::-1].copy(), dilation, gx)
    _depthwise_weights(gy, x, dilation, gW)
    return gx, gW


@jit
def _depthwise_weights(gy, x, dilation, gW):
    middle, n_times = gW.shape[0] // 2, x.shape[1]
    for b in range(x.shape[0]):
        for t in range(n_times):
            for k in range(gW.shape[0]):
                s = t + (k - middle) * dilation
                if 0 <= s < n_times:
                    for c in range(x.shape[2]):
                        gW[k, c] += gy[b, t, c] * x[b, s, c]
