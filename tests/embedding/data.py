"""Data and libraries that the tests of embeddings share."""

from dataclasses import dataclass, replace
from functools import cache

import array_api_strict
import numpy as np
import pytest

from anmf._core.arrays import to_host
from anmf.embedding import SVDDecorrelator
from anmf.metrics import centred_cosine


def numpy(x):
    return np.asarray(x)


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    library = pytest.importorskip("torch")
    library.set_num_threads(1)  # arrays are small: more would wait for each other
    return library.asarray(np.array(x))


def cupy(x):
    library = pytest.importorskip("cupy")
    if not library.cuda.is_available():
        pytest.skip("no CUDA device")
    return library.asarray(x)


LIBRARIES = [strict, torch, pytest.param(cupy, marks=pytest.mark.gpu)]


def coloured(n=200, d=8, seed=0, mean=3.0):
    """Correlated rows whose standard deviations along principal axes span a decade."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return rng.standard_normal((n, d)) * np.geomspace(3, 0.3, d) @ Q + mean * rng.random(d)


def labelled(n=200, d=8, n_classes=7, seed=0):
    """Rows about the means of classes, and their classes."""
    rng = np.random.default_rng(seed + 1)
    y = np.arange(n) % n_classes
    return coloured(n, d, seed) + 4 * rng.standard_normal((n_classes, d))[y], y


def planted(n, d, rank, strength, sigma=0.7, seed=0):
    """A matrix of low rank plus white noise; singular values are `strength` times its edge."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    V = np.linalg.qr(rng.standard_normal((d, rank)))[0]
    edge = sigma * (np.sqrt(n) + np.sqrt(d))
    return strength * edge * U @ V.T + sigma * rng.standard_normal((n, d))


def projector(V):
    return V.T @ V


def within_scatter(Z, y):
    """Pooled covariance about the means of classes, n − n_classes degrees of freedom."""
    classes = np.unique(y)
    R = np.concatenate([Z[y == c] - Z[y == c].mean(axis=0) for c in classes])
    return R.T @ R / (len(Z) - len(classes))


@dataclass(frozen=True)
class World:
    """Embeddings whose truth is known: m + s alone, m + c + a ∘ (s + s') together, plus noise.

    Speakers s are Gaussian. With c = 0 and a = 1 embeddings are linear in speakers.

    Attributes
    ----------
    mean, centre, gain : ndarray (d,)
        m, c and a.
    noise : float
        Standard deviation.
    unit : bool
        Whether embeddings are brought to unit length.
    """

    mean: np.ndarray
    centre: np.ndarray
    gain: np.ndarray
    noise: float = 0.3
    unit: bool = False

    @classmethod
    def linear(cls, d=24, noise=0.3):
        return cls(np.full(d, 0.5), np.zeros(d), np.ones(d), noise)

    @classmethod
    def paired(cls, d=32, noise=0.4, seed=0, unit=False):
        rng = np.random.default_rng(seed)
        mean, centre = rng.standard_normal((2, d))
        return cls(mean, centre, rng.uniform(0.4, 0.6, d), noise, unit)

    def speakers(self, n, rng):
        """Their s (n, d)."""
        return rng.standard_normal((n, len(self.mean)))

    def embed(self, speakers, pairs, rng):
        """Rows (n, d) of pairs (n, 2) of `speakers`; −1 for none."""
        both = pairs.min(axis=1) >= 0
        alone = np.where(pairs[:, 0] >= 0, pairs[:, 0], pairs[:, 1])
        X = speakers[alone]
        X[both] = self.centre + self.gain * speakers[pairs[both]].sum(axis=1)
        X = X + self.mean + self.noise * rng.standard_normal(X.shape)
        return X / np.linalg.norm(X, axis=1, keepdims=True) if self.unit else X

    def background(self, n_speakers=60, n_each=8, n_pairs=300, seed=0):
        """Rows, and their speakers (n, 2)."""
        rng = np.random.default_rng((1, seed))
        who = np.repeat(np.arange(n_speakers), n_each)
        pairs = np.column_stack([who, np.full_like(who, -1)])
        first = rng.integers(n_speakers, size=n_pairs)
        second = (first + rng.integers(1, n_speakers, size=n_pairs)) % n_speakers
        pairs = np.vstack([pairs, np.column_stack([first, second])])
        return self.embed(self.speakers(n_speakers, rng), pairs, rng), pairs

    def recording(self, n_speakers, n=40, overlap=0.4, seed=0):
        """Rows in no order, their speakers (n, 2), and embeddings (K, d) without noise."""
        rng = np.random.default_rng((2, n_speakers, seed))
        first = rng.permutation(np.arange(n) % n_speakers)
        second = (first + rng.integers(1, max(2, n_speakers), size=n)) % n_speakers
        second = np.where((np.arange(n) < overlap * n) & (n_speakers > 1), second, -1)
        pairs, speakers = np.column_stack([first, second]), self.speakers(n_speakers, rng)
        true = np.column_stack([np.arange(n_speakers), np.full(n_speakers, -1)])
        quiet = replace(self, noise=0.0)
        return self.embed(speakers, pairs, rng), pairs, quiet.embed(speakers, true, rng)


KINDS = ["cone", "pairs", "pairs of unit length"]
WORLDS = dict(zip(KINDS, (World.linear(), World.paired(), World.paired(unit=True)), strict=True))


@cache
def background(kind):
    X, y = WORLDS[kind].background(n_pairs=0 if kind == "cone" else 300)
    return X, y[:, 0] if kind == "cone" else y


def fitted(kind, convert=np.asarray, change=lambda X: X, **options):
    X, y = background(kind)
    covariance = "within" if kind == "cone" else "total"
    model = SVDDecorrelator(covariance=covariance, random_state=0, **options)
    return model.fit(convert(change(X)), y)


def recording(kind="pairs", n_speakers=3, seed=0, **options):
    return WORLDS[kind].recording(n_speakers, seed=seed, **options)


def in_order(model, true):
    """Cosines of the true embeddings with those found, and the estimate of each."""
    return centred_cosine(true, to_host(model.speaker_embeddings_), mean=to_host(model.mean_))


def assert_same(model, expected, atol=1e-6, change=lambda X: X):
    """Up to the order of speakers; the estimate of each that is expected."""
    found, true = to_host(model.speaker_embeddings_), change(expected.speaker_embeddings_)
    assert found.shape == true.shape
    order = np.linalg.norm(found[:, None] - true, axis=2).argmin(axis=0)
    np.testing.assert_allclose(found[order], true, atol=atol * np.abs(true).max())
    activations = to_host(model.activations_)[:, order]
    np.testing.assert_allclose(activations, expected.activations_, atol=10 * atol)
    np.testing.assert_array_equal(model.overlap_, expected.overlap_)
    alone = ~expected.overlap_  # of two who talk, either may be the more certain one
    np.testing.assert_array_equal(model.labels_[alone], order[expected.labels_][alone])
    return order
