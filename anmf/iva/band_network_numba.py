"""Compiled twin of `anmf.iva.band_network.weigh`, row by row of time.

Logarithms and exponentials stay with NumPy, whose SIMD loops are faster than compiled ones.
"""

import numpy as np

from anmf._core.jit import jit
from anmf.iva.band_network import FLOOR, LEAST, LIMIT


def weigh(power, weights, bands):
    """Twin of `anmf.iva.band_network.weigh`, in single precision."""
    level = power.mean(axis=(0, 2), keepdims=True)
    level[level <= 0] = 1
    P = np.empty(power.shape, np.float32)
    np.divide(power, level, out=P, casting="same_kind")
    first, share = bands.places
    pooled, r = _pooled(P, first, share, bands.sizes.astype(np.float32), bands.n_inside)
    own, other, own_level = _log(pooled), _log(_others(pooled)), 0.5 * np.log(r)
    x = [own - own_level, own_level, other - own_level, _log(_others(r))]
    x = np.concatenate(x).transpose(1, 2, 0)
    y, _ = bands.network.forward(weights, np.ascontiguousarray(x), xp=np)
    smooth = _smoothed(P)
    np.log(smooth, out=smooth)
    z = _combined(np.ascontiguousarray(y.transpose(2, 0, 1)), own, other, smooth, first, share)
    np.tanh(z, out=z)
    z *= np.float32(LIMIT)
    np.exp(z, out=z)
    return _scaled(z, 1 / r, P, level, np.empty_like(power))


def _log(x):
    return 0.5 * np.log(x + np.float32(FLOOR))


def _others(x):
    return (x.sum(axis=1, keepdims=True) - x) / np.float32(max(x.shape[1] - 1, 1))


@jit
def _pooled(P, first, share, sizes, n_inside):
    """Powers of bands (n_bands, n_sources, n_frames), and of frames (1, n_sources, n_frames)."""
    n_sources, n_frames = P.shape[1:]
    pooled = np.zeros((len(sizes), n_sources, n_frames), np.float32)
    mean = np.zeros((1, n_sources, n_frames), np.float32)
    for f in range(len(P)):
        low, inside = pooled[first[f]], f < n_inside
        high = pooled[first[f] + 1]
        for s in range(n_sources):
            for t in range(n_frames):
                p = P[f, s, t]
                mean[0, s, t] += p
                if inside:
                    low[s, t] += (np.float32(1) - share[f]) * p
                    high[s, t] += share[f] * p
    for k in range(len(sizes)):
        if sizes[k] > 0:
            pooled[k] /= sizes[k]
    mean /= np.float32(len(P))
    return pooled, np.maximum(mean, np.float32(LEAST))


@jit
def _smoothed(P):
    """Means over neighbours, then those of the other sources if these are two or more; + FLOOR."""
    n_frequencies, n_sources, n_frames = P.shape
    n_parts = n_sources if n_sources == 2 else 2 * n_sources
    out = np.empty((n_frequencies, n_parts, n_frames), np.float32)
    rows = np.zeros((n_sources, n_frames + 2), np.float32)
    for f in range(n_frequencies):
        below, above = max(f - 1, 0), min(f + 1, n_frequencies - 1)
        n_rows = np.float32(above - below + 1)
        for s in range(n_sources):
            for t in range(n_frames):
                rows[s, t + 1] = P[f, s, t]
            for g in (below, above):
                if g != f:
                    for t in range(n_frames):
                        rows[s, t + 1] += P[g, s, t]
            for t in range(n_frames):
                out[f, s, t] = (rows[s, t] + rows[s, t + 1] + rows[s, t + 2]) / (3 * n_rows)
            edge = np.float32(1.5 if n_frames > 1 else 3.0)
            out[f, s, 0] *= edge
            if n_frames > 1:
                out[f, s, n_frames - 1] *= edge
        if n_sources != 2:
            _fill_others(out[f], n_sources)
        for s in range(n_parts):
            for t in range(n_frames):
                out[f, s, t] += np.float32(FLOOR)
    return out


@jit
def _fill_others(rows, n_sources):
    """Means over the other sources into the second half of rows; zero where there is one."""
    share = np.float32(1 / max(n_sources - 1, 1))
    for t in range(rows.shape[1]):
        total = np.float32(0)
        for s in range(n_sources):
            total += rows[s, t]
        for s in range(n_sources):
            rows[n_sources + s, t] = (total - rows[s, t]) * share


@jit
def _combined(y, own, other, smooth, first, share):
    """(gain + a (½ log p̃ − own band) + b (½ log p̃' − others' band)) / LIMIT."""
    n_bands, n_sources, n_frames = own.shape
    n_frequencies = len(smooth)
    half = np.float32(0.5)
    z = np.empty((n_frequencies, n_sources, n_frames), np.float32)
    for f in range(n_frequencies):
        k, high = first[f], share[f] / np.float32(LIMIT)
        low = np.float32(1 / LIMIT) - high
        up = share[f]
        down = np.float32(1) - up
        for s in range(n_sources):
            rest = 1 - s if n_sources == 2 else n_sources + s
            gain, gain_up = y[k, s], y[k + 1, s]
            a, a_up = y[n_bands + k, s], y[n_bands + k + 1, s]
            b, b_up = y[2 * n_bands + k, s], y[2 * n_bands + k + 1, s]
            for t in range(n_frames):
                rise = half * smooth[f, s, t] - down * own[k, s, t] - up * own[k + 1, s, t]
                rise_others = (
                    half * smooth[f, rest, t] - down * other[k, s, t] - up * other[k + 1, s, t]
                )
                z[f, s, t] = (
                    low * gain[t] + high * gain_up[t]
                    + (low * a[t] + high * a_up[t]) * rise
                    + (low * b[t] + high * b_up[t]) * rise_others
                )  # fmt: skip
    return z


@jit
def _scaled(z, share, P, level, weights):
    """z / r, scaled so that its mean product with the power is one for each source."""
    n_frequencies, n_sources, n_frames = z.shape
    scale = np.zeros(n_sources)
    for f in range(n_frequencies):
        for s in range(n_sources):
            total = np.float32(0)
            for t in range(n_frames):
                total += z[f, s, t] * share[0, s, t] * P[f, s, t]
            scale[s] += total
    for s in range(n_sources):
        mean = scale[s] / (n_frequencies * n_frames)
        scale[s] = 1 / (level[0, s, 0] * (mean if mean > 0 else 1.0))
    for f in range(n_frequencies):
        for s in range(n_sources):
            for t in range(n_frames):
                weights[f, s, t] = scale[s] * (z[f, s, t] * share[0, s, t])
    return weights
