"""One iteration over the data, compiled: every frequency is read and written once.

There is one function an update, so that only what is used has to be compiled. All take

Y : real ndarray (n_frequencies, 2, n_channels, n_columns)
    Real and imaginary parts of the estimates; overwritten by B Y.
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
    The frequencies from `first` to before `last` are done.

and return Σ log|det B|.
"""

import numpy as np

from anmf._core.jit import jit
from anmf.iva import ip2_numba, ip_numba, iss_numba
from anmf.iva.iss_numba import LANES
from anmf.iva.tile_numba import covariances, demix, dereverberate


@jit
def ip(Y, X, G, n_frames, delay, n_bins, weights, power, first, last):
    """A sweep of `anmf.iva.ip.ip`."""
    V, B, held = _buffers(Y, weights)
    gain = 0.0
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        _measure(Y, X, G, n_frames, delay, n_bins, weights, start, n_lanes, V, B)
        gain += np.sum(ip_numba.ip(V, B)[:n_lanes])
        _demix(Y, G, n_bins, power, start, n_lanes, B, held)
    return gain


@jit
def ip2(Y, X, G, n_frames, delay, n_bins, weights, power, first, last):
    """A sweep of `anmf.iva.ip2.ip2`."""
    V, B, held = _buffers(Y, weights)
    gain = 0.0
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        _measure(Y, X, G, n_frames, delay, n_bins, weights, start, n_lanes, V, B)
        for lane in range(n_lanes):
            one, matrix = V[0, ..., lane] + 1j * V[1, ..., lane], B[0, ..., lane] + 0j
            gain += ip2_numba.ip2(one, matrix)
            B[0, ..., lane], B[1, ..., lane] = matrix.real, matrix.imag
        _demix(Y, G, n_bins, power, start, n_lanes, B, held)
    return gain


@jit
def iss(Y, X, G, n_frames, delay, n_bins, weights, power, first, last):
    """A sweep of `anmf.iva.iss.iss`."""
    V, B, held = _buffers(Y, weights)
    gain = 0.0
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        _measure(Y, X, G, n_frames, delay, n_bins, weights, start, n_lanes, V, B)
        gain += np.sum(iss_numba.iss(V, B)[:n_lanes])
        _demix(Y, G, n_bins, power, start, n_lanes, B, held)
    return gain


@jit
def iss2(Y, X, G, n_frames, delay, n_bins, weights, power, first, last):
    """A sweep of `anmf.iva.iss2.iss2`."""
    V, B, held = _buffers(Y, weights)
    gain = 0.0
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        _measure(Y, X, G, n_frames, delay, n_bins, weights, start, n_lanes, V, B)
        gain += np.sum(iss_numba.iss2(V, B)[:n_lanes])
        _demix(Y, G, n_bins, power, start, n_lanes, B, held)
    return gain


@jit
def measure(Y, n_bins, power, first, last):
    """Add |Y|² to `power` as a sweep does."""
    for f in range(first, last):
        g = min(f // n_bins, power.shape[0] - 1)
        for i in range(power.shape[1]):
            for t in range(Y.shape[3]):
                power[g, i, t] += Y[f, 0, i, t] * Y[f, 0, i, t] + Y[f, 1, i, t] * Y[f, 1, i, t]


@jit
def _buffers(Y, weights):
    """Covariances and demixing of `LANES` frequencies, and a tile for more than four channels."""
    n_channels, n_columns = Y.shape[2], Y.shape[3]
    V = np.empty((2, weights.shape[1], n_channels, n_channels, LANES))
    held = np.empty((2, n_channels if n_channels > 4 else 0, n_columns), Y.dtype)
    return V, np.empty((2, n_channels, n_channels, LANES)), held


@jit
def _measure(Y, X, G, n_frames, delay, n_bins, weights, start, n_lanes, V, B):
    """Covariances of the frequencies from `start` on, late reverberation taken off; B is I."""
    for lane in range(n_lanes):
        f = start + lane
        g = min(f // n_bins, weights.shape[0] - 1)
        for tap in range(G.shape[1]):
            dereverberate(Y[f], X[f], weights[g], n_frames, delay + tap, G[f, tap])
        covariances(Y[f], weights[g], n_frames, V, lane)
    for lane in range(n_lanes, LANES):
        V[..., lane] = V[..., 0]
    B[:] = 0
    for i in range(B.shape[1]):
        B[0, i, i] = 1


@jit
def _demix(Y, G, n_bins, power, start, n_lanes, B, held):
    """Y ← B Y and G ← B G for the frequencies from `start` on."""
    for lane in range(n_lanes):
        f = start + lane
        demix(B, lane, Y[f], held, power[min(f // n_bins, power.shape[0] - 1)])
        for tap in range(G.shape[1]):
            _multiply(B, lane, G[f, tap])


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
