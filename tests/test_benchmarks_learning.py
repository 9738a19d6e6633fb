"""The benchmarks of training run and count right; nothing here is held to a time."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from anmf import deep
from anmf.datasets import make_voices
from benchmarks import (
    learned_gradients,
    learned_losses,
    learned_talkers,
    learned_torch,
    learned_training,
    learned_voices,
)

SIZE = {"sample_rate": 8000, "seconds": 0.25, "n_fft": 128, "n_bands": 4, "width": 2}


@pytest.fixture
def no_data(monkeypatch):
    monkeypatch.delenv("ANMF_DATA", raising=False)


@pytest.fixture
def problem():
    return learned_gradients.problem(**SIZE, dtype="complex128")


def test_torch_has_the_same_loss_and_gradient(problem):
    pytest.importorskip("torch")
    weights, bands, X, R = problem
    value, gradients = learned_gradients.training_loss(weights, bands, X, R)
    tensors = learned_torch.parameters(weights)
    given = learned_torch.prepared(bands, X, R)
    loss = learned_torch.loss(tensors, *given, learned_gradients.N_ITER, learned_gradients.AT)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(value, rel=1e-10)
    for name, g in learned_torch.gradients(tensors).items():
        largest = abs(gradients[name]).max()
        assert largest > 0
        np.testing.assert_allclose(g, gradients[name], rtol=0, atol=1e-9 * largest)


@pytest.mark.parametrize("loss", ["sdr", "coherence"])
def test_gradients_are_those_of_finite_differences(problem, loss):
    error = learned_gradients.by_finite_differences(*problem, loss=loss)
    assert 0 < error < learned_training.DIFFERENCES_BAR


def test_a_wrong_gradient_is_seen(problem, monkeypatch):
    right = learned_gradients.training_loss

    def wrong(weights, *rest):
        value, gradients = right(weights, *rest)
        return value, {**gradients, "out.b": 1.001 * gradients["out.b"]}

    monkeypatch.setattr(learned_gradients, "training_loss", wrong)
    error = learned_gradients.by_finite_differences(*problem)
    assert error == pytest.approx(1e-3, rel=0.01)


def test_gradients_are_those_of_autograd(problem):
    pytest.importorskip("autograd")
    error = learned_gradients.by_autograd(*problem)
    assert 0 < error < learned_training.AUTOGRAD_BAR


def test_slope():
    assert learned_gradients.slope(np.exp) == pytest.approx(1, abs=1e-11)
    assert learned_gradients.slope(lambda t: 3 * t**4 + 2 * t, 0.5) == pytest.approx(2)


def without_peers(monkeypatch):
    monkeypatch.setattr(learned_gradients, "find_spec", lambda name: None)
    monkeypatch.setattr(learned_torch, "find_spec", lambda name: None)


def test_peers_that_are_absent_are_left_out(monkeypatch, capsys):
    without_peers(monkeypatch)
    rows, bars = learned_training.measure_gradients(**SIZE)
    assert len(rows) == 2 and [bar.verdict for bar in bars] == ["ok"]
    rows, bars = learned_training.measure_step(1, **SIZE)
    assert len(rows) == len(bars) == 1 and rows[0]["value"] == bars[0].measured
    printed = capsys.readouterr().out
    assert "autograd isn't installed" in printed and "torch isn't installed" in printed


def test_bars_of_time(monkeypatch):
    times = {"anmf": np.array([0.2, 0.3, 0.9]), "torch": np.array([0.5, 0.6, 0.9])}
    monkeypatch.setattr(learned_training, "interleaved", lambda runs, repeats: times)
    monkeypatch.setattr(learned_torch, "installed", lambda: True)
    same = learned_gradients.training_loss(*learned_gradients.problem(**SIZE))[0]
    monkeypatch.setattr(learned_training, "torch_step", lambda *given: lambda: same)
    rows, bars = learned_training.measure_step(3, **SIZE)
    assert [bar.measured for bar in bars] == pytest.approx([0.3, 2.0])
    assert rows[1]["value"] == 0.6
    monkeypatch.setattr(learned_training, "torch_step", lambda *given: lambda: same + 0.01)
    with pytest.raises(RuntimeError, match="losses differ"):
        learned_training.measure_step(3, **SIZE)


def test_clustering_loss_is_compared_with_the_naive_form():
    assert learned_training.naive_difference(50) < 1e-12
    rows, bars = learned_training.measure_clustering(100, 1)
    assert len(rows) == 2 and bars[1].verdict == "ok"


def test_bars_of_talkers():
    lines = [
        {"kind": kind, "mixture": i, "method": method, "gain": bar + (-1) ** i - 0.5 * short}
        for (method, kind), bar in learned_talkers.BARS.items()
        for short in [method == learned_talkers.PIT]
        for i in range(4)
    ]
    table = learned_talkers.summary(pd.DataFrame(lines))
    assert set(table["mixtures"]) == {4}
    bars = {bar.question: bar for bar in learned_talkers.talker_bars(table)}
    assert len(bars) == 5
    assert bars["PIT: same sex"].measured == pytest.approx(0.7)
    assert {bar.verdict for name, bar in bars.items() if "PIT" in name} == {"short"}
    soft = bars["deep clustering, soft: three talkers"]
    assert (soft.measured, soft.verdict) == (pytest.approx(2.3), "ok")
    worst = table.set_index(["method", "kind"]).loc[("PIT", "same sex")]
    assert worst["worst"] == pytest.approx(-0.3) and worst["better"] == 0.5


def test_summary_of_losses_is_paired():
    lines = [
        {"room": room, "trained for": name, "n_iter": 5, "gain": gain + 10 * room}
        for room in (0, 1)
        for name, gain in (("gauss", 1.0), ("sdr", 3.5))
    ]
    table = learned_losses.summary(pd.DataFrame(lines)).set_index("trained for")
    assert table.loc["sdr", ["rooms", "gain", "worst"]].tolist() == [2, 8.5, 3.5]
    assert table.loc["sdr", ["more", "more_error"]].tolist() == [2.5, 0]
    assert table.loc["gauss", "more"] == 0


def test_mixtures_are_repeatable_and_of_their_kind(no_data):
    speech = learned_voices.unheard_speech(1.0)
    assert set(speech.sexes.values()) == {"F", "M"}
    for kind, n in learned_voices.KINDS.items():
        for seed in range(3):
            talkers, sources = learned_voices.unheard_mixture(speech, kind, 1.0, seed)
            again, same = learned_voices.unheard_mixture(speech, kind, 1.0, seed)
            other = learned_voices.unheard_mixture(speech, kind, 1.0, seed + 1)[1]
            np.testing.assert_array_equal(sources, same)
            assert talkers == again and not np.array_equal(sources, other)
            assert sources.shape == (8000, n) and len(set(talkers)) == n
            level = 20 * np.log10(np.sqrt(np.mean(sources**2, axis=0)))
            assert level[0] == pytest.approx(0, abs=1e-3)
            assert np.all((level[1:] <= 1e-3) & (level[1:] >= -5.001))
            sexes = {speech.sexes[name] for name in talkers}
            assert n == 3 or len(sexes) == 1 + (kind == "different sex")


def test_training_mixtures_are_repeatable(no_data):
    drawn = [learned_voices.training_sources(3, 1.0, seed) for seed in (0, 0, 1)]
    assert [s.shape for s in drawn[0]] == [(8000, 2)] * 3
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_methods_that_need_no_training(no_data):
    sources = make_voices(2, 1.0, sample_rate=8000, random_state=3).waveforms
    x = sources.sum(axis=1)
    estimate = learned_talkers.by_ideal_mask(x, sources)
    np.testing.assert_allclose(estimate.sum(axis=1), x, atol=1e-5)
    errors = np.linalg.norm(estimate - sources, axis=0) / np.linalg.norm(sources, axis=0)
    assert np.all(errors < 0.5)
    magnitude = np.abs(np.random.default_rng(0).standard_normal((20, 129)))
    magnitude[:, 40:60] = 0
    for given in (magnitude, 0 * magnitude):
        V = learned_talkers.patches(given)
        assert V.shape == (20, 129, learned_talkers.PATCH**2)
        np.testing.assert_allclose(np.linalg.norm(V, axis=-1), 1, atol=1e-6)
    plain = deep.DeepClustering(embedding=learned_talkers.patches, random_state=0)
    three = np.column_stack([sources, sources[::-1, 0]])
    assert learned_talkers.by_clustering(plain, x, three, mask="hard").shape == three.shape
    assert plain.n_sources == 2 and plain.mask == "soft"


@pytest.mark.slow
@pytest.mark.parametrize("peers", [True, False])
def test_training_runs(peers, no_data, tmp_path, monkeypatch):
    if not peers:
        without_peers(monkeypatch)
    bars, real = learned_training.measure(tmp_path, quick=True)
    table = pd.read_csv(tmp_path / "learned_training.csv")
    assert real and np.isfinite(table["value"]).all()
    assert not table["what"].str.contains("torch|autograd").any() or peers
    assert all(np.isfinite(bar.measured) for bar in bars)


@pytest.mark.slow
def test_losses_run(no_data, tmp_path, capsys):
    bars, real = learned_losses.measure(tmp_path, quick=True)
    assert bars == [] and not real and "synthetic" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "learned_losses.csv")
    assert len(table) == 3 * len(learned_losses.STEPS) and np.isfinite(table["gain"]).all()
    assert (tmp_path / "learned_losses.png").stat().st_size > 0


@pytest.mark.slow
def test_talkers_run(no_data, tmp_path, capsys):
    bars, real = learned_talkers.measure(tmp_path, quick=True)
    printed = capsys.readouterr().out
    assert not real and "synthetic" in printed and "4 steps of training" in printed
    assert len(bars) == len(learned_talkers.BARS)
    table = pd.read_csv(tmp_path / "learned_talkers.csv")
    assert len(table) == 5 + 5 + 4 and np.isfinite(table[["gain", "error", "worst"]]).all(axis=None)
    assert (tmp_path / "learned_talkers.png").stat().st_size > 0
