"""The network of the surrogate source model, and its reverse pass."""

import numpy as np
import pytest

from anmf.iva.band_network import (
    Bands,
    smoothed,
    smoothed_reverse,
    source_weights,
    source_weights_reverse,
    weigh,
)
from tests.embedding.data import LIBRARIES

SMALL = Bands(17, 16000, n_bands=5, width=4)


def powers(n_sources=2, n_frames=7, seed=0, b=2, n_frequencies=17):
    P = np.random.default_rng(seed).gamma(0.5, size=(b, n_frequencies, n_sources, n_frames)) + 0.01
    return P / P.mean(axis=(1, 3), keepdims=True)


def trained(bands=SMALL, seed=0, dtype=np.float64):
    """Weights that aren't those of a start, whose outputs are zero."""
    rng = np.random.default_rng(seed)
    return {
        name: (0.3 * rng.standard_normal(shape)).astype(dtype)
        for name, shape in bands.network.shapes.items()
    }


def test_bands_interpolate_and_average():
    bands = Bands(513, 16000)
    np.testing.assert_allclose(bands.up.sum(axis=1), 1)
    np.testing.assert_allclose(bands.down.sum(axis=0), 1)
    np.testing.assert_allclose(np.full(513, 7.0) @ bands.down, 7)
    assert np.all(np.diff(bands.up.argmax(axis=1)) >= 0)


def test_frequencies_above_the_bands_share_the_last():
    bands = Bands(257, 32000, top=8000)
    above = np.linspace(0, 16000, 257) > 8000
    assert np.all(bands.up[above, -1] == 1) and np.all(bands.down[above] == 0)


@pytest.mark.parametrize(("n", "n_lower"), [(513, 257), (512, 256), (66, 33)])
def test_the_lower_half_has_the_same_bands(n, n_lower):
    bands = Bands(n, 16000)
    lower = bands.lower
    assert lower.n_frequencies == n_lower and lower.top == bands.top
    np.testing.assert_allclose(lower.up, bands.up[:n_lower], atol=1e-12)
    if n == 513:
        assert lower.sample_rate == 8000


@pytest.mark.parametrize("n_sources", [1, 2, 3])
def test_untrained_weights_are_those_of_gauss(n_sources):
    P = powers(n_sources)
    phi, _ = source_weights(SMALL.network.start(0, np.float64), P, SMALL, xp=np)
    np.testing.assert_allclose(phi, np.broadcast_to(1 / P.mean(axis=1, keepdims=True), P.shape))


def test_sources_are_treated_alike():
    P, order = powers(3), [2, 0, 1]
    phi, _ = source_weights(trained(), P, SMALL, xp=np)
    swapped, _ = source_weights(trained(), P[:, :, order], SMALL, xp=np)
    np.testing.assert_allclose(swapped, phi[:, :, order])
    alone, _ = source_weights(trained(), P[:1], SMALL, xp=np)
    np.testing.assert_allclose(alone, phi[:1])


def test_weights_stay_within_the_limit():
    weights = {name: 30 * w for name, w in trained().items()}
    P = powers(2)
    phi, _ = source_weights(weights, P, SMALL, xp=np)
    spread = np.abs(np.log(phi * P.mean(axis=1, keepdims=True)))
    assert 3.5 < spread.max() <= 4 + 1e-9


def test_smoothing_takes_the_mean_of_neighbours():
    P = np.zeros((1, 5, 1, 6))
    P[0, 2, 0, 3] = 9.0
    P[0, 0, 0, 0] = 4.0
    found = smoothed(P, xp=np)[0, :, 0]
    np.testing.assert_allclose(found[1:4, 2:5], [[1, 1, 1], [1, 1, 1], [1, 1, 1]])
    assert found[0, 0] == pytest.approx(1) and found[4, 5] == 0


def test_the_reverse_of_smoothing_is_its_transpose():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 2, 3, 5, 6))
    assert np.sum(smoothed(x, xp=np) * g) == pytest.approx(np.sum(x * smoothed_reverse(g, xp=np)))


@pytest.mark.parametrize("n_sources", [1, 2, 3])
def test_reverse_pass_against_finite_differences(n_sources):
    rng = np.random.default_rng(1)
    P, weights = powers(n_sources), trained()
    g = rng.standard_normal(P.shape)
    _, tape = source_weights(weights, P, SMALL, xp=np)
    gradients, gP = source_weights_reverse(weights, tape, g, SMALL, xp=np)

    def loss(weights, P):
        return np.sum(g * source_weights(weights, P, SMALL, xp=np)[0])

    step, move = 1e-6, rng.standard_normal(P.shape) * P
    slope = (loss(weights, P + step * move) - loss(weights, P - step * move)) / (2 * step)
    assert np.sum(gP * move) == pytest.approx(slope, rel=1e-6)
    for name, w in weights.items():
        move = rng.standard_normal(w.shape)
        slope = (
            loss(weights | {name: w + step * move}, P) - loss(weights | {name: w - step * move}, P)
        ) / (2 * step)
        assert np.sum(gradients[name] * move) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_libraries(library):
    P, g = powers(), np.random.default_rng(2).standard_normal((2, 17, 2, 7))
    foreign = {name: library(w) for name, w in trained().items()}
    from anmf._core.arrays import namespace, to_host

    xp = namespace(library(P))
    phi, tape = source_weights(foreign, library(P), SMALL, xp=xp)
    gradients, gP = source_weights_reverse(foreign, tape, library(g), SMALL, xp=xp)
    expected, own = source_weights(trained(), P, SMALL, xp=np)
    own_gradients, own_gP = source_weights_reverse(trained(), own, g, SMALL, xp=np)
    np.testing.assert_allclose(to_host(phi), expected, rtol=1e-10)
    np.testing.assert_allclose(to_host(gP), own_gP, rtol=1e-8, atol=1e-10)
    for name, value in own_gradients.items():
        np.testing.assert_allclose(to_host(gradients[name]), value, rtol=1e-8, atol=1e-10)


def test_float32_stays():
    weights = SMALL.network.start(0)
    phi, tape = source_weights(weights, powers().astype("f"), SMALL, xp=np)
    gradients, gP = source_weights_reverse(weights, tape, np.ones_like(phi), SMALL, xp=np)
    assert phi.dtype == gP.dtype == np.float32
    assert all(g.dtype == np.float32 for g in gradients.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_sources", [1, 2, 3])
@pytest.mark.parametrize("n_frames", [1, 2, 9])
def test_twins_agree(n_sources, n_frames, dtype):
    bands = Bands(33, 16000, n_bands=5, width=4, top=6000.0)
    rng = np.random.default_rng(n_frames)
    power = rng.gamma(0.3, size=(33, n_sources, n_frames)).astype(dtype) * 1e-5
    power[:, -1] *= n_sources > 2  # silence
    weights = trained(bands, dtype=np.float32)
    found = weigh(power, weights, bands, xp=np)
    assert found.dtype == dtype
    expected = weigh.reference(power, weights, bands, xp=np)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_twins_agree_on_slices_of_powers():
    power = np.random.default_rng(0).gamma(0.3, size=(17, 4, 9))[:, :2]
    weights = trained(dtype=np.float32)
    found = weigh(power, weights, SMALL, xp=np)
    np.testing.assert_allclose(found, weigh.reference(power, weights, SMALL, xp=np), rtol=1e-4)
