"""The estimates of all rows while they are being demixed: arrays of any library, or planes."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np

from anmf._core.jit import most_threads
from anmf.iva.bands import Bands
from anmf.iva.covariance import weighted_covariances
from anmf.iva.dereverberation import dereverberate

COMPILED = ("ip", "ip2", "iss", "iss2")
"""The updates that have a compiled twin."""

N_CHUNKS = 16
"""Pieces of the frequency axis that are summed by themselves, whatever the number of threads."""


class ArrayEstimates:
    """Reference: new arrays in every step, of any array-API library.

    Parameters
    ----------
    X : complex array (n_frequencies, n_channels, n_frames)
        Microphones.
    memory : anmf.iva.start.Columns
        Covariances that are added to those of the frames, as further columns of `X` / `level`.
    W : complex array (n_frequencies, n_channels, n_channels)
        Where demixing starts.
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
    G : complex array (n_frequencies, n_taps, n_channels, n_channels) or None
        y_t = W x_t − Σ_l G_l x_t−delay−l.
    penalty : float
        Σ_kf w_k P_k w_kᴴ with the covariances P that are added.
    """

    def __init__(self, X, memory, W, update, bands, *, level=1.0, n_taps=0, delay=1, xp=np):
        self._update, self._bands, self._delay, self._xp = update, bands, delay, xp
        self._X, self._memory, self._n_frames = X / level, memory, X.shape[2]
        self._Y = xp.matmul(W, xp.concat([self._X, memory.columns], axis=2))
        self.G = xp.stack([0 * W] * n_taps, axis=1) if n_taps else None

    @property
    def W(self):
        """Read off the columns that started as multiples of the identity."""
        return self._memory.rows(self._Y[:, :, self._n_frames :])

    @property
    def penalty(self):
        """From the power of the added columns."""
        power = self._power(self._Y[:, :, self._n_frames :])
        weighted = self._xp.sum(power, axis=0) * self._memory.of_rows(power.shape[1])
        return float(self._xp.sum(weighted)) / self._n_frames

    def power(self):
        """Mean of |Y|² in each band, (n_bands, n_channels, n_frames)."""
        return self._bands.mean(self._power(self._Y[:, :, : self._n_frames]), xp=self._xp)

    def step(self, weights):
        """One iteration under weights (n_bands, n_weights, n_frames); Σ log|det B|."""
        xp, Y, n_frames = self._xp, self._Y, self._n_frames
        if self.G is not None:
            each = xp.concat(
                [weights] + [weights[:, -1:, :]] * (Y.shape[1] - weights.shape[1]), axis=1
            )
            each = self._bands.spread(each, xp=xp)
            heard, self.G = dereverberate(
                Y[:, :, :n_frames], self.G, self._X, each, self._delay, xp=xp
            )
            Y = xp.concat([heard, Y[:, :, n_frames:]], axis=2)
        added = self._memory.weights + 0 * weights[:, :, :1]
        weights = self._bands.spread(xp.concat([weights, added], axis=2), xp=xp)
        B, gain = self._update(weighted_covariances(Y, weights, n_frames, xp=xp), xp=xp)
        self._Y = xp.matmul(B, Y)
        if self.G is not None:
            self.G = xp.matmul(B[:, None, :, :], self.G)
        return xp.sum(gain)

    def _power(self, Y):
        return self._xp.real(Y) ** 2 + self._xp.imag(Y) ** 2


class PlaneEstimates:
    """Compiled: real and imaginary planes of NumPy arrays, changed in place.

    Parameters
    ----------
    X, memory, W, bands, level, n_taps, delay
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

    def __init__(self, X, memory, W, update, bands, *, level=1.0, n_taps=0, delay=1,
                 n_threads=None):  # fmt: skip
        from anmf.iva import sweep_numba

        self._memory, self._bands, self._n_frames = memory, bands, X.shape[2]
        self._Y = planes(X, memory.columns, W, level)
        filters = np.zeros((len(X), n_taps, *W.shape[1:]), np.complex128)
        self.G = filters if n_taps else None
        none = memory.columns[:, :, :0]
        heard = planes(X, none, None, level) if n_taps else planes(none, none, None, level)
        finer = Bands(len(X), -(-len(X) // N_CHUNKS))
        self._measured = bands if bands.count > 1 else finer  # one band is measured in pieces
        n_bins = self._measured.n_bins
        self._sweep = partial(
            getattr(sweep_numba, update), self._Y, heard, filters, X.shape[2], delay, n_bins
        )
        self._n_threads = n_threads or most_threads()
        self._power = self._run(partial(sweep_numba.measure, self._Y, n_bins))[1]

    @property
    def W(self):
        """As in `ArrayEstimates.W`, in double precision."""
        columns = self._Y[..., self._n_frames :].astype(np.float64)
        return self._memory.rows(columns[:, 0] + 1j * columns[:, 1])

    @property
    def penalty(self):
        """As in `ArrayEstimates.penalty`."""
        power = self._power[:, :, self._n_frames :].sum(axis=0, dtype=np.float64)
        return float(np.sum(power * self._memory.of_rows(len(power)))) / self._n_frames

    def power(self):
        """As in `ArrayEstimates.power`."""
        power, real = self._power[:, :, : self._n_frames], self._Y.dtype.type
        if self._bands is not self._measured:
            return power.sum(axis=0, keepdims=True) / real(len(self._Y))
        return power / self._bands.sizes.astype(real)[:, None, None]

    def step(self, weights):
        """As in `ArrayEstimates.step`."""
        added = self._memory.weights
        whole = np.empty((*weights.shape[:2], self._Y.shape[3]), self._Y.dtype)
        whole[:, :, : self._n_frames], whole[:, :, self._n_frames :] = weights, added
        gains, self._power = self._run(partial(self._sweep, whole))
        return sum(gains)

    def _run(self, kernel):
        """Results of a kernel for all chunks, and the power (n_bands, ...) that they measured."""
        n_frequencies, _, *columns = self._Y.shape
        count, n_bins = self._measured.count, self._measured.n_bins
        power = np.zeros((count, *columns), self._Y.dtype)
        starts = [n_bins * (count * c // N_CHUNKS) for c in range(N_CHUNKS)] + [n_frequencies]

        def work(chunk):
            return kernel(power, starts[chunk], starts[chunk + 1])

        return in_threads(work, N_CHUNKS, self._n_threads), power


def planes(X, columns, W, level):
    """Real and imaginary parts (n_frequencies, 2, n_channels, n_columns) of W [X / level, columns].

    W may be None, for the identity.
    """
    n_frames = X.shape[2]
    Y = np.empty((len(X), 2, X.shape[1], n_frames + columns.shape[2]), X.real.dtype)
    if W is not None and np.any(np.eye(W.shape[-1]) != W):
        X, columns = W.astype(X.dtype) @ X, W.astype(X.dtype) @ columns
    np.divide(X.real, level, out=Y[:, 0, :, :n_frames])
    np.divide(X.imag, level, out=Y[:, 1, :, :n_frames])
    Y[:, 0, :, n_frames:], Y[:, 1, :, n_frames:] = columns.real, columns.imag
    return Y


def in_threads(work, n_items, n_threads):
    """Results of ``work(i)`` for all i, in order; the items are dealt out to the threads."""
    results = [None] * n_items

    def deal(first):
        for i in range(first, n_items, n_threads):
            results[i] = work(i)

    others = [_pool(n_threads - 1).submit(deal, k) for k in range(1, n_threads)]
    try:
        deal(0)
    finally:
        for other in others:
            other.result()
    return results


@cache
def _pool(n_threads):
    return ThreadPoolExecutor(n_threads)
