"""The network of deep clustering, and what it is trained on."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from anmf.audio.waveforms import check_waveform, level_of
from anmf.deep.clustering_loss import CLUSTERING_LOSSES, bin_weights
from anmf.deep.network import Network, layer
from anmf.deep.spectra import dominance, log_features, stack_context, to_spectra

_CONTEXT = 5
"""Frames side by side at the input."""

_EVERY = 3
"""Embeddings of every third frame are enough to train on, and the head costs much of a step."""

_CHUNK = 2000
"""Frames embedded at once."""


@dataclass(frozen=True)
class EmbeddingNetwork:
    """Dilated, gated convolutions over frames, then a direction for each bin.

    Parameters
    ----------
    n_bins, size : int
        Frequencies, and components of an embedding.
    width, hidden : int
        Channels between the blocks, and inside them.
    dilations : tuple of int
        One a block, in frames.
    """

    n_bins: int
    size: int
    width: int
    hidden: int
    dilations: tuple

    @cached_property
    def body(self):
        """From log spectra with context to `width` channels a frame."""
        blocks = [
            layer(f"block{i}", "residual", network=_block(self.width, self.hidden, d))
            for i, d in enumerate(self.dilations)
        ]
        first = layer("in", "dense", n_in=_CONTEXT * self.n_bins, n_out=self.width)
        return Network([first, *blocks, layer("norm", "norm", n_channels=self.width)])

    @cached_property
    def head(self):
        """From channels to embeddings."""
        n_out = self.n_bins * self.size
        dense = layer("embedding", "dense", n_in=self.width, n_out=n_out)
        return Network([dense, layer("unit", "unit", size=self.size)])

    @property
    def shapes(self):
        """Shape of every weight."""
        return {**self.body.shapes, **self.head.shapes}

    def start(self, rng):
        """Weights to start training from."""
        return {**self.body.start(rng), **self.head.start(rng)}

    def check(self, weights):
        """Raise a ValueError for weights that aren't this network's."""
        self.body.check(weights)
        self.head.check(weights)

    def embed(self, weights, magnitude):
        """Embeddings of the bins of one mixture.

        Long ones go through in pieces that overlap by the network's reach, which changes nothing.

        Parameters
        ----------
        weights : dict of array
        magnitude : ndarray (n_frames, n_bins)

        Returns
        -------
        ndarray of float32 (n_frames, n_bins, size)
        """
        features = log_features(np.asarray(magnitude, dtype=np.float32)[None], xp=np)
        reach, n_frames = sum(self.dilations) + _CONTEXT // 2, len(magnitude)
        V = np.empty((n_frames, self.n_bins, self.size), np.float32)
        for start in range(0, n_frames, _CHUNK):
            low, stop = max(0, start - reach), min(n_frames, start + _CHUNK)
            piece = stack_context(features[:, low : stop + reach], _CONTEXT, xp=np)
            h, _ = self.body.forward(weights, piece, xp=np)
            V[start:stop] = self.head.forward(weights, h[:, start - low : stop - low], xp=np)[0][0]
        return V


def _block(width, hidden, dilation):
    """W₂ · GLU(W₁ · depthwise(norm x)), to be added to x."""
    return Network(
        [
            layer("norm", "norm", n_channels=width),
            layer("mix", "depthwise", n_channels=width, dilation=dilation),
            layer("up", "dense", n_in=width, n_out=2 * hidden),
            layer("gate", "glu"),
            layer("down", "dense", n_in=hidden, n_out=width, start="half"),
        ]
    )


class Batch(NamedTuple):
    """Mixtures to train on.

    Attributes
    ----------
    features : ndarray (batch, n_frames, n_bins)
    frames : slice
        Those whose embeddings count.
    Y : ndarray (batch, n_counted, n_bins, n_sources)
        Which source is loudest.
    weight : ndarray (batch, n_counted, n_bins)
    """

    features: np.ndarray
    frames: slice
    Y: np.ndarray
    weight: np.ndarray


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
    """

    mixtures: list | None
    sources: list
    n_fft: int
    hop_length: int
    n_times: int
    size: int
    seed: int

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
        magnitude = np.abs(Z[:, 0])
        frames = slice(int(rng.integers(min(_EVERY, Z.shape[2]))), None, _EVERY)
        S = np.swapaxes(Z[:, 1:, frames], 1, 2)
        return Batch(
            log_features(magnitude, xp=np),
            frames,
            dominance(S, xp=np),
            bin_weights(magnitude[:, frames], xp=np),
        )

    def _fill(self, row, i, rng):
        """Write an excerpt of a mixture, at unit RMS, and its sources."""
        s = self.sources[i]
        start = rng.integers(max(1, len(s) - self.n_times + 1))
        place = np.arange(start, start + self.n_times) % len(s)
        s = s[place]
        x = s.sum(axis=1) if self.mixtures is None else self.mixtures[i][place]
        scale = level_of(x) or 1.0
        row[0], row[1 : 1 + s.shape[1]] = x / scale, s.T / scale


def loss_and_gradient(weights, batch, *, network, loss):
    """Loss of the embeddings of a batch, and its gradient.

    Parameters
    ----------
    weights : dict of array
    batch : Batch
    network : EmbeddingNetwork
    loss : str
        A name of `CLUSTERING_LOSSES`.

    Returns
    -------
    float, dict of array
    """
    x = stack_context(batch.features, _CONTEXT, xp=np)
    h, tape = network.body.forward(weights, x, xp=np)
    counted = np.ascontiguousarray(h[:, batch.frames])
    V, head_tape = network.head.forward(weights, counted, xp=np)
    value, gV = CLUSTERING_LOSSES[loss](V, batch.Y, batch.weight, xp=np)
    head_gradients, g_counted = network.head.backward(weights, head_tape, gV, xp=np)
    gh = np.zeros_like(h)
    gh[:, batch.frames] = g_counted
    gradients, _ = network.body.backward(weights, tape, gh, xp=np)
    return value, {**gradients, **head_gradients}


def held_out_loss(weights, *, batches, network, loss):
    """Mean loss of batches that aren't trained on; arguments as in `loss_and_gradient`."""
    values, sizes = [], [len(batch.features) for batch in batches]
    for batch in batches:
        x = stack_context(batch.features, _CONTEXT, xp=np)
        h = network.body.forward(weights, x, xp=np)[0][:, batch.frames]
        V = network.head.forward(weights, np.ascontiguousarray(h), xp=np)[0]
        values.append(CLUSTERING_LOSSES[loss](V, batch.Y, batch.weight, xp=np)[0])
    return float(np.average(values, weights=sizes))


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
