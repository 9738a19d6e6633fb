"""Permutation-invariant loss: the best of all orders, gradients, closed forms, silence."""

from itertools import permutations

import array_api_strict
import numpy as np
import pytest

from anmf.deep.pit_loss import (
    TARGETS,
    best_order,
    magnitude_target,
    phase_sensitive_target,
    pit_loss,
)


def spectra(n_sources=2, shape=(3, 7, 5), seed=0):
    """Random spectra of mixtures and of their sources."""
    rng = np.random.default_rng(seed)
    size = (shape[0], shape[1], n_sources, shape[2])
    S = rng.standard_normal(size) + 1j * rng.standard_normal(size)
    return S.sum(axis=2), S


def problem(n_sources=2, target="phase-sensitive", seed=0):
    """Masks that sum to one, magnitudes, targets."""
    X, S = spectra(n_sources, seed=seed)
    masks = np.random.default_rng(seed + 1).random(S.shape)
    masks /= masks.sum(axis=2, keepdims=True)
    return masks, np.abs(X), TARGETS[target](X, S, xp=np)


def in_all_orders(xp, masks, magnitude, targets):
    """The loss by its definition."""
    losses = []
    for m, a, t in zip(masks, magnitude, targets, strict=True):
        found = [
            xp.sum(xp.abs(m * a[:, None, :] - t[:, list(order), :])) / xp.sum(a)
            for order in permutations(range(t.shape[1]))
        ]
        losses.append(found[int(np.argmin([float(getattr(f, "_value", f)) for f in found]))])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_is_the_best_of_all_orders(n_sources, target):
    masks, magnitude, targets = problem(n_sources, target)
    value, gradient = pit_loss(masks, magnitude, targets, xp=np)
    assert value == pytest.approx(in_all_orders(np, masks, magnitude, targets), abs=1e-12)
    assert gradient.shape == masks.shape


@pytest.mark.parametrize("n_sources", [2, 3, 5])
def test_autograd(n_sources):
    autograd = pytest.importorskip("autograd")
    wrapped = pytest.importorskip("autograd.numpy")
    masks, magnitude, targets = problem(n_sources)
    expected = autograd.grad(lambda m: in_all_orders(wrapped, m, magnitude, targets))(masks)
    np.testing.assert_allclose(
        pit_loss(masks, magnitude, targets, xp=np)[1], expected, rtol=1e-10, atol=1e-14
    )


def test_finite_differences():
    masks, magnitude, targets = problem(3)
    _, gradient = pit_loss(masks, magnitude, targets, xp=np)
    direction, step = np.random.default_rng(2).standard_normal(masks.shape), 1e-7
    ends = [
        pit_loss(masks + sign * step * direction, magnitude, targets, xp=np)[0] for sign in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("n_sources", [2, 3, 5])
def test_order_of_sources_does_not_matter(n_sources):
    masks, magnitude, targets = problem(n_sources)
    value, gradient = pit_loss(masks, magnitude, targets, xp=np)
    order = np.random.default_rng(3).permutation(n_sources)
    other, same = pit_loss(masks, magnitude, targets[:, :, order], xp=np)
    assert other == pytest.approx(value, abs=1e-13)
    np.testing.assert_array_equal(same, gradient)
    moved, along = pit_loss(masks[:, :, order], magnitude, targets, xp=np)
    assert moved == pytest.approx(value, abs=1e-13)
    np.testing.assert_allclose(along, gradient[:, :, order], atol=1e-15)


def test_mixtures_choose_by_themselves_and_for_the_whole_utterance():
    """Masks that meet their targets in an order of each mixture's own have no loss."""
    _, magnitude, targets = problem(4)
    orders = np.array([[2, 0, 3, 1], [0, 1, 2, 3], [3, 2, 1, 0]])
    masks = np.stack([t[:, o] for t, o in zip(targets, orders, strict=True)])
    masks = masks / magnitude[:, :, None, :]
    value, _ = pit_loss(masks, magnitude, targets, xp=np)
    assert value == pytest.approx(0, abs=1e-14)
    found = best_order(masks * magnitude[:, :, None, :], targets, xp=np)
    np.testing.assert_array_equal(found, orders)
    # Swapped halfway, no single order fits.
    half = np.concatenate([masks[:, :3], masks[:, 3:, ::-1]], axis=1)
    assert pit_loss(half, magnitude, targets, xp=np)[0] > 0.1


def test_closed_forms():
    """Equal shares of a bin that one source owns: |X| / 2 twice, over |X|."""
    magnitude = np.full((1, 4, 3), 2.0)
    targets = np.zeros((1, 4, 2, 3))
    targets[:, :, 1] = 2.0
    value, gradient = pit_loss(np.full((1, 4, 2, 3), 0.5), magnitude, targets, xp=np)
    assert value == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(gradient), 1 / 12)
    value, gradient = pit_loss(targets[:, :, ::-1] / 2, magnitude, targets, xp=np)
    assert value == 0
    assert np.all(gradient == 0)


