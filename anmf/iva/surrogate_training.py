"""Training of the surrogate source model: batches of spectra, and the loss through AuxIVA."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from anmf.audio.stft import stft
from anmf.iva.band_network import source_weights, source_weights_reverse
from anmf.iva.losses import coherence_loss, si_sdr_loss
from anmf.iva.unrolled import unroll, unrolled_loss


def _si_sdr(R, X):
    return partial(si_sdr_loss, R=R, x=X[:, :, 0, :], xp=np)


def _coherence(R, X):
    return partial(coherence_loss, R=R, xp=np)


LOSSES = {"sdr": _si_sdr, "coherence": _coherence}
"""Losses by name: of references R and microphones X, a function of Y that returns the loss and its
gradient."""


@dataclass(frozen=True)
class Weighing:
    """The network with its weights, as ``unroll`` wants a source model."""

    weights: dict
    bands: object

    def forward(self, P):
        """φ, and the tape."""
        return source_weights(self.weights, P, self.bands, xp=np)

    def backward(self, tape, gphi):
        """Gradients of weights, and of P."""
        return source_weights_reverse(self.weights, tape, gphi, self.bands, xp=np)


@dataclass(frozen=True)
class Batches:
    """Random excerpts of recordings that have the same number of channels.

    Attributes
    ----------
    mixtures : list of ndarray (n_times, n_channels)
    sources : list of ndarray (n_times, n_sources)
    frames : tuple
        n_fft, hop length and window.
    n_times : int
        Of an excerpt; shorter recordings are repeated.
    size : int
        Excerpts in a batch.
    n_iter : (int, int)
        Fewest and most iterations.
    seed : int
    narrow : float
        Share of batches that have the lower half of the spectra only.
    lead : int
        Most iterations before those that are trained through; half of the batches have none.
    """

    mixtures: list
    sources: list
    frames: tuple
    n_times: int
    size: int
    n_iter: tuple
    seed: int
    narrow: float = 0.0
    lead: int = 0

    @cached_property
    def groups(self):
        """Recordings by number of channels."""
        counts = np.array([x.shape[1] for x in self.mixtures])
        return [np.flatnonzero(counts == n) for n in np.unique(counts)]

    def __call__(self, step):
        """Microphones and references, (size, n_frequencies, ..., n_frames), iterations, and lead.

        The same whenever it is asked for a step.
        """
        rng = np.random.default_rng((self.seed, step))
        shares = np.array([len(g) for g in self.groups]) / len(self.mixtures)
        group = self.groups[rng.choice(len(shares), p=shares)]
        chosen = rng.choice(group, self.size)
        X, R = self.spectra(chosen, rng)
        n_iter = int(rng.integers(self.n_iter[0], self.n_iter[1] + 1))
        if rng.random() < self.narrow:
            X, R = (np.ascontiguousarray(Z[:, : (Z.shape[1] + 1) // 2]) for Z in (X, R))
        return X, R, n_iter, max(0, int(rng.integers(-self.lead, self.lead + 1)))

    def spectra(self, chosen, rng):
        """Microphones and references of excerpts of the recordings with these numbers."""
        pairs = [self._excerpt(i, rng) for i in chosen]
        return tuple(self._transform(np.stack(x)) for x in zip(*pairs, strict=True))

    def _excerpt(self, i, rng):
        x, s = self.mixtures[i], self.sources[i]
        start = rng.integers(max(1, len(x) - self.n_times + 1))
        place = np.arange(start, start + self.n_times) % len(x)
        scale = x[place].std() or 1.0
        return x[place] / scale, s[place] / scale

    def _transform(self, x):
        """(b, n_times, n) to (b, n_frequencies, n, n_frames)."""
        Z = stft(np.moveaxis(x.astype(np.float32), 1, 2), *self.frames)
        return np.ascontiguousarray(np.moveaxis(Z, -1, 1))


def loss_and_gradient(weights, batch, *, bands, loss):
    """Loss half-way and at the end of the iterations, and its gradient.

    What comes before them, the lead, is where they start, and has no gradient: it teaches weights
    to stay where they have separated.

    Parameters
    ----------
    weights : dict of array
    batch : tuple
        Of `Batches`.
    bands : Bands
        Of the whole spectra.
    loss : str
        A name of `LOSSES`.

    Returns
    -------
    float, dict of array
    """
    X, R, n_iter, lead = batch
    at = sorted({max(1, n_iter // 2), n_iter})
    model = Weighing(weights, bands if X.shape[1] == bands.n_frequencies else bands.lower)
    W = unroll(X, model, lead, xp=np)[-1]
    value, gradients = unrolled_loss(X, model, LOSSES[loss](R, X), n_iter, xp=np, at=at, W=W)
    return float(value), gradients


def held_out_loss(weights, batches, *, bands, loss, n_iter):
    """Mean loss after `n_iter` iterations over a list of (X, R)."""
    model, total = Weighing(weights, bands), 0.0
    for X, R in batches:
        W = unroll(X, model, n_iter, xp=np)[-1]
        total += float(LOSSES[loss](R, X)(np.matmul(W, X))[0])
    return total / len(batches)
