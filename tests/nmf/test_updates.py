"""The update equations: compiled twins equal references, and both reach known optima."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import nnls

from anmf.nmf import updates


def problem(n, k, m, dtype):
    """X, W, and the terms X Wᵀ and W Wᵀ of the activations."""
    rng = np.random.default_rng(n + k)
    W = rng.gamma(0.5, size=(k, m)).astype(dtype)
    X = rng.gamma(0.5, size=(n, m)).astype(dtype)
    return X, W, X @ W.T, W @ W.T


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 3), (5, 4, 9), (129, 7, 20), (300, 18, 30)])
def test_coordinate_sweep_twins(n, k, m, dtype):
    _, _, C, G = problem(n, k, m, dtype)
    G[-1] = G[:, -1] = 0  # a dead component
    H = np.random.default_rng(0).random((n, k)).astype(dtype)
    C.flags.writeable = G.flags.writeable = H.flags.writeable = False
    fast, fast_gain = updates.coordinate_sweeps(H, C, G, 3, xp=np)
    slow, slow_gain = updates.coordinate_sweeps.reference(H, C, G, 3, xp=np)
    rtol = 2e-3 if dtype == "float32" else 1e-10
    assert fast.dtype == slow.dtype == dtype
    np.testing.assert_allclose(fast, slow, rtol=rtol, atol=rtol * slow.max())
    np.testing.assert_allclose(fast_gain, slow_gain, rtol=rtol, atol=rtol * slow_gain.max())
    np.testing.assert_array_equal(fast[:, -1], H[:, -1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sweep_twins_with_a_gram_matrix_a_row(dtype):
    X, W, C, _ = problem(6, 5, 9, dtype)
    mask = (np.random.default_rng(0).random(X.shape) < 0.7).astype(dtype)
    G = (mask[:, None, :] * W) @ W.T
    fast = updates.coordinate_sweeps_each(np.zeros_like(C), C, G, 4, xp=np)
    slow = updates.coordinate_sweeps_each.reference(np.zeros_like(C), C, G, 4, xp=np)
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("free", [range(6), [0, 3], []])
def test_sphere_sweep_twins(dtype, free):
    X, W, *_ = problem(40, 6, 11, dtype)
    W = updates.unit_rows(W, xp=np)[0]
    H = np.random.default_rng(0).random((40, 6)).astype(dtype)
    arguments = (W, H.T @ X, H.T @ H, np.full(6, 0.1, dtype), tuple(free), 3)
    fast = updates.sphere_sweeps(*arguments, xp=np)
    slow = updates.sphere_sweeps.reference(*arguments, xp=np)
    np.testing.assert_allclose(fast, slow, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-6)
    frozen = [t for t in range(6) if t not in list(free)]
    np.testing.assert_array_equal(fast[frozen], W[frozen])
    np.testing.assert_allclose(np.linalg.norm(fast[list(free)], axis=1), 1, rtol=1e-5)


def test_coordinate_sweeps_reach_scipys_optimum():
    X, W, C, G = problem(20, 6, 15, "float64")
    H, gains = updates.coordinate_sweeps(np.zeros_like(C), C, G, 500, xp=np)
    expected = np.stack([nnls(W.T, x)[0] for x in X])
    np.testing.assert_allclose(H, expected, atol=1e-9)
    assert np.all(np.abs(gains) < 1e-15)


def test_gain_is_the_fall_of_the_objective():
    X, W, C, G = problem(7, 5, 15, "float64")
    H, _ = updates.coordinate_sweeps(np.ones_like(C), C, G, 1, xp=np)
    one, gains = updates.coordinate_sweeps(H, C, G, 1, xp=np)
    two, both = updates.coordinate_sweeps(H, C, G, 2, xp=np)

    def value(H):
        return 0.5 * np.sum((X - H @ W) ** 2, axis=1)

    np.testing.assert_allclose(gains[:, 1], value(H) - value(one), rtol=1e-9)
    np.testing.assert_allclose(both[:, 0], gains[:, 1], rtol=1e-12)
    np.testing.assert_allclose(both[:, 1], value(one) - value(two), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gram_a_row", [False, True])
def test_support_step_twins(dtype, gram_a_row):
    X, W, C, G = problem(9, 6, 15, dtype)
    if gram_a_row:
        mask = (np.random.default_rng(0).random(X.shape) < 0.7).astype(dtype)
        G = (mask[:, None, :] * W) @ W.T
    H = updates.coordinate_sweeps(np.zeros_like(C), C, W @ W.T, 2, xp=np)[0]
    fast = updates.support_step(H, C, G, xp=np)
    slow = updates.support_step.reference(H, C, G, xp=np)
    rtol = 1e-2 if dtype == "float32" else 1e-6
    np.testing.assert_allclose(fast, slow, rtol=rtol, atol=rtol * slow.max())
    assert (fast >= 0).all() and (fast[H == 0] == 0).all()


def test_support_step_solves_where_the_support_is_right():
    X, W, C, G = problem(20, 6, 15, "float64")
    optimum = np.stack([nnls(W.T, x)[0] for x in X])
    H = np.where(optimum > 0, optimum * 1.3 + 1e-3, 0)
    np.testing.assert_allclose(updates.support_step(H, C, G, xp=np), optimum, atol=1e-4)


def test_support_step_survives_equal_components():
    """A singular system: the step stays finite and doesn't raise the objective."""
    X, W, *_ = problem(8, 3, 10, "float64")
    W = np.concatenate([W, W])
    C, G = X @ W.T, W @ W.T
    H = np.ones_like(C)

    def value(H):
        return 0.5 * np.sum((X - H @ W) ** 2, axis=1)

    for step in (updates.support_step, updates.support_step.reference):
        new = step(H, C, G, xp=np)
        assert np.isfinite(new).all() and (value(new) <= value(H)).all()


