"""Energy of signals in the span of delayed references: correlations, then one factorisation."""

import numpy as np
from scipy import fft
from scipy.linalg import lapack, solve_triangular

BLOCKS = 16
"""Blocks whose spectra are held in memory at a time."""


def kept_energy(references, signals, n_taps, load=0.0):
    """Share of each signal that references and their delays explain, each alone and all together.

    Parameters
    ----------
    references : ndarray (n, n_times)
    signals : ndarray (k, n_times)
    n_taps : int
        Delays 0 to n_taps − 1 of each reference, at full length, span the spaces.
    load : float
        Added to the diagonal of the scalar products of the normalised references.

    Returns
    -------
    alone : ndarray (n, k)
        ‖P_j x_k‖² / ‖x_k‖² in [0, 1]; NaN in the row of a reference that is zero throughout, 0 in
        the column of such a signal.
    together : ndarray (n, k)
        ‖P x_k‖² / ‖x_k‖², the same in all rows but those of NaN.
    """
    alone, together = np.full((2, len(references), len(signals)), np.nan)
    heard = np.flatnonzero(np.any(references != 0, axis=1))
    if not heard.size:
        return alone, together
    n, s, x = len(heard), _normalised(references[heard]), _normalised(signals)
    products = correlations(s, np.concatenate([s, x]), n_taps)
    among, cross = products[:, :n], products[:, n:]
    for i, j in enumerate(heard):
        alone[j] = explained(among[i : i + 1, i : i + 1], cross[i : i + 1], load)
    together[heard] = explained(among, cross, load) if n > 1 else alone[heard]
    return alone, together


def correlations(x, y, n_lags):
    """Σ_t x_i(t) y_j(t + τ) for the lags τ = 0 … n_lags − 1.

    Sums over blocks are taken between the spectra of short blocks: exact, and cheaper than one
    transform of the whole length.

    Parameters
    ----------
    x : ndarray (n, n_times)
    y : ndarray (k, n_times)
    n_lags : int

    Returns
    -------
    ndarray (n, k, n_lags)
    """
    size = fft.next_fast_len(max(4 * n_lags, 1024), real=True)
    step = size - n_lags + 1  # a block of x this long meets the next n_lags − 1 samples of y too
    n_blocks = -(-x.shape[1] // step)
    spectrum = np.zeros((len(x), len(y), size // 2 + 1), complex)
    for first in range(0, n_blocks, BLOCKS):
        starts = range(first * step, min(first + BLOCKS, n_blocks) * step, step)
        X = fft.rfft(_blocks(x, starts, step), n=size)
        Y = fft.rfft(_blocks(y, starts, size), n=size)
        for row, block in zip(spectrum, X, strict=True):
            for entry, other in zip(row, Y, strict=True):
                entry += np.vecdot(block, other, axis=0)  # takes the conjugate of the first
    return fft.irfft(spectrum, n=size)[..., :n_lags]


def explained(among, cross, load=0.0):
    """bᵀ (G + load I)⁻¹ b for each right side b: the share of its energy in the span.

    Parameters
    ----------
    among : ndarray (n, n, n_taps)
        Correlations of the references, whose Toeplitz blocks make up the matrix G.
    cross : ndarray (n, k, n_taps)
        Their correlations with k signals: the right sides.
    load : float

    Returns
    -------
    ndarray (k,)
        In [0, 1].
    """
    right = np.moveaxis(cross, 1, 2).reshape(-1, cross.shape[1])
    factor, failed = lapack.dpotrf(gram(among, load), lower=1, clean=0, overwrite_a=1)
    if failed:  # dependent up to rounding: keep the pivots that are not
        factor, pivots, rank, _ = lapack.dpstrf(gram(among, load), lower=1, overwrite_a=1)
        factor, right = factor[:rank, :rank], right[pivots[:rank] - 1]
    solved = solve_triangular(factor, right, lower=True, check_finite=False)
    return np.clip(np.sum(solved**2, axis=0), 0, 1)


def gram(among, load=0.0):
    """Scalar products of all delayed references; only the lower triangle is filled.

    Parameters
    ----------
    among : ndarray (n, n, n_taps)
    load : float

    Returns
    -------
    ndarray (n · n_taps, n · n_taps), in column order
        Entry (i, a), (j, b) is the correlation of i and j at lag a − b.
    """
    n, _, n_taps = among.shape
    G = np.zeros((n * n_taps, n * n_taps), order="F")
    for i in range(n):
        for j in range(i + 1):
            lags = np.concatenate([among[j, i, :0:-1], among[i, j]])  # −(n_taps − 1), …
            windows = np.lib.stride_tricks.sliding_window_view(lags, n_taps)
            place = np.s_[i * n_taps : (i + 1) * n_taps, j * n_taps : (j + 1) * n_taps]
            G[place] = windows[:, ::-1]
    G[np.diag_indices_from(G)] += load
    return G


def _normalised(x):
    """Rows of energy 1, or 0; the peak goes first, so that no square over- or underflows."""
    peak = np.max(np.abs(x), axis=1, keepdims=True)
    x = x / np.where(peak > 0, peak, 1)
    return x / np.where(peak > 0, np.linalg.norm(x, axis=1, keepdims=True), 1)


def _blocks(x, starts, length):
    """Samples of `x` from each start on, (n, n_blocks, length), zero after the end."""
    taken = x[:, starts[0] : starts[-1] + length]
    taken = np.pad(taken, [(0, 0), (0, starts[-1] + length - starts[0] - taken.shape[1])])
    return np.lib.stride_tricks.sliding_window_view(taken, length, axis=1)[:, :: starts.step]
