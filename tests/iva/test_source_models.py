"""Source models: weights are slopes of contrasts, and the check tells the good from the bad."""

import array_api_compat.numpy as xp
import numpy as np
import pytest

from anmf.iva import SOURCE_MODELS, Cliques, GeneralizedGauss, LowRank, StudentT, check_source_model
from anmf.iva.bands import Bands
from anmf.iva.lowrank import factorize
from anmf.iva.source_models import resolve_source_model
from anmf.iva.spherical import FLOOR

LEARNED = {"surrogate"}  # for the spectra it was trained on only; tests/iva/test_pretrained.py
NAMES = [name for name in SOURCE_MODELS if name not in LEARNED]
MODELS = [*map(SOURCE_MODELS.get, NAMES), GeneralizedGauss(1.7), StudentT(4.0), LowRank(5),
          Cliques((2, None), (0.7, 0.3), 1), Cliques((3, 7), (0.5, 0.5), 3)]  # fmt: skip


@pytest.mark.parametrize("model", [*NAMES, *MODELS], ids=str)
def test_models_of_the_package_pass(model):
    check_source_model(model)


class Bad:
    """g = log p, with weights of one's choice."""

    n_bins, majorizes = 1, True

    def __init__(self, weight, loss=None):
        self.weight, self.loss = weight, loss or (lambda p: np.log(p + 1e-3))

    def start(self, shape, sizes, rng, example):
        return None

    def update(self, power, state, *, xp):
        return self.weight(power), xp.mean(self.loss(power)) * power.shape[1], state


@pytest.mark.parametrize(("model", "message"), [
    (lambda p: p - p.mean(), "negative, infinite or NaN"),
    (lambda p: np.where(p > 1, np.nan, p), "negative, infinite or NaN"),
    (lambda p: 1 / np.where(p > 0, p, 0.0).clip(1e-300) ** 9, "negative, infinite or NaN"),
    (lambda p: p[:, :1], r"weights of shape \(40, 1, 50\) for powers \(40, 3, 50\)"),
    (lambda p: p[0], "weights of shape"),
    (lambda p: p.astype(np.float64), "weights of float64 for powers of float32"),
    (lambda p: np.ones(p.shape, int), "weights of int64; expected real floats"),
    (lambda p: p + 0j, "expected real floats"),
    (lambda p: np.random.default_rng().random(p.shape).astype(p.dtype), "at random"),
    (Bad(lambda p: 1 / (p + 1e-3) + 1), "aren't the slope"),
    (Bad(lambda p: 0.5 / (p + 1e-3)), "aren't the slope"),
    (Bad(lambda p: 2 * p, lambda p: p**2), "aren't the slope of a concave"),
    (Bad(lambda p: 1 / (p + 1e-3), lambda p: p * np.nan), "gives the loss nan"),
    ("gaus", "source_model='gaus' must be one of"),
    (StudentT, "must be one of"),
    (3, "source_model=3 must be one of"),
])  # fmt: skip
def test_bad_models_are_refused(model, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        check_source_model(model)


def test_good_models_of_ones_own_pass():
    check_source_model(lambda p: 1 / (p + p.dtype.type(1e-3)))
    check_source_model(Bad(lambda p: 1 / (p + 1e-3)))


@pytest.mark.parametrize("model", [m for m in MODELS if not isinstance(m, LowRank)], ids=str)
@pytest.mark.parametrize("n_frequencies", [5, 43, 130])
def test_weights_are_derivatives_of_the_loss(model, n_frequencies):
    """By |y_ft|² of every bin: φ_ft / (F T), also where bands differ in size."""
    rng, n_frames, n_sources = np.random.default_rng(0), 3, 2
    power = rng.gamma(1.0, size=(n_frequencies, n_sources, n_frames)) + 0.05
    bands = Bands(n_frequencies, model.n_bins or n_frequencies)
    means = bands.mean(power, xp=np)
    state = model.start(means.shape, bands.sizes, rng, means)
    weights = model.update(means, state, xp=xp)[0]
    weights = np.broadcast_to(bands.spread(weights, xp=np), power.shape)

    def loss(entry, step):
        moved = power.copy()
        moved[entry] += step
        return float(model.update(bands.mean(moved, xp=np), state, xp=xp)[1])

    for entry in zip(*(rng.integers(0, n, 12) for n in power.shape), strict=True):
        step = 1e-4 * power[entry]
        slope = (loss(entry, step) - loss(entry, -step)) / (2 * step)
        expected = weights[entry] / (n_frequencies * n_frames)
        np.testing.assert_allclose(slope, expected, rtol=1e-4)


def test_closed_forms():
    p = np.random.default_rng(0).gamma(1.0, size=(1, 2, 30)) + 0.01
    expected = {
        "laplace": (p**-0.5, 2 * p**0.5),
        "gauss": (1 / p, np.log(p)),
        "ggd": (p**-0.75, 4 * p**0.25),
        "student-t": (1.001 / (p + 1e-3), 1.001 * np.log(1 + p / 1e-3)),
    }
    for name, (weights, contrast) in expected.items():
        found, loss, state = SOURCE_MODELS[name].update(p, None, xp=xp)
        np.testing.assert_allclose(found, weights, rtol=1e-6)
        np.testing.assert_allclose(loss, contrast.mean(axis=-1).sum(), rtol=1e-6)
        assert state is None


def test_one_clique_of_all_frequencies_is_gauss():
    p = np.random.default_rng(0).gamma(1.0, size=(10, 2, 30)) + 0.01
    model = Cliques((None,), (1.0,), 1)
    weights, loss, _ = model.update(p, model.start(p.shape, np.ones(10), None, p), xp=xp)
    expected = SOURCE_MODELS["gauss"].update(p.mean(axis=0, keepdims=True), None, xp=xp)
    np.testing.assert_allclose(weights, np.broadcast_to(expected[0], p.shape), rtol=1e-9)
    np.testing.assert_allclose(loss, expected[1], rtol=1e-9)


def test_low_rank_loss_never_rises_and_finds_a_low_rank():
    rng = np.random.default_rng(0)
    power = np.stack([rng.gamma(1.0, size=(20, 2)) @ rng.gamma(1.0, size=(2, 30)) + 1e-3
                      for _ in range(2)], axis=1)  # fmt: skip
    model = LowRank()
    state, losses = model.start(power.shape, np.ones(20), rng, power), []
    for _ in range(400):
        weights, loss, state = model.update(power, state, xp=xp)
        losses.append(float(loss))
    assert np.all(np.diff(losses) <= 1e-12) and losses[0] - losses[-1] > 0.1
    assert np.median(abs(np.log(weights * power))) < 0.05
    basis, activations, model = factorize(power[:, 0], *state[0], xp=xp)
    np.testing.assert_allclose(model, basis @ activations + FLOOR)


def test_objects_are_taken_as_they_are():
    model = StudentT(2.0)
    assert resolve_source_model(model) is model
    assert resolve_source_model("ggd") is SOURCE_MODELS["ggd"]
    assert not resolve_source_model(lambda p: p).majorizes
