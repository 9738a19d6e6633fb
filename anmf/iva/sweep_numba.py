"""One iteration over the data, compiled: every frequency is read and written once."""

import numpy as np

from anmf._core.jit import jit
from anmf.iva.algebra_numba import ip, ip2, iss, iss2
from anmf.iva.tile_numba import covariances, demix, dereverberate


@jit
def sweep(code, Y, W, X, G, delay, past, n_bins, weights, power, first, last):
    """Y ← B Y and W ← B W for the frequencies from `first` to before `last`.

    Parameters
    ----------
    code : int
        The update, from `anmf.iva.estimates.COMPILED`.
    Y : real ndarray (n_frequencies, 2, n_channels, n_frames)
        Real and imaginary parts of the estimates; overwritten.
    W : complex128 ndarray (n_frequencies, n_channels, n_channels)
        Overwritten.
    X : real ndarray (n_frequencies, 2, n_channels, n_frames)
        The microphones.
    G : complex128 ndarray (n_frequencies, n_taps, n_channels, n_channels)
        Filters of `anmf.iva.dereverberation`, overwritten; without taps, X isn't used.
    delay : int
    past : complex128 ndarray (n_frequencies, n_weights or 1, n_channels, n_channels)
        Covariances of the microphones that are added to those of the frames.
    n_bins : int
        Frequencies in a band; the last has what is left, too.
    weights : real ndarray (n_bands or 1, n_weights, n_frames)
    power : real ndarray (n_bands, n_channels, n_frames)
        |Y|² is added.
    first, last : int

    Returns
    -------
    gain : float
        Σ log|det B|.
    penalty : float
        Σ w_k P_k w_kᴴ.
    """
    n_channels, n_frames = Y.shape[2], Y.shape[3]
    held = np.empty((2, n_channels if n_channels > 4 else 0, n_frames), Y.dtype)
    V = np.empty((weights.shape[1], n_channels, n_channels), W.dtype)
    B, product = np.empty((n_channels, n_channels), W.dtype), np.empty_like(W[0])
    gain = penalty = 0.0
    for f in range(first, last):
        band = f // n_bins
        g = min(band, weights.shape[0] - 1)
        for tap in range(G.shape[1]):
            dereverberate(Y[f], X[f], weights[g], delay + tap, G[f, tap])
        covariances(Y[f], weights[g], V)
        _add_past(W[f], past[f], V, product)
        B[:] = 0
        for i in range(n_channels):
            B[i, i] = 1
        if code == 0:
            gain += ip(V, B)
        elif code == 1:
            gain += ip2(V, B)
        elif code == 2:
            gain += iss(V, B)
        else:
            gain += iss2(V, B)
        demix(B, Y[f], held, power[min(band, power.shape[0] - 1)])
        _multiply(B, W[f], product)
        W[f] = product
        for k in range(n_channels):
            penalty += _quadratic(W[f], k, past[f, min(k, past.shape[1] - 1)])
        for tap in range(G.shape[1]):
            _multiply(B, G[f, tap], product)
            G[f, tap] = product
    return gain, penalty


@jit
def measure(Y, n_bins, power, first, last):
    """Add |Y|² to `power` as `sweep` does."""
    for f in range(first, last):
        g = min(f // n_bins, power.shape[0] - 1)
        for i in range(power.shape[1]):
            for t in range(Y.shape[3]):
                power[g, i, t] += Y[f, 0, i, t] * Y[f, 0, i, t] + Y[f, 1, i, t] * Y[f, 1, i, t]


@jit
def _add_past(W, past, V, held):
    """V_k ← V_k + W P_k Wᴴ; a single P serves all weights."""
    n, n_weights = W.shape[0], V.shape[0]
    for k in range(past.shape[0]):
        _multiply(W, past[k], held)
        for i in range(n):
            for j in range(i + 1):
                z = held[i, 0] * W[j, 0].conjugate()
                for c in range(1, n):
                    z += held[i, c] * W[j, c].conjugate()
                for m in range(k, n_weights if past.shape[0] == 1 else k + 1):
                    V[m, i, j] += z
                    V[m, j, i] = V[m, i, j].conjugate()


@jit
def _quadratic(W, k, P):
    """w_k P w_kᴴ."""
    total = 0.0
    for i in range(W.shape[1]):
        z = W[k, 0] * P[0, i]
        for j in range(1, W.shape[1]):
            z += W[k, j] * P[j, i]
        total += (z * W[k, i].conjugate()).real
    return total


@jit
def _multiply(B, W, out):
    """out = B W."""
    n = B.shape[0]
    for i in range(n):
        for c in range(n):
            z = B[i, 0] * W[0, c]
            for j in range(1, n):
                z += B[i, j] * W[j, c]
            out[i, c] = z
