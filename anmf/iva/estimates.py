"""The estimates of all rows while they are being demixed: arrays of any library, or planes."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np

from anmf._core.jit import most_threads
from anmf.iva.bands import Bands
from anmf.iva.covariance import in_coordinates, weighted_covariances
from anmf.iva.dereverberation import dereverberate

COMPILED = {"ip": 0, "ip2": 1, "iss": 2, "iss2": 3}
"""Codes of the updates that have a compiled twin."""

N_CHUNKS = 16
"""Pieces of the frequency axis that are summed by themselves, whatever the number of threads."""


class ArrayEstimates:
    """Reference: new arrays in every step, of any array-API library.

    Parameters
    ----------
    X : complex array (n_frequencies, n_channels, n_frames)
        Microphones.
    W : complex array (n_frequencies, n_channels, n_channels)
        Where demixing starts.
    past : complex array (n_frequencies, n_weights or 1, n_channels, n_channels)
        Covariances of the microphones that are added to those of the frames.
    update : callable
        As in `UPDATES`.
    bands : Bands
    level : float
        What the microphones are divided by first.
    n_taps, delay : int
        As in `anmf.iva.auxiva`.

    Attributes
    ----------
    W : complex array (n_frequencies, n_channels, n_channels)
    G : complex array (n_frequencies, n_taps, n_channels, n_channels)
        y_t = W x_t − Σ_l G_l x_t−delay−l.
    penalty : float
        Σ_kf w_k P_k w_kᴴ with the past covariances P.
    """

    def __init__(self, X, W, past, update, bands, *, level=1.0, n_taps=0, delay=1, xp=np):
        X = X / level
        self._X, self._past, self._update, self._delay, self._xp = X, past, update, delay, xp
        self._bands, self._Y, self.W = bands, xp.matmul(W, X), W
        self.G = xp.stack([0 * W] * n_taps, axis=1) if n_taps else None
        self.penalty = penalty(W, past, xp=xp)

    def power(self):
        """Mean of |Y|² in each band, (n_bands, n_channels, n_frames)."""
        xp = self._xp
        return self._bands.mean(xp.real(self._Y) ** 2 + xp.imag(self._Y) ** 2, xp=xp)

    def step(self, weights):
        """One iteration under weights (n_bands, n_weights, n_frames); Σ log|det B|."""
        xp, shared = self._xp, self._Y.shape[1] - weights.shape[1]
        weights = self._bands.spread(weights, xp=xp)
        if self.G is not None:
            each = xp.concat([weights] + [weights[:, -1:, :]] * shared, axis=1)
            self._Y, self.G = dereverberate(self._Y, self.G, self._X, each, self._delay, xp=xp)
        V = weighted_covariances(self._Y, weights, xp=xp)
        B, gain = self._update(V + in_coordinates(self.W, self._past, xp=xp), xp=xp)
        self._Y, self.W = xp.matmul(B, self._Y), xp.matmul(B, self.W)
        if self.G is not None:
            self.G = xp.matmul(B[:, None, :, :], self.G)
        self.penalty = penalty(self.W, self._past, xp=xp)
        return xp.sum(gain)


class PlaneEstimates:
    """Compiled: real and imaginary planes of NumPy arrays, changed in place; W in double precision.

    Parameters
    ----------
    X, W, past, bands, level, n_taps, delay
        As in `ArrayEstimates`.
    update : str
        A name of `COMPILED`.
    n_threads : int or None
        None for as many as Numba may use. The result is the same to the last bit.

    Attributes
    ----------
    W, G, penalty
        As in `ArrayEstimates`.
    """

    def __init__(self, X, W, past, update, bands, *, level=1.0, n_taps=0, delay=1,
                 n_threads=None):  # fmt: skip
        from anmf.iva import sweep_numba

        self.W, self.G = W.astype(np.complex128), None
        self.penalty = penalty(self.W, past, xp=np)
        self._Y = planes(X if _is_identity(W) else W.astype(X.dtype) @ X, level)
        filters = np.zeros((len(X), n_taps, *W.shape[1:]), np.complex128)
        heard = planes(X if n_taps else X[:, :, :0], level)
        if n_taps:
            self.G = filters
        self._bands = bands
        finer = -(-len(X) // N_CHUNKS)  # a single band is measured in pieces
        self._measured = bands if bands.count > 1 else Bands(len(X), finer)
        self._sweep = partial(
            sweep_numba.sweep, COMPILED[update], self._Y, self.W, heard, filters, delay,
            past.astype(np.complex128), self._measured.n_bins,
        )  # fmt: skip
        self._pool = _pool(n_threads or most_threads())
        measure = partial(sweep_numba.measure, self._Y, self._measured.n_bins)
        self._power = self._run(measure)[1]

    def power(self):
        """As in `ArrayEstimates.power`."""
        real = self._Y.dtype.type
        if self._bands is not self._measured:
            return self._power.sum(axis=0, keepdims=True) / real(len(self._Y))
        sizes = self._bands.sizes.astype(real)
        return self._power / sizes[:, None, None] if self._bands.n_bins > 1 else self._power

    def step(self, weights):
        """As in `ArrayEstimates.step`."""
        weights = np.ascontiguousarray(weights, self._Y.dtype)
        sums, self._power = self._run(partial(self._sweep, weights))
        gain, self.penalty = np.sum(sums, axis=0)
        return gain

    def _run(self, kernel):
        """Results of a kernel for all chunks, and the power (n_bands, ...) that they measured."""
        n_frequencies, _, *frames = self._Y.shape
        count, n_bins = self._measured.count, self._measured.n_bins
        power = np.zeros((count, *frames), self._Y.dtype)
        starts = [n_bins * (count * c // N_CHUNKS) for c in range(N_CHUNKS)] + [n_frequencies]

        def work(first, last):
            return kernel(power, first, last)

        return list(self._pool(work, starts[:-1], starts[1:])), power


def planes(X, level):
    """Real and imaginary parts (n_frequencies, 2, ...) of X / level, (n_frequencies, ...)."""
    Y = np.empty((len(X), 2, *X.shape[1:]), X.real.dtype)
    np.divide(X.real, level, out=Y[:, 0])
    np.divide(X.imag, level, out=Y[:, 1])
    return Y


def penalty(W, past, *, xp):
    """Σ_kf w_k P_k w_kᴴ, where the last P serves all further rows."""
    shared = W.shape[1] - past.shape[1]
    P = xp.concat([past] + [past[:, -1:, :, :]] * shared, axis=1)
    along = xp.matmul(W[:, :, None, :], P)[:, :, 0, :]
    return float(xp.sum(xp.real(along * xp.conj(W))))


def _is_identity(W):
    return not np.any(np.eye(W.shape[-1]) != W)


@cache
def _pool(n_threads):
    """Something like `map`, of so many threads."""
    return ThreadPoolExecutor(n_threads).map if n_threads > 1 else map