def test_sphere_step_is_the_closed_form_minimiser():
    """One free row: no other unit non-negative row does better."""
    X, W, *_ = problem(30, 3, 8, "float64")
    rng = np.random.default_rng(0)
    H, alpha = rng.random((30, 3)), np.array([0.0, 0.4, 0.0])
    W = updates.unit_rows(W, xp=np)[0]

    def value(W):
        return 0.5 * np.sum((X - H @ W) ** 2) + np.sum(alpha * W.sum(axis=1))

    best = updates.sphere_sweeps(W, H.T @ X, H.T @ H, alpha, (1,), 1, xp=np)
    for _ in range(200):
        other = best.copy()
        other[1] = np.clip(other[1] + 0.1 * rng.standard_normal(8), 0, None)
        other[1] /= np.linalg.norm(other[1])
        assert value(best) <= value(other) + 1e-12


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_ratio_terms_are_the_gradient(beta):
    """d/dY of the model part of the divergence is R₂ − R₁, by central differences."""
    from anmf.nmf.divergence import model_terms

    rng = np.random.default_rng(0)
    X, Y, step = rng.random((4, 5)) + 0.1, rng.random((4, 5)) + 0.5, 1e-6
    first, second = updates.ratio_terms(X, Y, beta, 1e-9, xp=np)
    second = np.ones_like(Y) if second is None else second
    numeric = (model_terms(X, Y + step, beta, xp=np) - model_terms(X, Y - step, beta, xp=np)) / (
        2 * step
    )
    np.testing.assert_allclose(second - first, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("beta", [0, 1, 1.5, 3])
def test_ratio_twins(beta, dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.random((9, 14)).astype(dtype), rng.random((14, 9)).astype(dtype).T
    Y[0] = 0  # at the floor
    fast = updates.ratio_terms(X, Y, beta, 0.01, xp=np)
    slow = updates.ratio_terms.reference(X, Y, beta, 0.01, xp=np)
    for a, b in zip(fast, slow, strict=True):
        if b is None:
            assert a is None
        else:
            assert a.dtype == b.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_inner_twins(dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.random((9, 14)).astype(dtype), rng.random((9, 14)).astype(dtype)
    Y[0] = X[1, :3] = 0
    fast = updates.log_inner(X, Y, 0.01, xp=np)
    slow = updates.log_inner.reference(X, Y, 0.01, xp=np)
    assert fast.dtype == slow.dtype == dtype
    np.testing.assert_allclose(fast, slow, rtol=1e-5 if dtype == "float32" else 1e-13)
    np.testing.assert_allclose(slow[0], X[0].sum() * np.log(0.01), rtol=1e-5)


def test_tangent_terms_are_orthogonal_to_the_sphere():
    rng = np.random.default_rng(0)
    W = updates.unit_rows(rng.random((3, 6)), xp=np)[0]
    num, den = rng.random((3, 6)), rng.random((3, 6))
    n, d = updates.tangent_terms(W, num, den, xp=np)
    np.testing.assert_allclose(np.sum((d - n) * W, axis=1), 0, atol=1e-14)
    assert (n >= 0).all() and (d >= 0).all()


@pytest.mark.slow
def test_kernels_as_plain_python():
    """The kernels' own code, uncompiled, agrees with the references."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "twins and not 300", "-p",
               "no:cacheprovider"]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
