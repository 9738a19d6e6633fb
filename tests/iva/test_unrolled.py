"""Unrolled iterative source steering: its gradients, its twins, its memory, and silence."""

import os
import subprocess
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest

from anmf._core.arrays import like, namespace, to_host
from anmf.deep import Recipe, train
from anmf.iva import UPDATES, auxiva, unrolled
from anmf.iva.covariance import weighted_covariances
from anmf.iva.losses import coherence_pairs, si_sdr_pairs
from anmf.iva.unrolled import (
    next_demixing,
    next_demixing_reverse,
    power,
    power_reverse,
    sweep,
    sweep_reverse,
    unroll,
    unroll_reverse,
    unrolled_loss,
)
from anmf.metrics import solve_permutation
from tests.iva.scenes import LIBRARIES, complex_normal
from tests.iva.unrolled_cases import (
    AT,
    Gauss,
    Smooth,
    Traced,
    arguments,
    batch,
    both,
    floors,
    inner,
    loss_of,
    losses,
    reference_of,
    sizes,
    smooth,
)


@sizes
@floors
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_twins(n, n_channels, shared, dtype, floor):
    rtol = 1e-3 if dtype == "complex64" else 1e-9
    arrays = arguments(n, n_channels, shared, dtype)
    for gW, X, W, weights in (arrays, [np.asfortranarray(a) for a in arrays]):
        P = power.reference(X, W, xp=np)
        for function, args in (
            (power, (X, W)),
            (power_reverse, (P, X, W)),
            (partial(next_demixing, floor=floor), (X, W, weights)),
            (partial(next_demixing_reverse, floor=floor), (gW, X, W, weights)),
        ):
            copies = [a.copy() for a in args]
            found, expected = function(*args, xp=np), reference_of(function)(*args, xp=np)
            assert all(np.array_equal(a, copy) for a, copy in zip(args, copies, strict=True))
            pairs = zip(found, expected, strict=True) if len(args) == 4 else [(found, expected)]
            for a, b in pairs:
                assert a.dtype == b.dtype and a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * abs(b).max())


