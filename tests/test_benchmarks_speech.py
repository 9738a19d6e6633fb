"""The benchmark of speech in noise runs and counts right; nothing here is held to a time."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from anmf.metrics import si_sdr
from benchmarks import speech


def speaker(seed=0):
    rng = np.random.default_rng(seed)
    clips = [rng.standard_normal(n).astype(np.float32) for n in (4000, 5000, 6000, 7000)]
    noise = [rng.standard_normal(3000).astype(np.float32) for _ in range(3)]
    return clips, noise


def test_first_half_is_clean_and_the_rest_in_noise():
    clips, noise = speaker()
    one = speech.in_noise(clips, noise, 5)
    assert [len(x) for x in one.clean] == [4000, 5000]
    assert [part.shape for part in one.parts] == [(6000, 2), (7000, 2)]
    for mixture, part, clip in zip(one.mixtures, one.parts, clips[2:], strict=True):
        np.testing.assert_array_equal(part.sum(axis=1), mixture)
        assert si_sdr(clip, part[:, 0]) > 100
        ratio = np.sum(part[:, 0] ** 2) / np.sum(part[:, 1] ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(speech.SNR, abs=1e-3)
    again = speech.in_noise(clips, noise, 5)
    np.testing.assert_array_equal(one.mixtures[1], again.mixtures[1])


def test_quality_is_a_mean_over_files():
    one = speech.in_noise(*speaker(), 0)
    method = speech.Method("input", speech.unchanged)
    quality, seconds = speech.measure(method, [one, one], [])
    pairs = zip(one.parts, one.mixtures, strict=True)
    expected = np.mean([si_sdr(part[:, 0], mixture) for part, mixture in pairs])
    np.testing.assert_allclose(quality, [expected] * 2)
    assert seconds.shape == (2,)
    ideal = speech.measure(speech.Method("oracle", speech.oracle), [one], [])[0]
    assert ideal > quality[0] + 3


def test_bars_are_those_of_the_method():
    row = {"mean": 9.0, "worst": 4.0, "over input": 6.0, "seconds a speaker": 0.5}
    method = speech.Method("m", None, mean=8.0, worst=4.5, gain=5.0, seconds=1.0)
    bars = speech.bars_of(method, row)
    assert [bar.verdict for bar in bars] == ["ok", "short", "ok", "ok"]
    assert speech.bars_of(speech.Method("m", None), row) == []


def test_noise_pieces_are_short_and_sound():
    clips = [np.full(100, 0.1), np.zeros(100), np.full(50, 0.2), np.full(100, 1e-4)]
    pieces = speech.noise_pieces(clips, 3, seconds=0.08, rate=1000)
    assert sorted(map(len, pieces)) == [50, 80]
    assert len(speech.noise_pieces(clips, 1)) == 1


@pytest.mark.slow
def test_it_runs_without_recordings(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    speech.run(tmp_path, quick=True)
    table = pd.read_csv(tmp_path / "speech.csv")
    assert list(table["method"]) == [method.name for method in speech.METHODS]
    assert (table["mean"][table["method"] != "input"] > 5).all()
    assert len(pd.read_csv(tmp_path / "speech_bars.csv")) == 9
    assert (tmp_path / "speech.png").stat().st_size > 0
    printed = capsys.readouterr().out
    assert "synthetic" in printed and "short" not in printed
