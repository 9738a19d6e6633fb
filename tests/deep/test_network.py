"""Networks: both designs, gradients of the whole, names, refusals."""

import array_api_strict
import numpy as np
import pytest

from anmf.deep import LAYERS, STARTS, Kind, Network, layer
from tests.deep.cases import Differentiable
from tests.deep.data import heads, surrogate_net, trunk


def moved_off_zero(weights, seed=0):
    """Weights of which none is special, double precision."""
    rng = np.random.default_rng(seed)
    return {k: w + 0.1 * rng.standard_normal(w.shape) for k, w in weights.items()}


def surrogate():
    x = np.random.default_rng(1).standard_normal((2, 13, 10))
    return surrogate_net(10, 8, 7), x


def clustering():
    x = np.random.default_rng(2).standard_normal((2, 17, 15))
    parts = trunk(15, 6, 5, dilations=(1, 2, 8, 32))
    return Network([*parts, heads(6, n_bins=3, size=4)]), x


designs = pytest.mark.parametrize("design", [surrogate, clustering])


def pieces(y):
    return y if isinstance(y, dict) else {"": y}


def random_gradient(y, seed=5):
    rng = np.random.default_rng(seed)
    if isinstance(y, dict):
        return {name: rng.standard_normal(part.shape) for name, part in y.items()}
    return rng.standard_normal(y.shape)


def inner(gy, y):
    gy, y = pieces(gy), pieces(y)
    return sum(np.sum(gy[name] * y[name]) for name in gy)


@designs
def test_gradients_are_those_of_finite_differences(design):
    network, x = design()
    weights, rng, step = moved_off_zero(network.start(0)), np.random.default_rng(1), 1e-5
    y, tape = network.forward(weights, x, xp=np)
    gy = random_gradient(y)
    gradients, gx = network.backward(weights, tape, gy, xp=np)
    assert list(gradients) == list(weights)

    def slope(name, v):
        ends = []
        for h in (step, -step):
            w = {k: a + h * v if k == name else a for k, a in weights.items()}
            ends.append(inner(gy, network.forward(w, x + h * v if name == "x" else x, xp=np)[0]))
        return (ends[0] - ends[1]) / (2 * step)

    for name, gradient in {**gradients, "x": gx}.items():
        v = rng.standard_normal(gradient.shape)
        size = np.linalg.norm(gradient) * np.linalg.norm(v)
        assert np.sum(gradient * v) == pytest.approx(slope(name, v), rel=1e-6, abs=1e-8 * size)


@designs
def test_gradients_are_those_of_autograd(design):
    autograd = pytest.importorskip("autograd")
    network, x = design()
    weights = moved_off_zero(network.start(0))
    y, tape = network.forward(weights, x, xp=np)
    gy = random_gradient(y)
    gradients, gx = network.backward(weights, tape, gy, xp=np)

    def loss(weights, x):
        xp = Differentiable()
        y = pieces(network.forward(weights, x, xp=xp)[0])
        return sum(xp.sum(g * y[name]) for name, g in pieces(gy).items())

    function = autograd.value_and_grad(lambda both: loss(*both))
    value, (expected, expected_gx) = function((weights, x))
    assert value == pytest.approx(inner(gy, y), rel=1e-10)
    for name, gradient in {**gradients, "x": gx}.items():
        reference = expected_gx if name == "x" else expected[name]
        scale = np.abs(reference).max()
        np.testing.assert_allclose(gradient, reference, rtol=1e-10, atol=1e-12 * scale)


@designs
def test_array_api(design):
    network, x = design()
    weights = moved_off_zero(network.start(0))
    y, tape = network.forward(weights, x, xp=np)
    gy = random_gradient(y)
    gradients, gx = network.backward(weights, tape, gy, xp=np)
    place, host = (array_api_strict.Device(d) for d in ("device1", "CPU_DEVICE"))

    def strict(a):
        return array_api_strict.asarray(a, device=place)

    moved = {k: strict(w) for k, w in weights.items()}
    result, kept = network.forward(moved, strict(x), xp=array_api_strict)
    back = {k: strict(g) for k, g in gy.items()} if isinstance(gy, dict) else strict(gy)
    found, found_gx = network.backward(moved, kept, back, xp=array_api_strict)
    found, expected = (
        {**found, **pieces(result), "x": found_gx},
        {**gradients, **pieces(y), "x": gx},
    )
    for name, value in expected.items():
        assert found[name].device == place
        np.testing.assert_allclose(
            np.asarray(found[name].to_device(host)), value, rtol=1e-9, atol=1e-11
        )


@designs
def test_float32_stays(design):
    network, x = design()
    weights = network.start(0)
    y, tape = network.forward(weights, x.astype(np.float32), xp=np)
    gy = {k: np.ones_like(v) for k, v in y.items()} if isinstance(y, dict) else np.ones_like(y)
    gradients, gx = network.backward(weights, tape, gy, xp=np)
    kinds = [*pieces(y).values(), *gradients.values(), gx, *weights.values()]
    assert {a.dtype for a in kinds} == {np.dtype(np.float32)}