@sizes
def test_sweep_is_that_of_auxiva(n, n_channels, shared):
    _, X, W, weights = arguments(n, n_channels, shared)
    after = sweep(W @ X, W, weights, xp=np)
    for b in range(len(X)):
        Y = W[b] @ X[b]
        V = weighted_covariances(Y, weights[b], X.shape[3], xp=np)
        B, _ = UPDATES["iss"](V, xp=np)
        np.testing.assert_allclose(after[1][b], B @ W[b], rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(after[0][b], B @ Y, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(next_demixing(X, W, weights, xp=np), after[1], rtol=1e-9)


@sizes
@floors
def test_sweep_reverse(n, n_channels, shared, floor):
    gW, X, W, weights = arguments(n, n_channels, shared)
    rng, Y = np.random.default_rng(1), W @ X
    gY = complex_normal(rng, *Y.shape)
    gradients = sweep_reverse(gY, gW, Y, W, weights, xp=np, floor=floor)
    for i, gradient in enumerate(gradients):
        args, step, ends = [Y, W, weights], 1e-6, []
        assert gradient.shape == args[i].shape
        way = complex_normal(rng, *args[i].shape) if i < 2 else rng.standard_normal(weights.shape)
        for sign in (1, -1):
            moved = [*args[:i], args[i] + sign * step * way, *args[i + 1 :]]
            after = sweep(*moved, xp=np, floor=floor)
            ends.append(inner(gY, after[0]) + inner(gW, after[1]))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert inner(gradient, way) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@both
@losses
@pytest.mark.parametrize(("n", "floor"), [(2, unrolled.FLOOR), (3, unrolled.FLOOR), (2, 2.0)])
def test_finite_differences_through_ten_iterations(n, floor, name, reference, engine):
    X, R = batch(n)
    model, loss, options = smooth(), loss_of(name, R, X), {"xp": np, "at": AT, "floor": floor}
    _, gradients = unrolled_loss(X, model, loss, 10, **options)
    assert set(gradients) == set(model.weights)
    rng, step = np.random.default_rng(2), 1e-5
    for key, value in model.weights.items():
        way, ends = rng.standard_normal(value.shape), []
        for sign in (1, -1):
            moved = Smooth({**model.weights, key: value + sign * step * way})
            ends.append(unrolled_loss(X, moved, loss, 10, **options)[0])
        slope = (ends[0] - ends[1]) / (2 * step)
        assert np.sum(gradients[key] * way) == pytest.approx(slope, rel=1e-6)


@losses
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("n", [2, 3])
def test_autograd_through_ten_iterations(n, shared, name):
    autograd, (X, R), xp = pytest.importorskip("autograd"), batch(n), Traced()
    model = Gauss({"beta": np.asarray(0.8)}) if shared else smooth()

    def pairs(Y, xp):
        if name == "coherence":
            return coherence_pairs(Y, R, xp=xp)
        return si_sdr_pairs(Y, R, X[:, :, 0, :], xp=xp)

    demixing = unroll(X, model, 10, xp=np)
    orders = {k: np.eye(n)[solve_permutation(pairs(demixing[k] @ X, np))] for k in AT}

    def function(args):
        weights, re, im = args
        traced = (Gauss if shared else Smooth)(weights, xp)
        demixing = unroll(re + 1j * im, traced, 10, xp=xp)
        found = [pairs(xp.matmul(demixing[k], X), xp) * orders[k] for k in AT]
        return -sum(xp.sum(q) for q in found) / (len(X) * n * len(AT))

    arrays = model.weights, X.real, X.imag  # a mixture that is traced takes the references' path
    expected, (slopes, *_) = autograd.value_and_grad(function)(arrays)
    value, gradients = unrolled_loss(X, model, loss_of(name, R, X), 10, xp=np, at=AT)
    assert value == pytest.approx(expected, rel=1e-10)
    for key, gradient in gradients.items():
        atol = 1e-10 * abs(slopes[key]).max()
        np.testing.assert_allclose(gradient, slopes[key], rtol=1e-10, atol=atol)


def test_gradient_of_the_start():
    X, R = batch()
    model, loss, rng = smooth(), loss_of("si-sdr", R, X), np.random.default_rng(0)
    W = np.eye(2) + 0.3 * complex_normal(rng, 2, 9, 2, 2)

    def value(W):
        demixing = unroll(X, model, 3, xp=np, W=W)
        return loss(demixing[3] @ X), demixing

    (_, gY), demixing = value(W)
    gradients = {3: gY @ X.conj().swapaxes(2, 3)}
    _, gW = unroll_reverse(gradients, demixing, X, model, xp=np)
    way = complex_normal(rng, *W.shape)
    slope = (value(W + 1e-6 * way)[0][0] - value(W - 1e-6 * way)[0][0]) / 2e-6
    assert inner(gW, way) == pytest.approx(slope, rel=1e-6)


def test_memory_is_that_of_one_iteration():
    X, R = batch(2, 65, 200)
    model, loss, peaks = Gauss({"beta": 0.8}), loss_of("si-sdr", R, X), []
    unrolled_loss(X, model, loss, 2, xp=np)
    for n_iter in (5, 20):
        tracemalloc.start()
        unrolled_loss(X, model, loss, n_iter, xp=np)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_single_precision():
    X, R = batch(2)
    narrow = X.astype("complex64"), R.astype("complex64")
    model, single = smooth(), smooth("complex64")
    value, gradients = unrolled_loss(X, model, loss_of("si-sdr", R, X), 10, xp=np, at=AT)
    loss = loss_of("si-sdr", narrow[1], narrow[0])
    found, slopes = unrolled_loss(narrow[0], single, loss, 10, xp=np, at=AT)
    assert found == pytest.approx(value, rel=1e-3)
    for key, gradient in gradients.items():
        assert slopes[key].dtype == np.float32
        np.testing.assert_allclose(
            slopes[key], gradient, rtol=1e-2, atol=1e-2 * abs(gradient).max()
        )


@pytest.mark.parametrize("library", LIBRARIES)
def test_array_libraries(library):
    X, R = batch(2)
    expected = unrolled_loss(X, smooth(), loss_of("si-sdr", R, X), 3, xp=np, at=(1, 3))
    X, R = library(X), library(R)
    xp, weights = namespace(X), smooth().weights
    model = Smooth({key: like(a, xp.real(X)) for key, a in weights.items()}, xp)
    value, gradients = unrolled_loss(X, model, loss_of("si-sdr", R, X, xp), 3, xp=xp, at=(1, 3))
    np.testing.assert_allclose(to_host(value), expected[0], rtol=1e-9)
    for key, gradient in expected[1].items():
        np.testing.assert_allclose(to_host(gradients[key]), gradient, rtol=1e-8, atol=1e-11)


def test_unrolled_gauss_is_that_of_auxiva():
    X, _ = batch(3, 17, 60)
    model = Gauss({"beta": np.asarray(1.0)}, least=1e-10)
    W = unroll(X, model, 8, xp=np)[8]
    for b in range(len(X)):
        expected = auxiva(X[b], update="iss", source_model="gauss", max_iter=8)[1]
        ratio = W[b] / expected  # a scale for each source
        np.testing.assert_allclose(ratio, ratio[:1, :, :1] + 0 * ratio, rtol=1e-5)


def test_level_does_not_matter():
    X, _ = batch(3)
    model = smooth()
    for level in (1e-6, 1e6):
        scaled = unroll(level * X, model, 5, xp=np)[5] @ (level * X)
        np.testing.assert_allclose(scaled, unroll(X, model, 5, xp=np)[5] @ X, rtol=1e-7)


def test_training_lowers_the_loss():
    X, R = batch(2, dtype="complex64")

    def loss_and_gradient(weights, _):
        loss = loss_of("si-sdr", R, X)
        return unrolled_loss(X, Smooth(weights), loss, 6, xp=np, at=(3, 6))

    start = smooth("complex64").weights
    result = train(start, loss_and_gradient, lambda step: None, Recipe(n_steps=60, rate=0.02))
    losses = result.state.losses
    assert result.ended == "finished" and losses[-5:].mean() < losses[0] - 1


@pytest.mark.slow
def test_kernels_as_plain_python():
    """The kernels' own code, uncompiled, agrees with the references."""
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "test_twins and not complex64",
               "-p", "no:cacheprovider"]  # fmt: skip
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