def test_targets():
    X, S = spectra(3)
    np.testing.assert_array_equal(magnitude_target(X, S, xp=np), np.abs(S))
    target = phase_sensitive_target(X, S, xp=np)
    aligned = (S * X.conj()[:, :, None]).real / np.abs(X)[:, :, None]
    np.testing.assert_allclose(target, np.clip(aligned, 0, np.abs(X)[:, :, None]), atol=1e-14)
    assert (target == 0).any()
    assert (target == np.abs(X)[:, :, None]).any()
    # Alone, a source is its own target; scaling is along.
    np.testing.assert_allclose(
        phase_sensitive_target(X, X[:, :, None], xp=np)[:, :, 0], np.abs(X), rtol=1e-14
    )
    small = phase_sensitive_target(1e-150 * X, 1e-150 * S, xp=np)
    np.testing.assert_allclose(small, 1e-150 * target, rtol=1e-12, atol=1e-164)


@pytest.mark.parametrize("target", TARGETS)
def test_silence_is_safe(target):
    X, S = spectra()
    X[1], S[1] = 0, 0
    S[2, :, 1] = 0
    X[2] = S[2, :, 0]
    masks, magnitude = np.full(S.shape, 0.5), np.abs(X)
    targets = TARGETS[target](X, S, xp=np)
    assert np.all(np.isfinite(targets))
    value, gradient = pit_loss(masks, magnitude, targets, xp=np)
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient[1] == 0)
    both = [pit_loss(masks[[b]], magnitude[[b]], targets[[b]], xp=np)[0] for b in range(3)]
    assert both[1] == 0
    assert both[2] == pytest.approx(1)
    assert value == pytest.approx(np.mean(both))


def test_float32_stays():
    X, S = spectra()
    masks = problem()[0].astype(np.float32)
    X, S = X.astype(np.complex64), S.astype(np.complex64)
    for target in TARGETS.values():
        targets = target(X, S, xp=np)
        assert targets.dtype == np.float32
        value, gradient = pit_loss(masks, np.abs(X), targets, xp=np)
        assert isinstance(value, float)
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("target", TARGETS)
def test_array_api(target):
    X, S = spectra(3)
    masks = problem(3)[0]
    expected = TARGETS[target](X, S, xp=np)
    value, gradient = pit_loss(masks, np.abs(X), expected, xp=np)
    place = array_api_strict.Device("device1")
    X, S, masks = (array_api_strict.asarray(a, device=place) for a in (X, S, masks))
    targets = TARGETS[target](X, S, xp=array_api_strict)
    found, back = pit_loss(masks, array_api_strict.abs(X), targets, xp=array_api_strict)
    assert found == pytest.approx(value, rel=1e-12)
    assert back.device == place
    host = array_api_strict.asarray(back, device=array_api_strict.Device("CPU_DEVICE"))
    np.testing.assert_allclose(np.asarray(host), gradient, rtol=1e-12)


def test_bad_input():
    masks, magnitude, targets = problem()
    with pytest.raises(ValueError, match=r"masks has shape \(7, 2, 5\)"):
        pit_loss(masks[0], magnitude[0], targets[0], xp=np)
    with pytest.raises(ValueError, match=r"magnitude has shape .* expected \(3, 7, 5\)"):
        pit_loss(masks, magnitude[:, 1:], targets, xp=np)
    with pytest.raises(ValueError, match=r"targets has shape .* as many sources as masks"):
        pit_loss(masks, magnitude, targets[:, :, :1], xp=np)
    X, S = spectra()
    with pytest.raises(ValueError, match=r"X and S have shapes \(3, 6, 5\)"):
        phase_sensitive_target(X[:, 1:], S, xp=np)
    with pytest.raises(ValueError, match="X and S have shapes"):
        magnitude_target(X[0], S[0], xp=np)
