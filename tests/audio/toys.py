"""Toy separators and sounds that the tests of audio share."""

import numpy as np
from sklearn.base import BaseEstimator

from anmf import AudioSeparator
from anmf.metrics import si_sdr

RATE = 16000


class Split(BaseEstimator):
    """Three parts, each entry by its size against the mean of its row; it keeps what it's given."""

    def __init__(self, n_sources=3):
        self.n_sources = n_sources

    def fit(self, X, y=None):
        self.X_, self.y_ = X, y
        return self

    def separate(self, X):
        share = X / (X + X.mean(axis=1, keepdims=True) + 1e-30)
        parts = [share, (1 - share) * 0.3, (1 - share) * 0.7][: self.n_sources]
        return np.stack(parts, axis=1) * X[:, None]


def noise(n_times=5000, n_channels=0, dtype="float64", seed=0):
    shape = (n_times, n_channels) if n_channels else n_times
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def fitted(n_fft=128, **options):
    n_sources = options.pop("n_sources", 3)
    return AudioSeparator(Split(n_sources), n_fft=n_fft, **options).fit(noise())


def voice(lowest, n_notes, slope, seed):
    """A tune of harmonic notes, a quarter of a second each."""
    rng = np.random.default_rng(seed)
    t = np.arange(RATE // 4) / RATE
    notes = []
    for step in rng.integers(0, 6, n_notes):
        pitch = lowest * 2 ** (step / 6)
        k = np.arange(1, int(7000 / pitch))[:, None]
        waves = np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6, k.shape))
        notes.append(np.hanning(len(t)) * (k**-slope * waves).sum(axis=0))
    x = np.concatenate(notes)
    return x / np.std(x)


class Offset(Split):
    """A separator that depends on the level of its rows."""

    def separate(self, X):
        return np.stack([X, np.ones_like(X)], axis=1)


def improvement(model, parts):
    x = parts.sum(axis=1)
    return si_sdr(parts.T, model.separate(x).T) - si_sdr(parts.T, np.tile(x, (parts.shape[1], 1)))
