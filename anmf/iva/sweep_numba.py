"""One iteration over the data, compiled: every frequency is read and written once."""

import numpy as np

from anmf._core.jit import jit
from anmf.iva.algebra_numba import ip, ip2
from anmf.iva.lanes_numba import LANES, iss, iss2
from anmf.iva.tile_numba import covariances, demix, dereverberate


@jit
def sweep(code, Y, X, G, n_frames, delay, n_bins, weights, power, first, last):
    """Y ← B Y for the frequencies from `first` to before `last`.

    Parameters
    ----------
    code : int
        The update, from `anmf.iva.estimates.COMPILED`.
    Y : real ndarray (n_frequencies, 2, n_channels, n_columns)
        Real and imaginary parts of the estimates; overwritten.
    X : real ndarray (n_frequencies, 2, n_channels, n_columns)
        The microphones.
    G : complex128 ndarray (n_frequencies, n_taps, n_channels, n_channels)
        Filters of `anmf.iva.dereverberation`, overwritten; without taps, X isn't used.
    n_frames : int
        The columns that are frames; the others stand for covariances.
    delay : int
    n_bins : int
        Frequencies in a band; the last has what is left, too.
    weights : real ndarray (n_bands or 1, n_weights, n_columns)
    power : real ndarray (n_bands, n_channels, n_columns)
        |Y|² is added.
    first, last : int

    Returns
    -------
    float
        Σ log|det B|.
    """
    n_channels, n_columns, n_weights = Y.shape[2], Y.shape[3], weights.shape[1]
    held = np.empty((2, n_channels if n_channels > 4 else 0, n_columns), Y.dtype)
    V = np.empty((2, n_weights, n_channels, n_channels, LANES))
    B = np.empty((2, n_channels, n_channels, LANES))
    gain = 0.0
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        _identities(B)
        for lane in range(n_lanes):
            f = start + lane
            g = min(f // n_bins, weights.shape[0] - 1)
            for tap in range(G.shape[1]):
                dereverberate(Y[f], X[f], weights[g], n_frames, delay + tap, G[f, tap])
            covariances(Y[f], weights[g], n_frames, V, lane)
        for lane in range(n_lanes, LANES):
            V[..., lane] = V[..., 0]
        gain += _update(code, V, B, n_lanes)
        for lane in range(n_lanes):
            f = start + lane
            demix(B, lane, Y[f], held, power[min(f // n_bins, power.shape[0] - 1)])
            for tap in range(G.shape[1]):
                _multiply(B, lane, G[f, tap])
    return gain


@jit
def measure(Y, n_bins, power, first, last):
    """Add |Y|² to `power` as `sweep` does."""
    for f in range(first, last):
        g = min(f // n_bins, power.shape[0] - 1)
        for i in range(power.shape[1]):
            for t in range(Y.shape[3]):
                power[g, i, t] += Y[f, 0, i, t] * Y[f, 0, i, t] + Y[f, 1, i, t] * Y[f, 1, i, t]


@jit
def _identities(B):
    B[:] = 0
    for i in range(B.shape[1]):
        B[0, i, i] = 1


@jit
def _update(code, V, B, n_lanes):
    """B of the frequencies that lie side by side; Σ log|det B| over those that count."""
    gain = 0.0
    if code >= 2:
        gains = iss(V, B) if code == 2 else iss2(V, B)
        for lane in range(n_lanes):
            gain += gains[lane]
        return gain
    one, matrix = np.empty(V.shape[1:4], np.complex128), np.empty(B.shape[1:3], np.complex128)
    for lane in range(n_lanes):
        for k in range(one.shape[0]):
            for i in range(one.shape[1]):
                for j in range(one.shape[1]):
                    one[k, i, j] = complex(V[0, k, i, j, lane], V[1, k, i, j, lane])
        matrix[:] = 0
        for i in range(matrix.shape[0]):
            matrix[i, i] = 1
        gain += ip(one, matrix) if code == 0 else ip2(one, matrix)
        for i in range(matrix.shape[0]):
            for j in range(matrix.shape[0]):
                B[0, i, j, lane], B[1, i, j, lane] = matrix[i, j].real, matrix[i, j].imag
    return gain


@jit
def _multiply(B, lane, G):
    """G ← B G, of one lane."""
    n, out = G.shape[0], np.zeros_like(G)
    for i in range(n):
        for j in range(n):
            b = complex(B[0, i, j, lane], B[1, i, j, lane])
            for c in range(n):
                out[i, c] += b * G[j, c]
    G[:] = out
