"""The benchmarks of the surrogate source model run and count right; nothing is held to a time."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.utils import Bunch

pytest.importorskip("matplotlib")

from benchmarks import iva_programs, iva_quality, iva_rooms, learned_conditions, learned_cost
from benchmarks import learned_rooms as rooms


@pytest.fixture
def talkers(monkeypatch):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    return iva_rooms.Talkers()


@pytest.fixture
def scene(talkers):
    return rooms.unseen_room(talkers, 2, 1000, 1.0)


def lines_of(gains, n_sources=2):
    """A table of (method, n_fft, n_iter): gains by room."""
    columns = ["n_sources", "room", "method", "n_fft", "n_iter", "gain"]
    return pd.DataFrame(
        [
            (n_sources, room, *key, gain)
            for key, values in gains.items()
            for room, gain in enumerate(values)
        ],
        columns=columns,
    )


GAINS = {
    (rooms.GAUSS, 2048, 20): [9.0, 9.0],
    (rooms.GAUSS, 2048, 50): [1.0, 2.0],
    (rooms.GAUSS, 4096, 20): [0.0, 0.0],
    (rooms.GAUSS, 4096, 50): [2.0, 4.0],
    (rooms.OURS_ISS, 4096, 5): [3.0, 2.0],
    (rooms.OURS_ISS, 4096, 20): [7.0, 3.5],
    (rooms.OURS_ISS, 4096, 50): [7.0, 6.0],
    ("surrogate ip", 4096, 20): [6.0, 3.5],
    ("surrogate ip2", 4096, 20): [8.0, 5.5],
    ("surrogate iss2", 4096, 20): [6.0, 2.5],
}


def test_rooms_are_repeatable_and_differ(talkers, scene):
    again = rooms.unseen_room(talkers, 2, 1000, 1.0)
    np.testing.assert_array_equal(scene.mixture, again.mixture)
    np.testing.assert_array_equal(scene.images, again.images)
    other = rooms.unseen_room(talkers, 2, 1001, 1.0)
    assert not np.array_equal(scene.mixture, other.mixture)
    assert scene.mixture.shape == scene.images.shape == (16000, 2)
    noise = scene.mixture[:, 0] - scene.images.sum(axis=1)
    level = 10 * np.log10(np.mean(noise**2) / np.mean(scene.mixture[:, 0] ** 2))
    assert rooms.NOISE[0] - 2 < level < rooms.NOISE[1] + 2


@pytest.mark.parametrize("part", [rooms, learned_conditions, learned_cost])
def test_quick_rooms_are_not_those_of_the_full_size(part):
    most = part.FULL["n_rooms"]
    last = part.FULL["first"] + (max(most.values()) if isinstance(most, dict) else most)
    assert part.QUICK["first"] >= last


def test_a_curve_is_that_of_separate_runs(scene):
    found = rooms.curve(scene, "gauss", "iss", 512, steps=(2, 5))
    for n_iter, gain in found.items():
        estimate = iva_quality.separated(scene.mixture, n_iter, "gauss", "iss", 512, 128)
        assert gain == pytest.approx(iva_rooms.gain(scene, estimate), abs=1e-6)
    assert list(found) == [2, 5]


def test_the_oracle_weighs_by_the_true_power_at_any_level(scene):
    weights = rooms.oracle(scene, 512)(None)
    power = np.abs(iva_rooms.spectrogram(scene.images, 512, 128)) ** 2
    assert weights.shape == power.shape
    expected = 1 / (power[:, 1] / power[:, 1].mean() + 1e-4)
    np.testing.assert_allclose(weights[:, 1], expected)
    louder = rooms.oracle(Bunch(mixture=scene.mixture, images=scene.images * [3, 5]), 512)(None)
    np.testing.assert_allclose(louder, weights, rtol=1e-9)
    best = rooms.curve(scene, rooms.oracle(scene, 1024), "iss", 1024, steps=(20,))
    assert best[20] > rooms.curve(scene, "gauss", "iss", 1024, steps=(20,))[20]


def test_the_window_is_that_best_at_the_last_iteration():
    lines = lines_of(GAINS)
    assert rooms.gains(lines, rooms.GAUSS, 20).tolist() == [0, 0]
    assert rooms.gains(lines, rooms.GAUSS, 50).tolist() == [2, 4]


def test_bars_of_rooms():
    table = pd.concat([lines_of(GAINS), lines_of(GAINS, 3)])
    bars = rooms.room_bars(table)
    expected = [2.25, 0.5, 1.0, -0.5, -0.5, 1.5, -1.0]
    assert [bar.measured for bar in bars[:7]] == pytest.approx(expected)
    assert [bar.bar for bar in bars[:7]] == [2.0, 0.85, 0.85, 0.0, -0.5, -0.5, -0.5]
    verdicts = ["ok", "short", "ok", "short", "ok", "ok", "short"]
    assert [bar.verdict for bar in bars[:7]] == verdicts
    assert [bar.measured for bar in bars[7:]] == pytest.approx(expected[:3] + expected[4:])
    assert bars[7].bar == 1.5


def test_intervals_are_those_of_the_binomial():
    n, k = 40, 12
    values = np.repeat([0.0, 1.0], [n - k, k])
    expected = binom.ppf([0.025, 0.975], n, k / n) / n
    np.testing.assert_allclose(rooms.interval(values), expected, atol=1 / n + 1e-12)
    np.testing.assert_allclose(rooms.interval(2 * values + 3), 2 * expected + 3, atol=2.1 / n)
    assert rooms.interval([1.5] * 8) == (1.5, 1.5)


def test_intervals_of_many_are_normal():
    values = np.random.default_rng(0).normal(2.0, 3.0, 400)
    expected = values.mean() + np.array([-1.96, 1.96]) * values.std() / 20
    np.testing.assert_allclose(rooms.interval(values), expected, atol=0.02)


def test_differences_are_paired_by_room():
    lines = lines_of(GAINS).sample(frac=1, random_state=0)
    (row,) = rooms.paired(lines, [((rooms.OURS_ISS, 20), (rooms.GAUSS, 50))])
    assert row["difference"] == "surrogate iss at 20 − gauss iss at 50"
    assert [row["mean"], row["low"], row["high"], row["share"]] == [2.25, -0.5, 5.0, 0.5]


def test_bars_of_conditions():
    cell = lines_of({**GAINS, ("cliques iss2", 4096, 20): [1.0, 1.5]})
    table = pd.concat([cell.assign(condition=name) for name in ("office", "8 kHz")])
    differences = learned_conditions.intervals(table)
    assert differences["mean"].tolist() == [2.25, 4.0] * 2
    bars = learned_conditions.condition_bars(differences)
    assert [bar.measured for bar in bars] == [2.25, 2.25]
    assert bars[0].question == "office, 2 talkers: surrogate iss at 20 − gauss iss at 50"
    assert {bar.bar for bar in bars} == {-0.5}


def test_directions_are_apart():
    angles = np.array([0.0, -40.0, 25.0, 35.0])
    pairs = learned_conditions.apart(angles, 2)
    assert pairs.tolist() == [[0, 1], [0, 3], [1, 2], [1, 3]]
    assert learned_conditions.apart(angles, 3).tolist() == [[0, 1, 3]]


def head():
    rng = np.random.default_rng(0)
    rir = rng.standard_normal((37, 2, 50)).astype(np.float32)
    return {"rir": rir, "azimuth_deg": np.arange(-90.0, 91, 5), "fs": 16000}


def line():
    """Each response is told apart by its first two taps, place and microphone."""
    rng = np.random.default_rng(0)
    rir = rng.standard_normal((9, 32, 50)).astype(np.float32)
    rir[..., 0], rir[..., 1] = np.arange(9)[:, None], np.arange(32)
    places = np.array([(x, y) for x in (0.3, 0.6, 0.9) for y in (0.1, 0.45, 0.8)])
    return {"rir": rir, "source_xy_m": places, "mic_spacing_m": 0.03, "fs": 16000}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [2, 3])
def test_neighbours_of_the_line_hear_talkers_from_apart(n, seed):
    found = learned_conditions.line_responses(line(), n, np.random.default_rng(seed))
    assert found.shape == (n, n, 50)
    microphones, places = found[0, :, 1], line()["source_xy_m"][found[:, 0, 0].astype(int)]
    assert set(np.diff(microphones)) <= {1, 2} and len(set(np.diff(microphones))) == 1
    assert microphones.min() >= 8 and microphones.max() < 24
    at = 0.45 + 0.03 * (microphones.mean() - 15.5)
    angles = np.degrees(np.arctan2(places[:, 1] - at, places[:, 0]))
    assert np.diff(np.sort(angles)).min() >= learned_conditions.APART - 1e-6


def test_measured_rooms_are_repeatable_convolutions(talkers):
    made = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        responses = learned_conditions.head_responses(head(), 2, rng)
        made.append(learned_conditions.measured_room(talkers, responses, 1.0, rng))
    np.testing.assert_array_equal(made[0].mixture, made[1].mixture)
    assert made[0].mixture.shape == made[0].images.shape == (16000, 2)
    noise = made[0].mixture[:, 0] - made[0].images.sum(axis=1)
    level = 10 * np.log10(np.mean(noise**2) / np.mean(made[0].mixture[:, 0] ** 2))
    assert level == pytest.approx(learned_conditions.NOISE, abs=3)
    identity = np.eye(2)[:, :, None] * [0, 1.0]  # each talker at one microphone, a sample late
    scene = learned_conditions.measured_room(talkers, identity, 1.0, np.random.default_rng(4))
    assert np.any(scene.images[:, 0]) and np.allclose(scene.images[:, 1], 0, atol=1e-9)


def test_halving_keeps_what_is_below(scene):
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)[:, None]
    half = learned_conditions.halved(Bunch(mixture=tone, images=tone)).mixture
    expected = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)[:, None]
    np.testing.assert_allclose(half[100:-100], expected[100:-100], atol=0.01)
    assert learned_conditions.halved(scene).images.shape == (8000, 2)


def test_bars_of_cost():
    peers = list(learned_cost.PEERS)
    table = pd.DataFrame(
        {
            "program": [learned_cost.OURS, *peers],
            "ours / it": [1.0, 0.2, 0.5],
            "more": [0.0, 1.0, -1.0],
        }
    )
    bars = learned_cost.cost_bars(table)
    assert [bar.measured for bar in bars] == [0.2, 1.0, 0.5, -1.0]
    assert [bar.verdict for bar in bars] == ["ok", "ok", "short", "short"]
    assert learned_cost.cost_bars(table[:1]) == []


@pytest.fixture
def data_folder(tmp_path_factory, monkeypatch):
    """Measured responses, and no speech."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "rirs").mkdir()
    np.savez(folder / "rirs" / "surrey_room_a_16k.npz", **head())
    np.savez(folder / "rirs" / "polimi_office_16k.npz", **line())
    monkeypatch.setenv("ANMF_DATA", str(folder))


