"""Mixtures to train on: speeds, pauses, levels, different talkers, the same from the same seed."""

import numpy as np
import pytest

from anmf.deep.mixtures import (
    Talkers,
    batches,
    change_speed,
    cut_pauses,
    draw_sources,
    prepare_talkers,
)

RATE = 8000


def tone(frequency, seconds=1.0, rate=RATE):
    return 0.1 * np.sin(2 * np.pi * frequency / rate * np.arange(round(seconds * rate)))


def loudest(x, rate=RATE):
    """Frequency in Hz of the largest peak."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 15))
    return np.fft.rfftfreq(1 << 15, 1 / rate)[spectrum.argmax()]


def talkers(n=5, seconds=2.0, **options):
    """Talkers who hum: 200 Hz, 300 Hz, …"""
    hums = [tone(200 + 100 * k, seconds) for k in range(n)]
    return prepare_talkers(hums, [f"t{k}" for k in range(n)], RATE, **options)


@pytest.mark.parametrize("speed", [0.85, 0.9, 1.0, 1.1, 1.15])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_speed(speed, sample_rate):
    y = change_speed(tone(500, 1.0, sample_rate), sample_rate, RATE, speed)
    assert len(y) == np.ceil(round(RATE / speed, 9))
    assert loudest(y) == pytest.approx(500 * speed, abs=1)
    np.testing.assert_allclose(np.std(y[200:-200]), 0.1 / np.sqrt(2), rtol=0.01)


def test_pauses_are_cut():
    rng = np.random.default_rng(0)
    x = 1e-4 * rng.standard_normal(5 * RATE)
    x[RATE : 2 * RATE] += tone(300)
    x[4 * RATE :] += tone(300)
    y = cut_pauses(x, RATE)
    assert len(y) / RATE == pytest.approx(2.3, abs=0.05)  # three ends with 0.1 s
    np.testing.assert_array_equal(y[-RATE:], x[-RATE:])
    np.testing.assert_array_equal(cut_pauses(tone(300), RATE), tone(300))
    gap = np.concatenate([tone(300), np.zeros(round(0.15 * RATE)), tone(300)])
    assert len(cut_pauses(gap, RATE)) == len(gap) // 160 * 160  # too short a pause


def test_a_click_sets_no_standard():
    x = np.concatenate([tone(300, 3.0), np.zeros(RATE)])
    x[100] = 50.0
    assert len(cut_pauses(x, RATE)) / RATE == pytest.approx(3.1, abs=0.03)
    lonely = np.zeros(10 * RATE)
    lonely[5 * RATE] = 1.0
    assert 0 < len(cut_pauses(lonely, RATE)) < 0.3 * RATE
    assert len(cut_pauses(np.ones(100), RATE)) == 100


def test_talkers():
    names, waveforms = ["b", "a", "b", "c"], [tone(300), tone(500), tone(700, 0.5), np.zeros(RATE)]
    found = prepare_talkers(waveforms, names, RATE, speeds=[1.0, 1.25])
    assert found.names == ("a", "b")  # c is silent
    assert found.sample_rate == RATE
    assert [[len(x) for x in versions] for versions in found.speech] == [
        [8000, 6400], [12000, 9600]
    ]  # fmt: skip
    assert found.seconds == pytest.approx(2.5)
    for versions in found.speech:
        for x in versions:
            assert x.dtype == np.float32
    # Every recording has unit RMS, whatever its level was.
    assert np.sqrt(np.mean(found.speech[1][0][:8000] ** 2)) == pytest.approx(1, rel=1e-5)
    assert np.sqrt(np.mean(found.speech[1][0][8000:] ** 2)) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_different_talkers_at_given_levels(n_sources):
    drawn = draw_sources(
        talkers(speeds=[1.0]), 20, 4000, np.random.default_rng(1), n_sources=n_sources
    )
    assert drawn.shape == (20, n_sources, 4000)
    assert drawn.dtype == np.float32
    level = 10 * np.log10(np.mean(drawn.astype(float) ** 2, axis=-1))
    np.testing.assert_allclose(level[:, 0], 0, atol=1e-4)
    assert np.all((level[:, 1:] <= 1e-4) & (level[:, 1:] >= -5 - 1e-4))
    for sources in drawn:
        assert len({round(loudest(x) / 100) for x in sources}) == n_sources


def test_levels_are_uniform_and_talkers_equally_likely():
    pool = talkers(4, speeds=[1.0])
    drawn = draw_sources(pool, 2000, 400, np.random.default_rng(2), level_range=(2.0, 8.0))
    level = -10 * np.log10(np.mean(drawn[:, 1].astype(float) ** 2, axis=-1))
    np.testing.assert_allclose(np.quantile(level, [0, 0.25, 0.5, 0.75, 1]), [2, 3.5, 5, 6.5, 8],
                               atol=0.25)  # fmt: skip
    first = [round(np.abs(np.fft.rfft(x)).argmax() * RATE / 400 / 100) for x in drawn[:, 0]]
    shares = np.bincount(first)[2:6] / 2000
    np.testing.assert_allclose(shares, 0.25, atol=0.04)


def test_all_speeds_are_drawn():
    drawn = draw_sources(talkers(1), 60, 4000, np.random.default_rng(3), n_sources=1)
    found = {round(loudest(x) / 2) for x in drawn[:, 0]}
    assert found == {85, 90, 100, 110, 115}


def test_excerpts_start_anywhere_and_short_speech_is_followed_by_zeros():
    ramp = np.arange(1, 101, dtype=np.float32)
    pool = Talkers(("a", "b"), ((ramp,), (np.ones(30, np.float32),)), RATE)
    starts = set()
    for x in draw_sources(pool, 100, 98, np.random.default_rng(4)).reshape(-1, 98):
        if x[-1] == 0:
            assert np.all(x[:30] > 0)
            assert np.all(x[30:] == 0)
        else:
            starts.add(round(float(97 * x[0] / (x[-1] - x[0]))))
    assert starts == {1, 2, 3}


def test_batches_depend_on_seed_and_step_only():
    pool = talkers()
    batch, again = (batches(pool, 4, 2000, 5, n_sources=3) for _ in range(2))
    forward = [batch(step) for step in range(4)]
    backward = [again(step) for step in reversed(range(4))][::-1]
    np.testing.assert_array_equal(forward, backward)
    assert forward[0].shape == (4, 3, 2000)
    assert not np.array_equal(forward[0], forward[1])
    assert not np.array_equal(forward[0], batches(pool, 4, 2000, 6, n_sources=3)(0))
    assert batches(pool, 4, 2000, 5, dtype=np.float64)(0).dtype == np.float64


def test_silent_excerpts_are_safe():
    half = np.concatenate([np.zeros(5000), np.ones(100)]).astype(np.float32)
    pool = Talkers(("a", "b"), ((half,), (half,)), RATE)
    drawn = draw_sources(pool, 50, 1000, np.random.default_rng(5))
    assert np.all(np.isfinite(drawn))
    assert np.any(np.all(drawn == 0, axis=-1))


def test_bad_input():
    good, stereo = tone(300), np.zeros((8000, 2))
    with pytest.raises(ValueError, match="speakers names 1 for 2 waveforms"):
        prepare_talkers([good, good], ["a"], RATE)
    with pytest.raises(ValueError, match=r"waveforms\[1\] has shape \(8000, 2\); expected one"):
        prepare_talkers([good, stereo], ["a", "b"], RATE)
    with pytest.raises(ValueError, match=r"waveforms\[0\] holds NaN"):
        prepare_talkers([good * np.nan], ["a"], RATE)
    with pytest.raises(ValueError, match=r"waveforms\[0\] has dtype int"):
        prepare_talkers([np.arange(8000)], ["a"], RATE)
    with pytest.raises(ValueError, match="has no sound in it"):
        prepare_talkers([0 * good], ["a"], RATE)
    with pytest.raises(ValueError, match="sample_rate=16 must be"):
        prepare_talkers([good], ["a"], 16)
    with pytest.raises(ValueError, match="speeds=3 must be"):
        prepare_talkers([good], ["a"], RATE, speeds=[3])
    with pytest.raises(ValueError, match="speeds is empty"):
        prepare_talkers([good], ["a"], RATE, speeds=[])
    pool = talkers(2)
    with pytest.raises(ValueError, match="n_sources=3 must be at most the number of talkers, 2"):
        batches(pool, 1, 100, 0, n_sources=3)
    with pytest.raises(ValueError, match="n_times=0 must be"):
        draw_sources(pool, 1, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"level_range=\(5, 0\) must be two numbers"):
        batches(pool, 1, 100, 0, level_range=(5, 0))
    with pytest.raises(ValueError, match="seed=-1 must be"):
        batches(pool, 1, 100, -1)
