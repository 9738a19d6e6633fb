"""The benchmarks on MNIST run, count right, and go on after an interruption."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import adversarial, data, mnist, mnist_experiments
from benchmarks.resume import Ledger

pytest.importorskip("matplotlib")


def test_adversarial_data_has_thrice_the_rows():
    X, y = adversarial.adversarial_data(data.digit_like(600), 20)
    assert X.shape == (60, 784) and X.max() <= 1
    assert (y == 0).sum() == 20 and (y == -1).sum() == 40
    lowest = X[:20].sum(axis=1).min() + X[20:40].sum(axis=1).min()
    assert X[40:].sum(axis=1).min() >= 0.999 * lowest


def test_trace_stops_at_the_target():
    X, y = adversarial.adversarial_data(data.digit_like(600), 20)
    W = adversarial.draw_start(X, y, 4, 0)
    whole, _ = adversarial.trace(X, y, W, 9)
    target = whole["objective"][4]
    curve, state = adversarial.trace(X, y, W, 9, stop=target)
    assert len(whole) == 9 and len(curve) == 5
    assert curve["objective"].iloc[-1] == target == state.objective
    assert curve["seconds"].is_monotonic_increasing and curve["seconds"][0] > 0


def test_race_that_is_not_won_counts_as_none(monkeypatch):
    monkeypatch.setattr(adversarial, "PATIENCE", 1)
    X, y = adversarial.adversarial_data(data.digit_like(600), 20)
    row, curve = adversarial.race(X, y, 0.5, adversarial.Size(20, 4, 60), seed=0)
    assert row["ratio"] == 0 and len(curve) == 60


def test_largest_rise_is_relative_to_the_first_value():
    assert adversarial.largest_rise([-4.0, -6.0, -5.0]) == pytest.approx(0.25)
    assert adversarial.largest_rise([4.0, 3.0, 2.5]) < 0
    assert adversarial.largest_rise([4.0]) == 0


def test_adversarial_benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "digits", lambda: data.digit_like(4000))
    adversarial.run(tmp_path, quick=True)
    table = pd.read_csv(tmp_path / "adversarial.csv")
    assert len(table) == adversarial.QUICK.n_starts * len(adversarial.SPEED_BARS)
    assert (table["ratio without objective"] < table["ratio"]).all()
    bars = pd.read_csv(tmp_path / "adversarial_bars.csv")
    assert (bars["measured"][bars["question"].str.contains("rise")] <= 0).all()
    assert (tmp_path / "adversarial.png").stat().st_size > 0


class Counted:
    """A measurement that knows how often it was made."""

    def __init__(self, value, n_lines=1):
        self.value, self.n_lines, self.n_calls = value, n_lines, 0

    def __call__(self):
        self.n_calls += 1
        return [{"value": self.value}] * self.n_lines


def test_ledger_gives_back_what_it_wrote(tmp_path):
    measure = Counted(1 / 3, n_lines=2)
    for _ in range(2):
        ledger = Ledger(tmp_path / "a.csv", ["what"], ["value"])
        lines = ledger.measure({"what": 0.1}, measure)
        assert lines == [{"what": 0.1, "value": 1 / 3}] * 2
    assert measure.n_calls == 1 and ledger.n_found == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_ledger_makes_an_incomplete_measurement_anew(tmp_path):
    path, measure = tmp_path / "a.csv", Counted(2.0, n_lines=3)
    Ledger(path, ["what"], ["value"]).measure({"what": "x"}, measure)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert len(Ledger(path, ["what"], ["value"]).measure({"what": "x"}, measure)) == 3
    assert measure.n_calls == 2


def test_interrupted_measurement_leaves_the_others(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    ledger = Ledger(tmp_path / "a.csv", ["what"], ["value"])
    ledger.measure({"what": "x"}, Counted(1.0))
    with pytest.raises(KeyboardInterrupt):
        ledger.measure({"what": "y"}, interrupt)
    again = Counted(2.0)
    for what in "xy":
        Ledger(tmp_path / "a.csv", ["what"], ["value"]).measure({"what": what}, again)
    assert again.n_calls == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("what,value,lines\nx,1.", "no end of line"),
        ("what,value,lines\nx,1.0\n", "2 fields, not 3"),
        ("what,value,lines\nx,one,1\n", "line 2.*not all numbers"),
        ("year,name\n2024,Ada\n", "columns"),
    ],
)
def test_ledger_refuses_what_it_did_not_write(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Ledger(path, ["what"], ["value"])
    assert path.read_text() == text


def test_few_data_have_different_rows_and_known_forms():
    sample, plan = data.digit_like(4000), mnist_experiments.QUICK
    X, y, parts = mnist_experiments.few_data(sample, (3, 1), plan)
    n_weak, n_all = 2 * plan.weak, 2 * plan.weak + plan.n_mixtures + plan.strong
    assert X.shape == (n_all, 784) and y.shape == (n_all, 2, 784)
    assert np.isnan(y[n_weak : n_weak + plan.n_mixtures]).all()
    np.testing.assert_allclose(y[-plan.strong :].sum(axis=1), X[-plan.strong :])
    assert parts.shape == (plan.n_poor_test, 2, 784)
    rows = np.concatenate([X[:n_weak], *y[-plan.strong :], *parts])
    assert len(np.unique(rows, axis=0)) == n_weak + 2 * plan.strong + 2 * plan.n_poor_test


def test_published_updates_are_taught_as_in_the_original():
    sample, plan = data.digit_like(4000), mnist_experiments.QUICK
    shapes = []
    for setting in mnist_experiments.published_settings(plan, "synthetic"):
        X, y, _ = mnist_experiments.teach(sample, setting, plan)
        shapes.append((setting.method, len(X), y.shape, int(np.sum(y == -1))))
    n = plan.n_train
    labels, pairs = (2 * n,), (n, 2, 784)
    assert shapes == [("nmf", 2 * n, labels, 0), ("anmf", 3 * n, (3 * n,), n),
                      ("dnmf", n, pairs, 0)]  # fmt: skip


def test_mnist_experiments_resume(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "digits", lambda: data.digit_like(4000))
    mnist.run(tmp_path, quick=True)
    path, name = tmp_path / "mnist_quality.csv", "already"
    written = path.read_text()
    assert name not in capsys.readouterr().out
    path.write_text("".join(written.splitlines(keepends=True)[:-3]))
    made, quality = [], mnist_experiments.quality
    monkeypatch.setattr(
        mnist_experiments, "quality", lambda *args: made.append(args[1]) or quality(*args)
    )
    mnist.run(tmp_path, quick=True)
    assert [(s.experiment, s.method) for s in made] == [
        ("few data", method) for method in mnist_experiments.POOR_METHODS[-3:]
    ]
    assert path.read_text().splitlines()[:-3] == written.splitlines()[:-3]
    assert len(path.read_text().splitlines()) == len(written.splitlines())
    assert name in capsys.readouterr().out
    pictures = {file.name for file in tmp_path.glob("*.png")}
    assert pictures == {f"mnist_{n}.png" for n in ("convergence", "components", "weight",
                                                    "few_data")}  # fmt: skip
