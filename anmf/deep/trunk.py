"""The trunk that networks of masks share, with their heads, their losses and long mixtures."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from anmf.deep.network import Network, layer
from anmf.deep.spectra import log_features, stack_context

CONTEXT = 5
"""Frames side by side at the input."""

_CHUNK = 2000
"""Frames that go through the network at once."""


def trunk(n_bins, width, hidden, dilations):
    """Dilated, gated convolutions over frames: log spectra with context to `width` channels.

    Parameters
    ----------
    n_bins : int
        Frequencies.
    width, hidden : int
        Channels between the blocks, and inside them.
    dilations : sequence of int
        One a block, in frames.

    Returns
    -------
    Network
        Maps (batch, n_frames, 5 n_bins) to (batch, n_frames, width).

    Examples
    --------
    >>> network = trunk(3, 8, 4, (1, 2))
    >>> [part.name for part in network.layers], network.shapes["in.W"]
    (['in', 'block0', 'block1', 'norm'], (15, 8))
    """
    blocks = [
        layer(f"block{i}", "residual", network=_block(width, hidden, d))
        for i, d in enumerate(dilations)
    ]
    first = layer("in", "dense", n_in=CONTEXT * n_bins, n_out=width)
    return Network([first, *blocks, layer("norm", "norm", n_channels=width)])


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


class TrunkNetwork:
    """A trunk and its heads. Subclasses say what the heads are.

    Attributes
    ----------
    n_bins, width, hidden, dilations
        Of `trunk`.
    head : Network
        From channels to what the network is for.
    output_shape : tuple of int
        Of what `head` gives for a frame.
    """

    @cached_property
    def body(self):
        """From log spectra with context to `width` channels a frame."""
        return trunk(self.n_bins, self.width, self.hidden, self.dilations)

    @property
    def heads(self):
        """All networks that come after the body."""
        return (self.head,)

    @property
    def shapes(self):
        """Shape of every weight."""
        return {k: shape for part in (self.body, *self.heads) for k, shape in part.shapes.items()}

    def start(self, rng):
        """Weights to start training from."""
        return {k: w for part in (self.body, *self.heads) for k, w in part.start(rng).items()}

    def check(self, weights):
        """Raise a ValueError for weights that aren't this network's."""
        for part in (self.body, *self.heads):
            part.check(weights)

    def run(self, weights, magnitude):
        """What `head` gives for one mixture.

        Long ones go through in pieces that overlap by the network's reach, which changes nothing.

        Parameters
        ----------
        weights : dict of array
        magnitude : ndarray (n_frames, n_bins)

        Returns
        -------
        ndarray of float32 (n_frames, *output_shape)
        """
        features = log_features(np.asarray(magnitude, dtype=np.float32)[None], xp=np)
        reach, n_frames = sum(self.dilations) + CONTEXT // 2, len(magnitude)
        y = np.empty((n_frames, *self.output_shape), np.float32)
        for start in range(0, n_frames, _CHUNK):
            low, stop = max(0, start - reach), min(n_frames, start + _CHUNK)
            piece = stack_context(features[:, low : stop + reach], CONTEXT, xp=np)
            h, _ = self.body.forward(weights, piece, xp=np)
            y[start:stop] = self.head.forward(weights, h[:, start - low : stop - low], xp=np)[0][0]
        return y


class Term(NamedTuple):
    """What one head is taught: a part of the loss.

    Attributes
    ----------
    head : Network
    frames : callable
        Maps a batch to the slice of its frames that count.
    objective : callable
        Maps (output of the head in those frames, batch) to (value, gradient).
    weight : float
        In the sum of all terms.
    """

    head: Network
    frames: Callable
    objective: Callable
    weight: float = 1.0


def loss_and_gradient(weights, batch, *, network, terms):
    """Weighted sum of the terms' losses of a batch, and its gradient.

    Parameters
    ----------
    weights : dict of array
    batch : anmf.deep.excerpts.Batch
    network : TrunkNetwork
    terms : sequence of Term
        One for each of the network's heads.

    Returns
    -------
    float, dict of array
    """
    h, tape = _channels(weights, batch, network)
    value, gradients, gh = 0.0, {}, np.zeros_like(h)
    for term in terms:
        frames = term.frames(batch)
        y, head_tape = _output(weights, h, term, frames)
        part, gy = term.objective(y, batch)
        found, back = term.head.backward(weights, head_tape, term.weight * gy, xp=np)
        value += term.weight * part
        gradients.update(found)
        gh[:, frames] += back
    found, _ = network.body.backward(weights, tape, gh, xp=np)
    return value, {**found, **gradients}


def held_out_loss(weights, *, batches, network, terms):
    """Mean loss of batches that aren't trained on; arguments as in `loss_and_gradient`."""
    values, sizes = [], [len(batch.features) for batch in batches]
    for batch in batches:
        h, _ = _channels(weights, batch, network)
        value = 0.0
        for term in terms:
            y, _ = _output(weights, h, term, term.frames(batch))
            value += term.weight * term.objective(y, batch)[0]
        values.append(value)
    return float(np.average(values, weights=sizes))


def _channels(weights, batch, network):
    x = stack_context(batch.features, CONTEXT, xp=np)
    return network.body.forward(weights, x, xp=np)


def _output(weights, h, term, frames):
    return term.head.forward(weights, np.ascontiguousarray(h[:, frames]), xp=np)
