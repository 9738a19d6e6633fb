"""Deep-clustering losses: the form of bins by bins, gradients, closed forms, silence."""

import array_api_strict
import numpy as np
import pytest

from anmf.deep.clustering_loss import (
    CLUSTERING_LOSSES,
    affinity_loss,
    bin_weights,
    whitened_loss,
)

every_loss = pytest.mark.parametrize("name", CLUSTERING_LOSSES)


def problem(n_sources=2, shape=(3, 40), size=6, seed=0):
    """Unit embeddings, indicators of sources, weights that sum to one a mixture."""
    rng = np.random.default_rng(seed)
    V = rng.standard_normal((*shape, size))
    V /= np.linalg.norm(V, axis=-1, keepdims=True)
    Y = np.eye(n_sources)[rng.integers(n_sources, size=shape)]
    weight = rng.random(shape)
    weight[:, :5] = 0
    bins = tuple(range(1, len(shape)))
    return V, Y, weight / weight.sum(axis=bins, keepdims=True)


def naive(xp, V, Y, weight):
    """The affinity loss, bins by bins."""
    losses = []
    for v, y, w in zip(V, Y, weight, strict=True):
        losses.append(xp.sum(w[:, None] * w[None, :] * (v @ v.T - y @ y.T) ** 2))
    return sum(losses) / len(losses)


def naive_whitened(xp, V, Y, weight, ridge=1e-3):
    """‖V A^−½ − Y C⁻¹ Bᵀ A^−½‖² of one mixture, as published but for the ridge and a constant."""
    losses = []
    for v, y, w in zip(V, Y, weight, strict=True):
        A = v.T @ (w[:, None] * v) + ridge * np.eye(v.shape[1])
        B = v.T @ (w[:, None] * y)
        C = y.T @ (w[:, None] * y) + ridge * np.eye(y.shape[1])
        share = xp.linalg.inv(A) @ B @ xp.linalg.inv(C) @ B.T
        losses.append(y.shape[1] - xp.trace(share))
    return sum(losses) / len(losses)


NAIVE = {"affinity": naive, "whitened": naive_whitened}


@every_loss
@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_equals_the_naive_form(name, n_sources):
    V, Y, weight = problem(n_sources)
    value, _ = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    assert value == pytest.approx(NAIVE[name](np, V, Y, weight), abs=1e-10)


@every_loss
def test_autograd(name):
    autograd = pytest.importorskip("autograd")
    wrapped = pytest.importorskip("autograd.numpy")
    V, Y, weight = problem(3)
    expected = autograd.grad(lambda V: NAIVE[name](wrapped, V, Y, weight))(V)
    _, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12)


@every_loss
def test_finite_differences(name):
    V, Y, weight = problem()
    loss, step = CLUSTERING_LOSSES[name], 1e-5
    _, gradient = loss(V, Y, weight, xp=np)
    direction = np.random.default_rng(1).standard_normal(V.shape)
    ends = [loss(V + sign * step * direction, Y, weight, xp=np)[0] for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6)


@every_loss
def test_order_of_sources_and_turns_of_embeddings_do_not_matter(name):
    V, Y, weight = problem(3)
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 6)))[0]
    value, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    other, turned = CLUSTERING_LOSSES[name](V @ turn, Y[..., [2, 0, 1]], weight, xp=np)
    assert other == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(turned, gradient @ turn, atol=1e-12)


def test_closed_forms():
    """Perfect embeddings give 0; one point for all, 2 p q; of three equal sources, 2 / 3."""
    for n_sources in (2, 3, 4):
        _, Y, weight = problem(n_sources)
        value, gradient = affinity_loss(Y, Y, weight, xp=np)
        assert value == pytest.approx(0, abs=1e-15)
        assert np.abs(gradient).max() < 1e-15
    Y, weight = np.eye(2)[None, [0, 0, 1]], np.full((1, 3), 1 / 3)
    assert affinity_loss(np.ones((1, 3, 1)), Y, weight, xp=np)[0] == pytest.approx(4 / 9)
    Y = np.eye(3)[None]
    assert affinity_loss(np.ones((1, 3, 1)), Y, weight, xp=np)[0] == pytest.approx(2 / 3)
    # Whitened, sizes don't matter: one point for all spans one of the K directions.
    for n_sources in (2, 3, 5):
        _, Y, weight = problem(n_sources)
        flat = np.ones((*weight.shape, 1))
        value = whitened_loss(flat, Y, weight, xp=np, ridge=1e-9)[0]
        assert value == pytest.approx(n_sources - 1, abs=1e-6)
        assert whitened_loss(Y, Y, weight, xp=np, ridge=1e-9)[0] == pytest.approx(0, abs=1e-6)


