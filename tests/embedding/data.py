"""Data and libraries that the tests of embeddings share."""

import array_api_strict
import numpy as np
import pytest


def numpy(x):
    return np.asarray(x)


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    return pytest.importorskip("torch").asarray(np.array(x))


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