@pytest.mark.slow
def test_rooms_run_without_recordings(talkers, tmp_path, capsys):
    bars, real = rooms.measure(tmp_path, quick=True)
    assert not real and len(bars) == 13 and "synthetic" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "learned_rooms.csv")
    assert set(table["method"]) == set(rooms.METHODS) and np.isfinite(table["gain"]).all()
    assert set(table["n_iter"]) == set(rooms.STEPS)
    assert np.isfinite([bar.measured for bar in bars]).all()
    assert (tmp_path / "learned_rooms.png").stat().st_size > 0


@pytest.mark.slow
def test_conditions_run_with_what_is_there(data_folder, tmp_path, capsys):
    bars, real = learned_conditions.measure(tmp_path, quick=True)
    assert not real and len(bars) == 5
    assert "speech_so762 in ANMF_DATA, so" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "learned_conditions.csv")
    assert set(table["condition"]) == {"dummy head", "office", "8 kHz"}
    assert np.isfinite(table["gain"]).all()
    assert set(table[table["condition"] == "8 kHz"]["n_fft"]) == {1024, 2048}


@pytest.mark.slow
@pytest.mark.parametrize("peer", [True, False])
def test_cost_runs_without_recordings(peer, talkers, tmp_path, monkeypatch, capsys):
    if not peer:
        monkeypatch.setattr(iva_programs, "find_spec", lambda name: None)
    bars, real = learned_cost.measure(tmp_path, quick=True)
    expected = peer and iva_programs.has(iva_programs.PYROOM)
    assert not real and len(bars) == (4 if expected else 0)
    assert ("left out" in capsys.readouterr().out) != expected
    table = pd.read_csv(tmp_path / "learned_cost.csv")
    assert (table["seconds"] > 0).all() and np.isfinite(table["gain"]).all()
    assert table["n_iter"].tolist()[:3] == [20, 20, 50]
