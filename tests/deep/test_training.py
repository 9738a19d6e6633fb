"""The training loop: optimum, resumption, stopping, interruption, numbers that aren't finite."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from anmf.deep import (
    Network,
    Recipe,
    layer,
    load_checkpoint,
    save_checkpoint,
    train,
    warm_up_cosine,
)
from anmf.deep.optimise import plateau
from tests.deep.data import surrogate_net

TRUE = np.random.default_rng(9).standard_normal((3, 2))


def regression(seed=0, noise=0.0):
    """A dense layer that should become TRUE, its loss, and batches."""
    network = Network([layer("out", "dense", n_in=3, n_out=2, start="zeros")])

    def batch(step):
        rng = np.random.default_rng((seed, step))
        x = rng.standard_normal((16, 3))
        return x, x @ TRUE + 1 + noise * rng.standard_normal((16, 2))

    def loss_and_gradient(weights, pair):
        x, y = pair
        found, tape = network.forward(weights, x, xp=np)
        error = found - y
        gradients, _ = network.backward(weights, tape, error / len(x), xp=np)
        return 0.5 * np.sum(error**2) / len(x), gradients

    return network.start(0, np.float64), loss_and_gradient, batch


RECIPE = Recipe(n_steps=400, rate=warm_up_cosine(0.1, 400, warm_up=10), average_decay=0.9)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name])


def assert_same_state(one, other):
    for name in ("weights", "average"):
        assert_same(getattr(one, name), getattr(other, name))
    assert_same(one.moments.mean, other.moments.mean)
    assert_same(one.moments.square, other.moments.square)
    for name in ("norms", "losses", "held_out"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.step, one.n_failed, one.moments.n_steps) == (
        other.step, other.n_failed, other.moments.n_steps
    )  # fmt: skip


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_reaches_the_optimum(decay):
    recipe = Recipe(
        n_steps=800, rate=warm_up_cosine(0.1, 800, warm_up=10), average_decay=decay,
        clip_percentile=75,
    )  # fmt: skip
    result = train(*regression(), recipe)
    assert result.ended == "finished"
    np.testing.assert_allclose(result.weights["out.W"], TRUE, atol=1e-4)
    np.testing.assert_allclose(result.weights["out.b"], 1, atol=1e-4)
    assert result.state.losses[-1] < 1e-8 * result.state.losses[0]
    assert len(result.state.losses) == result.state.step == 800


def test_a_whole_network_learns():
    network = surrogate_net(6, 8, 2)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 30, 6)).astype(np.float32)
    y = np.stack([np.roll(x[..., 0], 1, axis=1), x[..., 1] * x[..., 2]], axis=-1)

    def loss_and_gradient(weights, _):
        found, tape = network.forward(weights, x, xp=np)
        error = found - y
        gradients, _ = network.backward(weights, tape, 2 * error / error.size, xp=np)
        return float(np.mean(error**2)), gradients

    recipe = Recipe(n_steps=300, rate=5e-3, clip_percentile=50, average_decay=0.9)
    result = train(network.start(0), loss_and_gradient, lambda step: None, recipe)
    assert result.state.losses[-1] < 0.05 * result.state.losses[0]
    assert {w.dtype for w in result.weights.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumption_is_exact(tmp_path, schedule, dtype):
    weights, loss_and_gradient, batch = regression(noise=1.0)
    weights = {k: w.astype(dtype) for k, w in weights.items()}
    rate = warm_up_cosine(0.1, 60) if schedule == "cosine" else plateau(0.1, patience=1)
    recipe = Recipe(n_steps=60, rate=rate, check_every=10, clip_window=25, weight_decay=0.01)

    def held_out(weights):
        return loss_and_gradient(weights, batch(10**6))[0]

    whole = train(weights, loss_and_gradient, batch, recipe, held_out=held_out)
    path = tmp_path / "run.npz"
    part = train(
        weights, loss_and_gradient, batch, recipe, held_out=held_out, checkpoint=path,
        callback=lambda info: info.n_iter == 33,
    )  # fmt: skip
    assert (part.ended, part.state.step) == ("callback", 33)
    loaded = load_checkpoint(path)
    assert_same_state(loaded, part.state)
    for state in (loaded, part.state):
        rest = train(state, loss_and_gradient, batch, recipe, held_out=held_out)
        assert_same_state(rest.state, whole.state)
        assert_same(rest.weights, whole.weights)
    again = train(whole.state, loss_and_gradient, batch, recipe, held_out=held_out)
    assert_same_state(again.state, whole.state)


def test_early_stopping_keeps_the_best():
    weights, loss_and_gradient, batch = regression()
    losses, seen = iter([3.0, 2.0, 2.5, 2.6, 2.7, 0.1]), []

    def held_out(weights):
        seen.append(weights)
        return next(losses)

    recipe = Recipe(n_steps=100, check_every=5, patience=3)
    result = train(weights, loss_and_gradient, batch, recipe, held_out=held_out)
    assert (result.ended, result.state.step) == ("early stopping", 25)
    np.testing.assert_array_equal(result.state.held_out, [3, 2, 2.5, 2.6, 2.7])
    assert_same(result.weights, seen[1])


def test_the_last_step_has_a_check():
    weights, loss_and_gradient, batch = regression()
    result = train(
        weights, loss_and_gradient, batch, Recipe(n_steps=7, check_every=5),
        held_out=lambda weights: 1.0,
    )  # fmt: skip
    assert len(result.state.held_out) == 2


@pytest.mark.parametrize("where", ["batch", "loss", "held_out", "callback"])
def test_interruption_returns_the_best(where, tmp_path):
    weights, loss_and_gradient, batch = regression()
    calls = dict.fromkeys(("batch", "loss", "held_out", "callback"), 0)

    def interrupting(name, function, at):
        def call(*args):
            calls[name] += 1
            if name == where and calls[name] == at:
                raise KeyboardInterrupt
            return function(*args)

        return call

    result = train(
        weights,
        interrupting("loss", loss_and_gradient, 18),
        interrupting("batch", batch, 18),
        Recipe(n_steps=100, check_every=5),
        held_out=interrupting("held_out", lambda w: float(calls["held_out"]), 4),
        callback=interrupting("callback", lambda info: False, 17),
        checkpoint=tmp_path / "run.npz",
    )
    assert result.ended == "interrupted"
    assert result.state.step == (19 if where == "held_out" else 17)
    assert_same_state(load_checkpoint(tmp_path / "run.npz"), result.state)
    straight = train(
        *regression(), Recipe(n_steps=100, check_every=5), callback=lambda info: info.n_iter == 5
    )
    assert_same(result.weights, straight.state.average)


@pytest.mark.parametrize("what", ["loss", "gradient", "overflow"])
def test_a_bad_step_is_skipped(what):
    weights, loss_and_gradient, batch = regression()
    states = []

    def sometimes(weights, pair):
        loss, gradients = loss_and_gradient(weights, pair)
        if len(states) in (3, 4):
            if what == "loss":
                loss = np.nan
            else:
                bad = np.nan if what == "gradient" else 1e300
                gradients = {**gradients, "out.b": np.array([bad, 0.0])}
        return loss, gradients

    result = train(
        weights, sometimes, batch, Recipe(n_steps=30), callback=lambda i: states.append(i.state)
    )
    assert result.ended == "finished"
    assert [s.n_failed for s in states[:6]] == [0, 0, 0, 1, 2, 0]
    assert_same(states[4].weights, states[2].weights)
    assert result.state.moments.n_steps == 28 and result.state.step == 30
    assert all(np.all(np.isfinite(w)) for w in result.weights.values())


def test_bad_steps_in_a_row_end_training():
    weights, loss_and_gradient, batch = regression()

    def broken(weights, step):
        loss, gradients = loss_and_gradient(weights, batch(step))
        return (np.nan if step >= 12 else loss), gradients

    held = []
    recipe = Recipe(n_steps=100, check_every=5, most_failures=4)
    with pytest.warns(ConvergenceWarning, match=r"at step 16 because .* 4 times in a row"):
        result = train(
            weights, broken, lambda step: step, recipe,
            held_out=lambda w: held.append(w) or [3.0, 2.0, 9.0][len(held) - 1],
        )  # fmt: skip
    assert result.ended == "not finite"
    assert_same(result.weights, held[1])


def test_a_held_out_loss_that_is_nan_is_never_best():
    weights, loss_and_gradient, batch = regression()
    losses, seen = iter([np.nan, 2.0, np.nan]), []
    result = train(
        weights, loss_and_gradient, batch, Recipe(n_steps=15, check_every=5),
        held_out=lambda w: seen.append(w) or next(losses),
    )  # fmt: skip
    np.testing.assert_array_equal(result.state.held_out, [np.inf, 2, np.inf])
    assert_same(result.weights, seen[1])


def test_weights_without_gradient_stay():
    weights, loss_and_gradient, batch = regression()

    def some(weights, pair):
        loss, gradients = loss_and_gradient(weights, pair)
        return loss, {"out.W": gradients["out.W"]}

    result = train(weights, some, batch, Recipe(n_steps=5, weight_decay=0.1))
    np.testing.assert_array_equal(result.weights["out.b"], 0)
    assert result.weights["out.W"].any()


def test_refusals():
    weights, _, batch = regression()
    with pytest.raises(ValueError, match=r"gradients of \['out.V'\], of which there are no"):
        train(weights, lambda w, b: (0.0, {"out.V": np.zeros(2)}), batch)
    with pytest.raises(ValueError, match=r"the gradient of 'out.b' has shape \(3,\); expected"):
        train(weights, lambda w, b: (0.0, {"out.b": np.zeros(3)}), batch)
    for name, value in (
        ("n_steps", 0), ("rate", 0.0), ("rate", "fast"), ("betas", (0.9, 1.0)), ("patience", 0),
        ("average_decay", 1.0), ("clip_percentile", 0), ("check_every", 2.5), ("epsilon", -1),
        ("weight_decay", -0.1), ("most_failures", 0), ("clip_window", 0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name}=.* must be"):
            Recipe(**{name: value})


@pytest.mark.parametrize("path", ["nowhere/run.npz", "run.bin"])
def test_a_checkpoint_that_cannot_be_written_is_told_at_once(tmp_path, path):
    weights, *_ = regression()
    with pytest.raises((FileNotFoundError, ValueError)):
        train(weights, None, None, checkpoint=tmp_path / path)


def test_start_is_left_alone():
    weights, loss_and_gradient, batch = regression()
    before = {k: w.copy() for k, w in weights.items()}
    train(weights, loss_and_gradient, batch, Recipe(n_steps=5))
    assert_same(weights, before)


def test_progress_bar(capsys):
    weights, loss_and_gradient, batch = regression()
    train(weights, loss_and_gradient, batch, Recipe(n_steps=3))
    assert capsys.readouterr().err == ""
    train(weights, loss_and_gradient, batch, Recipe(n_steps=3), verbose=1)
    assert "train" in capsys.readouterr().err


def test_checkpoint_damage(tmp_path):
    weights, loss_and_gradient, batch = regression()
    state = train(weights, loss_and_gradient, batch, Recipe(n_steps=3)).state
    path = tmp_path / "run.npz"
    save_checkpoint(path, state)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"run.npz' can't be read"):
        load_checkpoint(path)
