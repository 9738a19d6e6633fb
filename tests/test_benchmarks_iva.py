"""The benchmark of determined separation runs and counts right; nothing here is held to a time."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from benchmarks import iva, iva_cost, iva_programs, iva_quality, iva_rooms


@pytest.fixture
def talkers(monkeypatch):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    return iva_rooms.Talkers()


@pytest.fixture
def scene(talkers):
    return iva_rooms.room(talkers, 2, 0, seconds=1.5)


def test_rooms_are_repeatable_and_differ(talkers, scene):
    again = iva_rooms.room(talkers, 2, 0, seconds=1.5)
    np.testing.assert_array_equal(scene.mixture, again.mixture)
    other = iva_rooms.room(talkers, 2, 1, seconds=1.5)
    assert not np.array_equal(scene.mixture, other.mixture)
    assert scene.mixture.shape == scene.images.shape == (24000, 2)
    noise = scene.mixture[:, 0] - scene.images.sum(axis=1)
    level = 10 * np.log10(np.mean(noise**2) / np.mean(scene.mixture**2))
    assert level == pytest.approx(iva_rooms.NOISE, abs=1)


def test_gain_is_that_over_the_mixture_in_any_order(scene):
    mixture = np.repeat(scene.mixture[:, :1], 2, axis=1)
    assert iva_rooms.gain(scene, mixture) == pytest.approx(0, abs=1e-9)
    assert iva_rooms.gain(scene, scene.images[:, ::-1]) > 50
    assert iva_rooms.gain(scene, mixture[-8000:], last=8000) == pytest.approx(0, abs=1e-9)


def test_spectrogram_comes_back(scene):
    X = iva_rooms.spectrogram(scene.mixture, 512, 128)
    assert X.shape[:2] == (257, 2) and X.flags.c_contiguous
    back = iva_quality.waveforms(X, len(scene.mixture), 512, 128)
    np.testing.assert_allclose(back, scene.mixture, atol=1e-12)


@pytest.mark.parametrize("name", iva_programs.PROGRAMS)
def test_programs_leave_the_spectrogram_alone(name):
    if not iva_programs.installed([name]):
        pytest.skip(f"{name.split()[0]} isn't installed")
    X = iva_rooms.babble(2, 0.5, 256, 64, "complex64")
    before = X.copy()
    iva_programs.PROGRAMS[name](X)(2)
    np.testing.assert_array_equal(X, before)


def test_time_of_an_iteration_leaves_out_what_is_done_once(monkeypatch):
    clock = {"now": 0.0}

    def start(X):
        def run(n_iter):
            clock["now"] += 5 + 0.001 * n_iter

        return run

    def taken(functions, repeats):
        times = {}
        for name, function in functions.items():
            began = clock["now"]
            function()
            times[name] = np.full(repeats, clock["now"] - began)
        return times

    monkeypatch.setattr(iva_cost, "PROGRAMS", {"a": start})
    monkeypatch.setattr(iva_cost, "interleaved", taken)
    np.testing.assert_allclose(iva_cost.milliseconds(None, ["a"], 3)["a"], np.ones(3))


def test_pairs_and_bars_know_their_programs():
    for mine, peer, dtype in iva_cost.SPEED_BARS:
        assert mine in iva_programs.OURS and peer in iva_programs.PEERS
        assert dtype in iva_cost.ONLY_OURS
    assert set(iva_cost.MEMORY) <= set(iva_programs.PROGRAMS)


def test_bars_of_the_default():
    lines = [
        (2, 0, iva_quality.DEFAULT, 20, 9.0, 0.1),
        (2, 1, iva_quality.DEFAULT, 18, 11.0, 0.1),
        (2, 0, iva_quality.REFERENCE, 100, 8.0, 0.5),
        (2, 1, iva_quality.REFERENCE, 100, 9.0, 0.5),
        (2, 1, iva_quality.REFERENCE, 20, 50.0, 0.1),
        (2, 0, iva_quality.PEER, 100, 8.0, 1.2),
    ]
    columns = ["n_sources", "room", "method", "n_iter", "gain", "seconds"]
    bars = iva.quality_bars(pd.DataFrame(lines, columns=columns))
    assert [bar.measured for bar in bars] == pytest.approx([1.5, 20, 12])
    assert {bar.verdict for bar in bars} == {"ok"}
    without = iva.quality_bars(pd.DataFrame(lines[:-1], columns=columns))
    assert len(without) == 2


def test_summary_is_over_rooms_and_keeps_the_default_in_one_line():
    columns = ["n_sources", "room", "method", "n_iter", "gain", "seconds"]
    lines = [(2, room, iva_quality.DEFAULT, 10 * room, 3.0 * room, 1.0) for room in (1, 2)]
    lines += [(2, room, iva_quality.REFERENCE, 100, 1.0, 1.0) for room in (1, 2)]
    table = iva_quality.summary(pd.DataFrame(lines, columns=columns)).set_index("method")
    assert len(table) == 2
    default = table.loc[iva_quality.DEFAULT, ["n_iter", "rooms", "gain", "worst", "more"]]
    assert default.tolist() == [15, 2, 4.5, 3.0, 3.5]


def without_peers(monkeypatch):
    for module in (iva_programs, iva_rooms):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    iva_programs.load_torchiva.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("peers", [True, False])
def test_it_runs_without_recordings(peers, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    if not peers:
        without_peers(monkeypatch)
    iva.run(tmp_path, quick=True)
    iva_programs.load_torchiva.cache_clear()
    printed = capsys.readouterr().out
    assert "synthetic" in printed and "short" not in printed
    assert ("pyroomacoustics" in printed) or peers
    speed = pd.read_csv(tmp_path / "iva_speed.csv")
    assert set(speed["ours"]) <= set(iva_programs.OURS) and (speed["ms"] > 0).all()
    assert speed["peer"].notna().any() == bool(peers and iva_programs.installed(iva_programs.PEERS))
    rooms = pd.read_csv(tmp_path / "iva_rooms.csv")
    n_curves = len(iva_quality.CURVES) * len(iva.QUICK["quality"]["checkpoints"])
    assert (
        len(rooms[~rooms["method"].isin([iva_quality.DEFAULT, iva_quality.PEER])]) == 2 * n_curves
    )
    assert np.isfinite(rooms["gain"]).all() and (rooms["seconds"] > 0).all()
    stream = pd.read_csv(tmp_path / "iva_stream.csv")
    assert (stream["growth"] <= 1.01).all()
    bars = pd.read_csv(tmp_path / "iva_bars.csv")["question"]
    assert bars.str.contains("default").any() and bars.str.contains("batch").any()
    for name in ("iva.png", "iva_speed.png"):
        assert (tmp_path / name).stat().st_size > 0
