"""What networks of masks are trained on: random excerpts of mixtures, with their labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from anmf.audio.waveforms import check_waveform, level_of
from anmf.deep.spectra import to_spectra


class Batch(NamedTuple):
    """Mixtures to train on. What a loss doesn't need is None.

    Attributes
    ----------
    features : ndarray (batch, n_frames, n_bins)
    frames : slice
        Those whose embeddings count.
    Y : ndarray (batch, n_counted, n_bins, n_sources)
        Which source is loudest.
    weight : ndarray (batch, n_counted, n_bins)
    magnitude : ndarray (batch, n_frames, n_bins)
        Of the mixtures.
    targets : ndarray (batch, n_frames, n_sources, n_bins)
        Of masked mixtures.
    """

    features: np.ndarray
    frames: slice = slice(None)
    Y: np.ndarray | None = None
    weight: np.ndarray | None = None
    magnitude: np.ndarray | None = None
    targets: np.ndarray | None = None


@dataclass(frozen=True)
class Excerpts:
    """Random excerpts of recordings.

    Attributes
    ----------
    mixtures : list of ndarray (n_times,), or None
        None for the sums of the sources.
    sources : list of ndarray (n_times, n_sources)
        Their numbers may differ: sources of silence fill up.
    n_fft, hop_length : int
    n_times : int
        Of an excerpt; shorter recordings are repeated.
    size : int
        Excerpts in a batch.
    seed : int
    label : callable
        Maps (X, S, rng) to a `Batch`: spectra of mixtures (batch, n_frames, n_bins) and of their
        sources (batch, n_frames, n_sources, n_bins), and a generator.
    remix : bool
        Whether every source but the first is taken from any of the recordings.
    """

    mixtures: list | None
    sources: list
    n_fft: int
    hop_length: int
    n_times: int
    size: int
    seed: int
    label: Callable
    remix: bool = False

    def __call__(self, step):
        """The batch of a step, the same one whenever it is asked for."""
        rng = np.random.default_rng((self.seed, step))
        return self.batch(rng.integers(len(self.sources), size=self.size), rng)

    def batch(self, chosen, rng):
        """Excerpts of the recordings with these numbers."""
        most = max(self.sources[i].shape[1] for i in chosen)
        x = np.zeros((len(chosen), 1 + most, self.n_times), np.float32)
        for row, i in zip(x, chosen, strict=True):
            self._fill(row, i, rng)
        Z = to_spectra(x, self.n_fft, self.hop_length)
        return self.label(Z[:, 0], np.swapaxes(Z[:, 1:], 1, 2), rng)

    def _fill(self, row, i, rng):
        """Write an excerpt of a mixture, at unit RMS, and its sources."""
        place = self._place(i, rng)
        s = self.sources[i][place]
        if self.remix:
            s = np.column_stack([s[:, 0], *(self._other(k, rng) for k in range(1, s.shape[1]))])
        x = s.sum(axis=1) if self.mixtures is None else self.mixtures[i][place]
        scale = level_of(x) or 1.0
        row[0], row[1 : 1 + s.shape[1]] = x / scale, s.T / scale

    def _place(self, i, rng):
        """Samples of an excerpt of a recording."""
        n = len(self.sources[i])
        start = rng.integers(max(1, n - self.n_times + 1))
        return np.arange(start, start + self.n_times) % n

    def _other(self, k, rng):
        """Source k of another recording, or the last where there are fewer."""
        i = rng.integers(len(self.sources))
        s = self.sources[i]
        return s[self._place(i, rng), min(k, s.shape[1] - 1)]


def check_recordings(mixtures, sources):
    """Mixtures and their sources as lists of float arrays.

    Parameters
    ----------
    mixtures : sequence of array (n_times,), or None
    sources : sequence of array (n_times, n_sources)

    Returns
    -------
    mixtures : list of ndarray, or None
    sources : list of ndarray

    Raises
    ------
    ValueError
        For fewer than two mixtures, unequal counts or lengths, wrong shapes, NaN, and silence.
    """
    sources = [_check_sources(s, f"sources[{i}]") for i, s in enumerate(sources)]
    if mixtures is not None:
        mixtures = list(mixtures)
        if len(mixtures) != len(sources):
            raise ValueError(
                f"mixtures and sources are {len(mixtures)} and {len(sources)}; expected the "
                "sources of each mixture, in the same order"
            )
        pairs = enumerate(zip(mixtures, sources, strict=True))
        mixtures = [_check_mixture(x, len(s), i) for i, (x, s) in pairs]
    if len(sources) < 2:
        raise ValueError(
            f"sources are of {len(sources)} mixtures; expected two at least, since one is held "
            "out to choose the best weights: cut it in pieces, or draw more with anmf.deep.mixtures"
        )
    return mixtures, sources


def _check_sources(s, name):
    s = check_waveform(s, name)
    if s.ndim != 2 or s.shape[1] < 2:
        raise ValueError(
            f"{name} has shape {s.shape}; expected (n_times, n_sources), two sources at least"
        )
    silent = np.flatnonzero(~np.any(s != 0, axis=0))
    if len(silent):
        raise ValueError(
            f"{name} is silent in column {silent[0]}; expected sound in each: leave that source out"
        )
    return s


def _check_mixture(x, n_times, i):
    x = check_waveform(x, f"mixtures[{i}]")
    if x.shape != (n_times,):
        raise ValueError(
            f"mixtures[{i}] has shape {x.shape}; expected one channel as long as its sources, "
            f"({n_times},)"
        )
    if not np.any(x):
        raise ValueError(f"mixtures[{i}] is silent; leave it out")
    return x