@designs
def test_backward_leaves_tape_and_weights(design):
    network, x = design()
    weights = moved_off_zero(network.start(0))
    before = {k: w.copy() for k, w in weights.items()}
    y, tape = network.forward(weights, x, xp=np)
    gy = random_gradient(y)
    first, _ = network.backward(weights, tape, gy, xp=np)
    second, _ = network.backward(weights, tape, gy, xp=np)
    for name in weights:
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(weights[name], before[name])


def test_sizes_of_both_designs():
    count = lambda network: sum(int(np.prod(s)) for s in network.shapes.values())  # noqa: E731
    assert count(surrogate_net()) == 170_040
    both = Network([*trunk(), heads()])
    # 3 taps of 128 channels a block, without a bias.
    assert count(both) == 981_522
    y, _ = both.forward(both.start(0), np.zeros((1, 4, 645), np.float32), xp=np)
    assert {k: v.shape for k, v in y.items()} == {
        "embedding": (1, 4, 129, 16),
        "masks": (1, 4, 2, 129),
    }


def test_zero_output_layer_starts_at_zero():
    network, x = surrogate()
    y, _ = network.forward(network.start(0, np.float64), x, xp=np)
    np.testing.assert_array_equal(y, 0)


def test_outputs_are_unit_vectors_and_shares():
    network, x = clustering()
    y, _ = network.forward(moved_off_zero(network.start(0)), x, xp=np)
    np.testing.assert_allclose(np.linalg.norm(y["embedding"], axis=-1), 1, atol=1e-4)
    np.testing.assert_allclose(y["masks"].sum(axis=-2), 1)


def test_an_absent_head_counts_as_zero():
    network, x = clustering()
    weights = moved_off_zero(network.start(0))
    y, tape = network.forward(weights, x, xp=np)
    gy = {"masks": np.ones_like(y["masks"]) * x[..., :1, None]}
    zeros = {**gy, "embedding": np.zeros_like(y["embedding"])}
    expected, gx = network.backward(weights, tape, zeros, xp=np)
    found, found_gx = network.backward(weights, tape, gy, xp=np)
    np.testing.assert_array_equal(found_gx, gx)
    assert list(found) == list(expected)
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_networks_share_weights():
    parts = trunk(15, 6, 5, dilations=(1, 2))
    whole, body, head = Network([*parts, heads(6)]), Network(parts), Network([heads(6)])
    weights, x = moved_off_zero(whole.start(0)), np.ones((1, 9, 15))
    y, tape = whole.forward(weights, x, xp=np)
    gy = random_gradient(y)
    gradients, gx = whole.backward(weights, tape, gy, xp=np)
    h, first = body.forward(weights, x, xp=np)
    _, second = head.forward(weights, h, xp=np)
    late, gh = head.backward(weights, second, gy, xp=np)
    early, found = body.backward(weights, first, gh, xp=np)
    np.testing.assert_array_equal(found, gx)
    assert {**early, **late}.keys() == gradients.keys()


def test_starts():
    network = surrogate_net()
    one, same, other = network.start(0), network.start(0), network.start(1)
    assert all(np.array_equal(one[k], same[k]) for k in one)
    assert not np.array_equal(one["conv.W"], other["conv.W"])
    bound = 1 / np.sqrt(3 * 82)
    assert 0.99 * bound < np.abs(one["conv.W"]).max() <= bound
    assert not one["out.W"].any() and not one["conv.b"].any()
    taps = layer("mix", "depthwise", n_channels=4000).weights["W"]
    drawn = STARTS[taps[1]](taps[0], np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=1), [0.3, 0.6, 0.3], atol=0.02)


def test_a_kind_of_your_own(monkeypatch):
    square = Kind(
        dict, lambda w, x, options, xp: (x * x, x), lambda w, x, gy, options, xp: ({}, 2 * x * gy)
    )
    monkeypatch.setitem(LAYERS, "square", square)
    network = Network([layer("square", "square")])
    y, tape = network.forward({}, np.array([3.0]), xp=np)
    assert (y[0], network.backward({}, tape, np.array([1.0]), xp=np)[1][0]) == (9, 6)


def test_refusals():
    with pytest.raises(ValueError, match=r"kind='lstm' of layer 'a' must be one of"):
        layer("a", "lstm")
    with pytest.raises(ValueError, match=r"name='a\.b' of a layer must be a word without dots"):
        layer("a.b", "glu")
    with pytest.raises(ValueError, match=r"n_taps=2 must be odd"):
        layer("a", "conv", n_in=1, n_out=1, n_taps=2)
    with pytest.raises(ValueError, match=r"start='big' of a\.W must be one of"):
        layer("a", "dense", n_in=1, n_out=1, start="big")
    with pytest.raises(TypeError, match="n_inputs"):
        layer("a", "dense", n_inputs=1)
    with pytest.raises(ValueError, match=r"more than one is called \['a'\]"):
        Network([layer("a", "glu"), layer("a", "glu")])
    network = surrogate_net(10, 8, 7)
    weights = network.start(0)
    network.check(weights)
    with pytest.raises(ValueError, match=r"weights lack out\.W; expected 8 arrays"):
        network.check({k: w for k, w in weights.items() if k != "out.W"})
    with pytest.raises(ValueError, match=r"out\.W \(7, 8\) in place of \(8, 7\)"):
        network.check({**weights, "out.W": weights["out.W"].T})
