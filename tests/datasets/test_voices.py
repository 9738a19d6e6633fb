"""`make_voices`: levels, determinism, and the features that make the voices like speech."""

import time

import numpy as np
import pytest
from scipy.signal import stft, welch

from anmf.datasets import make_voices
from anmf.datasets._score import draw_script, draw_speakers
from anmf.datasets.voices import _filter


@pytest.fixture(scope="module")
def long():
    return make_voices(4, 10.0, random_state=0)


def bands(x, centres, rate=16000):
    """Mean spectral density in octaves around `centres`, in dB."""
    f, power = welch(x, rate, nperseg=1024)
    root = np.sqrt(2)
    return np.array(
        [10 * np.log10(power[(f >= c / root) & (f < c * root)].mean()) for c in centres]
    )


@pytest.mark.parametrize(
    ("n_voices", "seconds", "rate"),
    [(1, 0.1, 16000), (2, 1.37, 11025), (3, 0.5, 8000), (2, 0.5, 48000), (2, 0.3, 4000)],
)
def test_shapes_types_and_levels(n_voices, seconds, rate):
    voices = make_voices(n_voices, seconds, sample_rate=rate, random_state=0)
    n_times = round(seconds * rate)
    assert voices.waveforms.shape == voices.activity.shape == (n_times, n_voices)
    assert voices.waveforms.dtype == np.float32
    assert voices.activity.dtype == bool
    assert voices.sample_rate == rate
    assert voices.f0.shape == voices.tract_scale.shape == (n_voices,)
    assert np.all(np.isfinite(voices.waveforms))
    peaks = np.abs(voices.waveforms).max(axis=0)
    assert 0.99 < peaks.sum() <= 1
    assert np.abs(voices.waveforms.sum(axis=1)).max() <= 1
    energy = np.linalg.norm(voices.waveforms, axis=0)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-4)


def test_random_state():
    first, again, drawn, other = (
        make_voices(2, 0.5, random_state=seed).waveforms
        for seed in (1, 1, np.random.default_rng(1), 2)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, drawn)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("seed", range(5))
def test_two_voices_differ_in_pitch_and_in_resonances(seed):
    voices = make_voices(2, 4.0, random_state=seed)
    assert voices.f0.min() >= 90
    assert voices.f0.max() <= 260
    assert voices.f0.max() / voices.f0.min() > 1.12
    assert voices.tract_scale.max() / voices.tract_scale.min() > 1.05
    assert np.argmax(voices.f0) == np.argmax(voices.tract_scale)


def test_fundamental_is_what_is_said(long):
    """The autocorrelation of voiced frames peaks near the period of the voice."""
    for x, f0 in zip(long.waveforms.T, long.f0, strict=True):
        frames = x[: len(x) // 640 * 640].reshape(-1, 640).astype(float)
        frames = frames[np.std(frames, axis=1) > np.std(x)]
        power = np.abs(np.fft.rfft(frames, 2048)) ** 2
        shape = np.fft.irfft(power)[:, :640] / (1 - np.arange(640) / 640 * 0.999)
        lags = np.argmax(shape[:, 16000 // 270 : 16000 // 85], axis=1) + 16000 // 270
        assert np.median(16000 / lags) == pytest.approx(f0, rel=0.1)


def test_spectrum_falls_as_that_of_speech(long):
    for x in long.waveforms.T:
        low, _, _, high = bands(x, [500, 1000, 2000, 4000])
        assert 6 <= (low - high) / 3 <= 12


def test_pauses(long):
    np.testing.assert_array_less(0.15, 1 - long.activity.mean(axis=0))
    np.testing.assert_array_less(1 - long.activity.mean(axis=0), 0.35)
    for x, active in zip(long.waveforms.T, long.activity.T, strict=True):
        inside = np.convolve(~active, np.ones(801), "same") > 800.5  # 25 ms from any sound
        loud = np.sqrt(np.mean(x[active] ** 2.0))
        assert inside.mean() > 0.05
        assert np.sqrt(np.mean(x[inside] ** 2.0)) < loud / 100
        energy = (x[: len(x) // 320 * 320].reshape(-1, 320) ** 2.0).mean(axis=1)
        assert 0.15 < np.mean(energy < energy.max() / 1e4) < 0.35


def test_syllables(long):
    """The loudness changes at the pace of syllables, a few a second."""
    for x in long.waveforms.T:
        loudness = np.abs(x[: len(x) // 160 * 160].reshape(-1, 160)).mean(axis=1)
        f, power = welch(loudness, 100, nperseg=256)
        assert 1.5 < np.sum(f * power) / power.sum() < 8


def test_pairs_overlap_as_those_of_speech_do():
    """Of pairs of LibriSpeech, 96 to 99 % of the energy lies where one voice is the louder."""
    for seed in range(3):
        x = make_voices(2, 5.0, random_state=seed).waveforms.astype(float)
        power = np.abs(stft(x.T, 16000, nperseg=1024, noverlap=768)[2]) ** 2
        share = power.max(axis=0).sum() / power.sum()
        assert 0.9 < share < 0.995
        correlation = np.corrcoef(x.T)[0, 1]
        assert abs(correlation) < 0.1


def test_fast():
    make_voices(1, 0.5)
    start = time.perf_counter()
    make_voices(2, 10.0, random_state=0)
    assert time.perf_counter() - start < 5  # about 0.5 s; machines under test are busy


def test_speakers_are_spread_evenly():
    speakers = draw_speakers(6, np.random.default_rng(0))
    f0 = np.sort([speaker.f0 for speaker in speakers])
    scale = np.sort([speaker.scale for speaker in speakers])
    assert np.all(f0[1:] / f0[:-1] > 1.05)
    assert np.all(np.diff(scale) > 0)
    assert 105 <= f0[0] < f0[-1] <= 215


@pytest.mark.parametrize("seconds", [0.1, 1.0, 7.3])
def test_scripts_last_as_long_as_asked(seconds):
    rng = np.random.default_rng(0)
    sounds, pitch, paused = draw_script(draw_speakers(1, rng)[0], seconds, rng)
    assert len(sounds) == len(pitch) == len(paused)
    assert sum(sound.seconds for sound in sounds) == pytest.approx(seconds)
    pauses = sum(sound.seconds for sound, pause in zip(sounds, paused, strict=True) if pause)
    assert 0.19 <= pauses / seconds <= 0.27
    silent = [s for s, pause in zip(sounds, paused, strict=True) if pause]
    assert all(s.voice == s.hiss == s.breath == 0 for s in silent)
    assert paused[0]
    assert paused[-1]


def test_constant_resonances_filter_as_scipy_does():
    from scipy.signal import lfilter

    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000)
    hop, rate, centre, width = 80, 16000, 700.0, 90.0
    found = _filter(x, np.full((4000 // hop + 2, 1, 2), [centre, width]), hop, rate)
    radius = np.exp(-np.pi * width / rate)
    poles = [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
    expected = lfilter([sum(poles)], poles, x)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_voices": 0}, "n_voices=0 must be an integer of at least 1"),
        ({"n_voices": 2.0}, "n_voices=2.0 must be an integer"),
        ({"seconds": 0.05}, "seconds=0.05 must be a number of at least 0.1"),
        ({"seconds": np.inf}, "seconds=inf must be a number"),
        ({"seconds": "5"}, "seconds='5' must be a number"),
        ({"sample_rate": 2000}, "sample_rate=2000 must be an integer of at least 4000 Hz"),
        ({"sample_rate": 16e3}, "sample_rate=16000.0 must be an integer"),
        ({"random_state": "x"}, "random_state='x' must be None"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make_voices(**options)
