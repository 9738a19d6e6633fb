"""The separation loss and its gradient through the non-negative solve."""

import numpy as np
import pytest

from anmf.nmf import bilevel, implicit
from anmf.nmf.bilevel import Recipe
from anmf.nmf.problem import make_problem
from anmf.nmf.updates import coordinate_sweeps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_support_solve_twins(dtype):
    rng = np.random.default_rng(0)
    W = rng.random((7, 20)).astype(dtype)
    H = np.maximum(rng.standard_normal((9, 7)), 0).astype(dtype)
    H[0] = 0
    B = rng.standard_normal((9, 7)).astype(dtype)
    fast = implicit.support_solve(H, B, W @ W.T, xp=np)
    slow = implicit.support_solve.reference(H, B, W @ W.T, xp=np)
    assert fast.dtype == slow.dtype == dtype
    np.testing.assert_allclose(fast, slow, rtol=2e-3 if dtype == "float32" else 1e-9, atol=1e-9)
    assert not fast[H == 0].any()
    support, G = H[1] > 0, W @ W.T
    ridge = implicit.RIDGE * np.diag(G).max() * np.eye(support.sum())
    direct = np.linalg.solve(G[np.ix_(support, support)] + ridge, B[1, support])
    np.testing.assert_allclose(fast[1, support], direct, rtol=2e-3 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_sources", [2, 3])
def test_mask_loss_twins(dtype, n_sources):
    rng = np.random.default_rng(0)
    U, P = rng.random((2, n_sources, 5, 30)).astype(dtype)
    P[0, 0] = 0
    V = U.sum(axis=0)
    fast = implicit.mask_loss(V, U, P, 1e-3, 0.01, xp=np)
    slow = implicit.mask_loss.reference(V, U, P, 1e-3, 0.01, xp=np)
    for a, b in zip(fast, slow, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-5)


def test_mask_loss_is_the_log_error_of_the_wiener_output():
    rng = np.random.default_rng(0)
    U, P = rng.random((2, 2, 4, 6))
    V = U.sum(axis=0)
    loss, gradient = implicit.mask_loss(V, U, P, 1e-9, 0.01, xp=np)
    output = V * P / P.sum(axis=0)
    error = np.sum((output - U) ** 2, axis=2)
    np.testing.assert_allclose(loss, 0.5 * np.log(error + 0.01).sum(axis=0), rtol=1e-6)
    direction = rng.standard_normal(P.shape)
    after, before = (
        implicit.mask_loss(V, U, P + step * direction, 1e-9, 0.01, xp=np)[0]
        for step in (1e-6, -1e-6)
    )
    slope = np.sum(gradient * direction, axis=(0, 2))
    np.testing.assert_allclose(slope, (after - before) / 2e-6, rtol=1e-6, atol=1e-8)


def recipe(sources, tied, terms=(), **options):
    given = {
        "sources": sources, "paired": None, "terms": terms, "sizes": (3, 4),
        "sparsity": np.full(7, 0.05), "tied": tied, "scale": 1.0, "batch_size": 10, "n_epochs": 3,
        "learning_rate": 0.01, "data_weight": 0.5, "supervised_weight": 1.0,
        "rng": np.random.default_rng(0), "xp": np,
    }  # fmt: skip
    return Recipe(**{**given, **options})


@pytest.fixture
def exact(monkeypatch):
    """No ridge, and activations to the last digit."""
    monkeypatch.setattr(implicit, "RIDGE", 0.0)
    monkeypatch.setattr(bilevel, "_SWEEPS", 3000)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.usefixtures("exact")
def test_gradient_through_the_solve(tied):
    """Central differences of the loss in float64, with respect to either dictionary."""
    rng = np.random.default_rng(0)
    sources = [rng.random((10, 15)) * (rng.random((10, 15)) < 0.5) for _ in range(2)]
    U = np.stack(sources)
    V, setting = U.sum(axis=0), recipe(sources, tied)
    W = rng.random((7, 15))
    R = None if tied else rng.random((7, 15))

    def loss(W, R):
        return float(np.mean(bilevel.gradient(setting, V, U, W, R)[0]))

    _, to_W, to_R = bilevel.gradient(setting, V, U, W, R)
    direction = rng.standard_normal(W.shape)
    step = 1e-6 * direction
    numeric = (loss(W + step, R) - loss(W - step, R)) / 2e-6
    np.testing.assert_allclose(np.sum(to_W * direction), numeric, rtol=1e-6)
    if tied:
        assert to_R is None
    else:
        numeric = (loss(W, R + step) - loss(W, R - step)) / 2e-6
        np.testing.assert_allclose(np.sum(to_R * direction), numeric, rtol=1e-6)


@pytest.mark.usefixtures("exact")
def test_gradient_of_the_adversarial_terms():
    rng = np.random.default_rng(0)
    terms = tuple(
        make_problem(rng.random((9, 15)), k, n_adversarial=4, adversarial_weight=0.3, alpha_H=0.05)
        for k in (3, 4)
    )
    setting = recipe([rng.random((10, 15))] * 2, True, terms, scale=2.0)
    W, direction = rng.random((7, 15)), rng.standard_normal((7, 15))

    def value(W):
        parts = []
        for problem, basis in zip(terms, setting.split(W), strict=True):
            C = problem.X @ basis.T - problem.sparsity
            H, _ = coordinate_sweeps(np.zeros_like(C), C, basis @ basis.T, 3000, xp=np)
            parts.append(problem.loss(H, basis) + problem.penalty(H, basis))
        return 0.5 / 4 * sum(parts)

    objective, slope = bilevel.term_gradient(setting, W)
    np.testing.assert_allclose(objective, value(W), rtol=1e-9)
    numeric = (value(W + 1e-6 * direction) - value(W - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(np.sum(slope * direction), numeric, rtol=1e-6)


def test_adam_is_adam():
    """Three steps against the algorithm's own lines; the first has the size of the rate."""
    rng = np.random.default_rng(0)
    theta, mean, square = rng.random(5), np.zeros(5), np.zeros(5)
    expected, m, v = theta.copy(), np.zeros(5), np.zeros(5)
    for t in (1, 2, 3):
        g = rng.standard_normal(5)
        before = theta
        theta, mean, square = implicit.adam(theta, g, mean, square, 0.01, t, xp=np)
        if t == 1:
            np.testing.assert_allclose(before - theta, 0.01 * np.sign(g), rtol=1e-6)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(theta, expected, rtol=1e-9)


def test_every_row_is_mixed_once_an_epoch():
    """Also where one source has fewer rows; given pairs stay together."""
    a, b = np.arange(1, 24)[:, None] * 1.0, 100.0 * np.arange(1, 12)[:, None]
    setting = recipe([a, b], True)
    batches = list(setting.batches())
    assert len(batches) == setting.n_batches == 2
    parts = np.concatenate([U for _, U in batches], axis=1)
    np.testing.assert_array_equal(np.sort(parts[0, :, 0]), a[:, 0])
    values, counts = np.unique(parts[1, :, 0], return_counts=True)
    np.testing.assert_array_equal(values, b[:, 0])
    assert counts.min() >= 2 and counts.max() <= 3
    np.testing.assert_allclose(np.concatenate([V for V, _ in batches]), parts.sum(axis=0))
    again = np.concatenate([U for _, U in setting.batches()], axis=1)
    assert not np.array_equal(parts, again)

    given = np.stack([a[:11], b], axis=1)
    mixtures = given.sum(axis=1) + 0.5
    V, U = next(recipe([a, b], True, paired=(mixtures, given), batch_size=20).batches())
    assert V.shape == (11, 1)
    np.testing.assert_allclose(U.sum(axis=0) + 0.5, V)
    np.testing.assert_allclose(U[1], 100 * U[0])
