"""Whitenings: they whiten, each is best by its criterion, in every library."""

import numpy as np
import pytest

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding.whitening import WHITENINGS, signed
from tests.embedding.data import LIBRARIES, coloured

KINDS = [kind for kind in WHITENINGS if kind]
C = np.cov(coloured(d=12).T)


def phi(W):
    return W @ C


def psi(W):
    return W @ C / np.sqrt(np.diag(C))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 12, 60])
def test_covariance_becomes_the_identity(kind, d):
    C = np.cov(coloured(3 * d + 10, d).T).reshape(d, d)
    W, back = WHITENINGS[kind](C, xp=np)
    assert np.max(np.abs(W @ C @ W.T - np.eye(d))) <= 1e-12
    assert np.max(np.abs(W @ back - np.eye(d))) <= 1e-12


@pytest.mark.parametrize(
    ("kind", "criterion"),
    [
        ("zca", lambda W: np.trace(phi(W))),
        ("zca-cor", lambda W: np.trace(psi(W))),
        ("pca", lambda W: np.sum(phi(W)[0] ** 2)),
        ("pca-cor", lambda W: np.sum(psi(W)[0] ** 2)),
        ("pca", lambda W: np.sum(phi(W)[:5] ** 2)),
        ("pca-cor", lambda W: np.sum(psi(W)[:5] ** 2)),
    ],
)
def test_no_other_whitening_is_better(kind, criterion):
    """Against random orthogonal mixes: far ones and near ones."""
    W, rng = WHITENINGS[kind](C, xp=np)[0], np.random.default_rng(0)
    best = criterion(W)
    for size in np.geomspace(1e-3, 1e3, 200):
        Q, R = np.linalg.qr(np.eye(12) + size * rng.standard_normal((12, 12)))
        Q = Q * np.sign(np.diag(R))
        assert np.allclose((Q @ W) @ C @ (Q @ W).T, np.eye(12))
        assert criterion(Q @ W) <= best * (1 + 1e-12)


def test_cholesky_is_lower_triangular_with_positive_diagonal():
    """And no mix of it is: the criterion has one solution."""
    W = WHITENINGS["cholesky"](C, xp=np)[0]
    np.testing.assert_allclose(np.triu(phi(W), 1), 0, atol=1e-12)
    assert np.all(np.diag(phi(W)) > 0)
    np.testing.assert_allclose(W, np.linalg.cholesky(np.linalg.inv(C)).T, rtol=1e-9, atol=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(200):
        Q = np.linalg.qr(rng.standard_normal((12, 12)))[0]
        assert np.max(np.abs(np.triu(phi(Q @ W), 1))) > 1e-3


def test_zca_is_symmetric():
    W, back = WHITENINGS["zca"](C, xp=np)
    np.testing.assert_allclose(W, W.T, atol=1e-13)
    np.testing.assert_allclose(back @ back, C, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_what_scaling_features_does(kind):
    scale = np.geomspace(0.01, 100, 12)
    W = WHITENINGS[kind](C, xp=np)[0]
    scaled = WHITENINGS[kind](C * np.outer(scale, scale), xp=np)[0] * scale
    same = np.allclose(W, scaled, rtol=1e-8, atol=1e-10)
    # A triangular factor doesn't depend on the units either.
    assert same == (kind in ("zca-cor", "pca-cor", "cholesky"))


def test_largest_entry_of_each_row_is_positive():
    V = np.array([[1.0, -2.0], [3.0, 1.0], [-1.0, 1.0], [0.0, 0.0]])
    expected = [[-1, 2], [3, 1], [-1, 1], [0, 0]]
    np.testing.assert_array_equal(signed(V, xp=np), expected)
    for kind in ("pca", "pca-cor"):
        W = WHITENINGS[kind](C, xp=np)[0]
        W = W * np.sqrt(np.diag(C)) if kind == "pca-cor" else W
        assert np.all(np.max(W, axis=1) >= -np.min(W, axis=1))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", WHITENINGS)
def test_other_libraries(library, kind):
    foreign = library(C)
    for ours, theirs in zip(
        WHITENINGS[kind](C, xp=np), WHITENINGS[kind](foreign, xp=namespace(foreign)), strict=True
    ):
        assert device(theirs) == device(foreign) and theirs.dtype == foreign.dtype
        np.testing.assert_allclose(to_host(theirs), ours, rtol=1e-9, atol=1e-11)
