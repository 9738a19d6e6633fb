"""Adam, clipping, averages and learning rates against closed forms and torch."""

import numpy as np
import pytest

from anmf.deep.optimise import (
    SCHEDULES,
    adam_step,
    autoclip,
    average_step,
    constant,
    gradient_norm,
    no_moments,
    plateau,
    scaled,
    summed,
    warm_up_cosine,
)


def draw(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {k: rng.standard_normal(s).astype(dtype) for k, s in (("a.W", (4, 3)), ("a.b", (3,)))}


def test_first_step_of_adam_has_the_size_of_the_rate():
    weights, gradients = draw(0), draw(1)
    new, moments = adam_step(
        weights, gradients, no_moments(weights, xp=np), 0.1, xp=np, epsilon=1e-12
    )
    for name in weights:
        moved = weights[name] - new[name]
        np.testing.assert_allclose(moved, 0.1 * np.sign(gradients[name]), rtol=1e-6)
    assert moments.n_steps == 1


def test_adam_with_a_constant_gradient():
    # m and v with bias correction are g and g² throughout, so every step is rate · sign g.
    weights, gradients = draw(0), draw(1)
    new, moments = weights, no_moments(weights, xp=np)
    for _ in range(20):
        new, moments = adam_step(new, gradients, moments, 0.1, xp=np, epsilon=1e-14)
    for name in weights:
        expected = weights[name] - 2 * np.sign(gradients[name])
        np.testing.assert_allclose(new[name], expected, rtol=1e-9)
        np.testing.assert_allclose(moments.mean[name], (1 - 0.9**20) * gradients[name])


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_adam_is_that_of_torch(weight_decay):
    torch = pytest.importorskip("torch")
    options = {"betas": (0.8, 0.95), "weight_decay": weight_decay}
    weights = draw(0)
    tensors = {k: torch.tensor(w, requires_grad=True) for k, w in weights.items()}
    optimiser = torch.optim.AdamW(tensors.values(), lr=1e-2, eps=1e-8, **options)
    moments = no_moments(weights, xp=np)
    for seed in range(30):
        gradients, rate = draw(100 + seed), 1e-2 / (1 + seed)
        weights, moments = adam_step(weights, gradients, moments, rate, xp=np, **options)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradients[name])
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
    for name, tensor in tensors.items():
        np.testing.assert_allclose(weights[name], tensor.detach(), rtol=1e-10)


def test_adam_is_pure_and_leaves_weights_without_gradient():
    weights, gradients = draw(0, np.float32), draw(1, np.float32)
    for a in (*weights.values(), *gradients.values()):
        a.flags.writeable = False
    del gradients["a.b"]
    new, moments = adam_step(
        weights, gradients, no_moments(weights, xp=np), 0.1, xp=np, weight_decay=0.1
    )
    assert new["a.b"] is weights["a.b"]
    assert {a.dtype for a in (*new.values(), *moments.mean.values())} == {np.dtype(np.float32)}


def test_gradient_norm_and_scaling():
    gradients = draw(0)
    together = np.concatenate([g.ravel() for g in gradients.values()])
    assert gradient_norm(gradients, xp=np) == pytest.approx(np.linalg.norm(together))
    assert gradient_norm(scaled(gradients, 0.5), xp=np) == pytest.approx(
        np.linalg.norm(together) / 2
    )
    assert scaled(gradients, 1.0) is gradients
    both = summed(gradients, {"a.b": gradients["a.b"], "c.b": np.ones(2)})
    np.testing.assert_array_equal(both["a.b"], 2 * gradients["a.b"])
    np.testing.assert_array_equal(both["a.W"], gradients["a.W"])
    np.testing.assert_array_equal(both["c.b"], 1)


def test_autoclip():
    rng = np.random.default_rng(0)
    norms, seen = np.empty(0), []
    for norm in rng.exponential(size=40):
        seen.append(norm)
        factor, norms = autoclip(norm, norms, percentile=25, window=10)
        most = np.percentile(seen[-10:], 25)
        assert factor == pytest.approx(min(1, most / norm))
        np.testing.assert_array_equal(norms, seen[-10:])
    assert autoclip(5.0, norms, percentile=100)[0] == 1
    assert autoclip(0.0, np.zeros(3))[0] == 1


def test_average():
    series = [{"w": np.array([float(v)])} for v in np.random.default_rng(0).standard_normal(50)]
    average, expected = series[0], series[0]["w"]
    for t, weights in enumerate(series, start=1):
        average = average_step(average, weights, t, decay=0.8, lag=10)
        d = min(0.8, t / (t + 10))
        expected = d * expected + (1 - d) * weights["w"]
        np.testing.assert_allclose(average["w"], expected)
    assert average_step(average, series[3], 50, decay=0.0) is series[3]
    still = {"w": np.array([2.0])}
    for t in range(1, 9):
        average = average_step(average if t > 1 else still, still, t)
    np.testing.assert_array_equal(average["w"], 2)


def test_cosine():
    rate = warm_up_cosine(2.0, 100, warm_up=10, least=0.1)
    assert rate(0, []) == pytest.approx(0.2)
    assert rate(9, []) == pytest.approx(2 * (0.1 + 0.45 * (1 + np.cos(np.pi * 0.09))))
    assert rate(50, []) == pytest.approx(1.1)
    assert rate(100, []) == rate(900, []) == pytest.approx(0.2)
    assert warm_up_cosine(1.0, 4)(0, []) == 1
    rates = [rate(t, []) for t in range(10, 101)]
    assert np.all(np.diff(rates) < 0)


def test_plateau():
    rate = plateau(1.0, factor=0.1, patience=2)
    history = [5, 4, 4.5, 3, 3.1, 3.2, 3.3, 3.4, 2, 2.5]
    expected = [1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01]
    values = [rate(7, history[:n]) for n in range(len(history) + 1)]
    assert values == pytest.approx(expected)
    assert plateau(1.0, patience=1, tol=0.1)(0, [10, 9.5]) == 0.5
    assert plateau(1.0, patience=1, tol=0.1)(0, [10, 8.9]) == 1
    assert plateau(1.0, patience=1)(0, [np.inf, np.inf]) == 0.25
    assert plateau(1.0, patience=1)(0, [-1, -2, -3]) == 1


def test_constant_and_names():
    assert [constant(2.0, warm_up=4)(t, [1, 2, 3] * 9) for t in (0, 1, 3, 99)] == [0.5, 1, 2, 2]
    assert set(SCHEDULES) == {"constant", "cosine", "plateau"}
