"""The benchmarks run and count right; nothing here is held to a time."""

import time

import numpy as np
import pandas as pd
import pytest

from benchmarks import BENCHMARKS, data, mnist_pairs, nmf_convergence, nmf_kl, nmf_transform, peers
from benchmarks.__main__ import THREAD_VARIABLES, main
from benchmarks.nmf_rate import iteration_flops, product_flops
from benchmarks.report import Bar, bars_frame, print_bars
from benchmarks.timing import Stopwatch, cpu_seconds, environment, interleaved, ratio


@pytest.fixture(autouse=True)
def environment_stays(monkeypatch):
    """The command sets variables for its own process; undo that after each test."""
    for variable in THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")


def spin(seconds):
    """Use CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_flops_are_those_of_the_matrix_products():
    n, m, k = 5, 7, 3
    assert product_flops(n, m, k) == 2 * n * m * k
    no_sweeps = iteration_flops(n, m, k, sweeps_H=0, sweeps_W=0)
    assert no_sweeps == 2 * 2 * n * m * k + 2 * 2 * n * k * k + 2 * m * k * k
    assert iteration_flops(n, m, k, 2, 0) - no_sweeps == 2 * 2 * n * k * k
    assert iteration_flops(n, m, k, 0, 2) - no_sweeps == 2 * 2 * m * k * k


def test_functions_take_turns():
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = interleaved(runs, repeats=3)
    assert "".join(calls) == "abbaab"
    assert [values.shape for values in times.values()] == [(3,), (3,)]


def test_ratio_compares_neighbouring_runs():
    assert ratio([2.0, 20.0, 9.0], [1.0, 10.0, 1.0]) == 2.0


def test_cpu_seconds_counts_work_and_not_sleep():
    assert cpu_seconds(lambda: spin(0.02))[0] >= 0.02
    assert cpu_seconds(lambda: time.sleep(0.2))[0] < 0.1
    assert cpu_seconds(lambda: 3)[1] == 3


def test_stopwatch_leaves_out_pauses():
    began = time.process_time()
    watch = Stopwatch()
    with watch.paused():
        spin(0.05)
    assert watch.seconds <= time.process_time() - began - 0.05


def test_environment_is_one_line():
    assert "\n" not in environment() and "numpy" in environment()


def test_verdicts():
    assert Bar("q", 3.0, 3.0).verdict == "ok"
    assert Bar("q", 2.9, 3.0).verdict == "short"
    assert Bar("q", 2.9, 3.0, at_least=False).verdict == "ok"
    assert list(bars_frame([Bar("q", 1.0, 2.0)])["verdict"]) == ["short"]


def test_bars_of_small_sizes_get_no_verdict(capsys):
    print_bars([Bar("q", 1.0, 2.0, "x")], applies=False)
    printed = capsys.readouterr().out
    assert ">= 2 x" in printed and "short" not in printed


def test_error_is_the_norm_of_the_rest():
    rng = np.random.default_rng(0)
    X, H, W = rng.random((25, 6)), rng.random((25, 2)), rng.random((2, 6))
    expected = np.linalg.norm(X - H @ W)
    assert nmf_convergence.error(X, H, W, block=10) == pytest.approx(expected)


def test_iterations_needed():
    curve = pd.DataFrame({"n_iter": [1, 2, 5], "relative": [1.2, 1.005, 1.0]})
    assert nmf_convergence.iterations_needed(curve) == 2
    assert nmf_convergence.iterations_needed(curve[:1]) is None


@pytest.mark.parametrize("start", nmf_convergence.STARTS)
def test_starts_are_valid(start):
    X = data.speech_like(40, 12, 5)
    H, W = nmf_convergence.STARTS[start](X, 3)
    assert H.shape == (40, 3) and W.shape == (3, 12)
    assert H.dtype == W.dtype == np.float32
    assert min(H.min(), W.min()) >= 0


def test_exact_activations_are_optimal():
    scipy_optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    X, W = rng.random((4, 12)), rng.random((3, 12))
    H, violation = nmf_transform.exact_activations(X, W)
    assert violation < 1e-11
    expected = [scipy_optimize.nnls(W.T, x)[0] for x in X]
    np.testing.assert_allclose(H, expected, atol=1e-8)


def test_kl_iterates_are_the_same():
    X = data.speech_like(60, 20, 5)
    H, W = nmf_kl.start(X, 4)
    assert nmf_kl.difference(X, H, W, n_iter=5) < 1e-5


def test_peers_leave_their_start_alone():
    X = data.speech_like(40, 12, 5)
    H, W = nmf_convergence.random_start(X, 3)
    before = H.copy(), W.copy()
    for peer in peers.installed_peers().values():
        moved = peer(X, H, W, 2)
        assert not np.array_equal(moved[0], H) and not np.array_equal(moved[1], W)
        np.testing.assert_array_equal(H, before[0])
        np.testing.assert_array_equal(W, before[1])


def test_split_pair_gives_disjoint_halves():
    sample = data.digit_like(400)
    train, parts = mnist_pairs.split_pair(sample.data, sample.target, (3, 8), 20, 10)
    assert [rows.shape for rows in train] == [(20, 784)] * 2
    assert parts.shape == (10, 2, 784)
    assert parts.max() <= 0.5
    together = np.concatenate([train[0], parts[:, 0]])
    assert len(np.unique(together, axis=0)) == 30


def test_synthetic_data_is_repeatable():
    np.testing.assert_array_equal(data.digit_like(20).data, data.digit_like(20).data)
    assert data.speech_like(30, 10, 4).mean() == pytest.approx(1, rel=1e-5)


def test_every_benchmark_opens_with_a_question(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(BENCHMARKS)
    assert all(line.endswith("?") for line in lines)


def test_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["no_such_benchmark"])
    assert "no_such_benchmark" in capsys.readouterr().err


def test_runner_writes_table_and_figure(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(mnist_pairs, "digits", lambda: data.digit_like(6000))
    main(["mnist_pairs", "--quick", "--output", str(tmp_path / "results")])
    table = pd.read_csv(tmp_path / "results" / "mnist_pairs.csv")
    assert len(table) == len(mnist_pairs.QUICK)
    assert (tmp_path / "results" / "mnist_pairs.png").stat().st_size > 0
    assert "one thread" in capsys.readouterr().out


def test_metrics_benchmark(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    from benchmarks import metrics

    metrics.run(tmp_path, quick=True)
    assert "best order of 16 sources" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert list(table["program"]) == ["anmf", *metrics.installed_peers()]
    bars = pd.read_csv(tmp_path / "metrics_bars.csv").set_index("question")["measured"]
    assert (bars[bars.index.str.startswith("difference")] <= metrics.AGREEMENT).all()
    assert bars["best order against all orders of 6"] <= 1e-9
    assert (tmp_path / "metrics.png").stat().st_size > 0


def test_recording_is_shuffled_and_repeatable():
    from benchmarks import metrics

    (s, x), again = metrics.recording(3, 2000), metrics.recording(3, 2000)
    assert s.shape == x.shape == (2000, 3)
    np.testing.assert_array_equal(x, again[1])
    np.testing.assert_allclose(s.std(axis=0), 1)