@every_loss
def test_mixtures_count_alike_and_axes_of_bins_may_be_several(name):
    V, Y, weight = problem(shape=(3, 10, 4))
    value, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    single = [
        CLUSTERING_LOSSES[name](V[b : b + 1], Y[b : b + 1], weight[b : b + 1], xp=np)
        for b in range(3)
    ]
    assert value == pytest.approx(np.mean([v for v, _ in single]), abs=1e-13)
    np.testing.assert_allclose(gradient, np.concatenate([g for _, g in single]) / 3, atol=1e-14)
    assert gradient.shape == V.shape
    flat = CLUSTERING_LOSSES[name](
        V.reshape(3, 40, 6), Y.reshape(3, 40, 2), weight.reshape(3, 40), xp=np
    )
    assert flat[0] == pytest.approx(value, abs=1e-14)


@every_loss
def test_bins_without_weight_have_no_say(name):
    V, Y, weight = problem()
    value, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    assert np.all(gradient[:, :5] == 0)
    V[:, :5], Y[:, :5] = V[:, 5:10], Y[:, 10:15]
    assert CLUSTERING_LOSSES[name](V, Y, weight, xp=np)[0] == pytest.approx(value, abs=1e-14)


@every_loss
def test_silence_and_absent_sources_are_safe(name):
    V, Y, weight = problem(3)
    value, gradient = CLUSTERING_LOSSES[name](V, Y, 0 * weight, xp=np)
    assert value == (3 if name == "whitened" else 0)
    assert np.all(gradient == 0)
    Y[...] = np.eye(3)[0]
    value, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))


@every_loss
def test_descent_separates_planted_sources(name):
    """From random embeddings, gradient steps alone end where the sources are told apart."""
    V, Y, _ = problem(3, shape=(1, 300), size=4)
    weight = np.full((1, 300), 1 / 300)
    for _ in range(300):
        _, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
        V = V - 90 * gradient
        V /= np.linalg.norm(V, axis=-1, keepdims=True)
    cosines = np.abs(V[0] @ V[0].T)
    same = (Y[0] @ Y[0].T) > 0
    assert cosines[same].min() > 0.99
    assert cosines[~same].max() < 0.01


@every_loss
def test_float32_stays(name):
    V, Y, weight = problem()
    value, gradient = CLUSTERING_LOSSES[name](V, Y, weight, xp=np)
    single = [a.astype(np.float32) for a in (V, Y, weight)]
    found, found_gradient = CLUSTERING_LOSSES[name](*single, xp=np)
    assert isinstance(found, float)
    assert found == pytest.approx(value, rel=1e-4)
    assert found_gradient.dtype == np.float32
    np.testing.assert_allclose(found_gradient, gradient, rtol=1e-3, atol=1e-5)


@every_loss
def test_array_api(name):
    arrays = problem(shape=(2, 8, 4))
    value, gradient = CLUSTERING_LOSSES[name](*arrays, xp=np)
    place = array_api_strict.Device("device1")
    strict = [array_api_strict.asarray(a, device=place) for a in arrays]
    found, back = CLUSTERING_LOSSES[name](*strict, xp=array_api_strict)
    assert found == pytest.approx(value, rel=1e-12)
    assert back.device == place
    host = array_api_strict.asarray(back, device=array_api_strict.Device("CPU_DEVICE"))
    np.testing.assert_allclose(np.asarray(host), gradient, rtol=1e-10, atol=1e-14)


def test_weights():
    magnitude = np.zeros((3, 2, 3))
    magnitude[0] = [[100.0, 50.0, 50.0], [1.01, 0.99, 0.0]]
    magnitude[1] = 1e-300 * magnitude[0]  # no underflow
    weight = bin_weights(magnitude, xp=np)
    expected = np.array([[100, 50, 50], [1.01, 0, 0]]) / 201.01
    np.testing.assert_allclose(weight[0], expected, rtol=1e-14)
    np.testing.assert_allclose(weight[1], expected, rtol=1e-12)
    assert np.all(weight[2] == 0)
    np.testing.assert_allclose(bin_weights(magnitude, xp=np, level=6)[0], [[1, 0, 0], [0, 0, 0]])
    assert bin_weights(magnitude.astype(np.float32), xp=np).dtype == np.float32


@every_loss
def test_bad_input(name):
    loss, (V, Y, weight) = CLUSTERING_LOSSES[name], problem()
    with pytest.raises(ValueError, match=r"V has shape \(40, 6\)"):
        loss(V[0], Y[0], weight[0], xp=np)
    with pytest.raises(ValueError, match=r"Y has shape .* expected \(3, 40\)"):
        loss(V, Y[:, 1:], weight, xp=np)
    with pytest.raises(ValueError, match=r"weight has shape .* one number a bin"):
        loss(V, Y, weight[..., None], xp=np)
    with pytest.raises(ValueError, match="ridge=0 must be positive"):
        whitened_loss(V, Y, weight, xp=np, ridge=0)
