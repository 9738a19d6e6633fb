"""Statistics of windows: closed forms, and what they don't depend on."""

import numpy as np
import pytest

from anmf.embedding.features import (
    cut,
    disturbed,
    frame_length,
    is_silent,
    make_filters,
    window_statistics,
)

RATE, N_MELS, N_PERIODS = 16000, 40, 32
FILTERS = make_filters(RATE, N_MELS, N_PERIODS)
HOP, N_FFT = FILTERS.hop_length, len(FILTERS.taper)


def parts(statistics):
    """Mean, deviation and slope of the mel bands, and the two of the cepstrum, of one window."""
    ends = np.cumsum([N_MELS, N_MELS, N_MELS, N_PERIODS])
    return np.split(statistics[0], ends)


def pulses(period, n_frames, growth=1.0):
    """Pulses a period apart, whose size grows by `growth` from frame to frame."""
    x = np.zeros(N_FFT + HOP * (n_frames - 1))
    at = np.arange(5, len(x), period)
    x[at] = growth ** (at / HOP)
    return x[None]


@pytest.mark.parametrize(
    ("n_times", "expected"),
    [(4, [0]), (6, [0]), (7, [0, 3]), (9, [0, 3]), (10, [0, 3, 6])],
)
def test_windows_start_a_hop_apart(n_times, expected):
    windows = cut(np.arange(n_times), 4, 3)
    np.testing.assert_array_equal(windows, np.add.outer(expected, np.arange(4)))


def test_a_short_waveform_is_one_window():
    np.testing.assert_array_equal(cut(np.arange(3), 4, 3), [[0, 1, 2]])


def test_frames_of_a_steady_sound_do_not_vary():
    x = np.sin(2 * np.pi * 1000 / RATE * np.arange(8000))[None]  # 16 periods a hop
    mean, deviation, slope, cepstrum, positive = parts(window_statistics(x, FILTERS))
    power = np.abs(np.fft.rfft(x[0, :N_FFT] * FILTERS.taper)) ** 2
    bands = power @ FILTERS.mel
    L = np.log(bands / bands.max() + 1e-6)
    np.testing.assert_allclose(mean, L - L.mean(), atol=1e-8)
    np.testing.assert_allclose(deviation, 0, atol=1e-7)
    np.testing.assert_allclose(slope, 0, atol=1e-7)
    C = np.log(power[: len(FILTERS.ripples)] / power.max() + 1e-6) @ FILTERS.ripples
    np.testing.assert_allclose(cepstrum, C, atol=1e-8)
    np.testing.assert_allclose(positive, np.maximum(C, 0), atol=1e-8)


@pytest.mark.parametrize("growth", [1.02, 0.99])
def test_a_sound_that_grows_has_the_slope_and_deviation_of_a_line(growth):
    n = 41
    _, deviation, slope, _, _ = parts(window_statistics(pulses(HOP, n, growth), FILTERS))
    step = 2 * abs(np.log(growth))
    loud = slice(4, None)  # bands wide enough to hold a harmonic, far above the floor
    line = step * np.sqrt((n**2 - 1) / 12)
    np.testing.assert_allclose(deviation[loud], line, rtol=2e-3)
    at_ends = 2 * (0.5**2 + 0.8**2)  # there the five frames aren't all on the line
    np.testing.assert_allclose(slope[loud], step * np.sqrt((n - 4 + at_ends) / n), rtol=2e-3)


@pytest.mark.parametrize("pitch", [62, 90, 133, 200, 310, 420])
def test_the_cepstrum_peaks_at_the_period(pitch):
    x = pulses(round(RATE / pitch), 60)
    cepstrum = parts(window_statistics(x, FILTERS))[3]
    periods = np.geomspace(0.0018, 0.0198, 4 * N_PERIODS).reshape(N_PERIODS, 4).mean(axis=1)
    found = periods[np.argmax(cepstrum)] * pitch
    assert abs(found - round(found)) < 0.06 * round(found)
    assert round(found) == 1 or cepstrum[np.argmin(abs(periods - 1 / pitch))] > 0.5 * max(cepstrum)


def test_filters_have_no_part_in_pitch_and_level_none_in_shape():
    np.testing.assert_allclose(FILTERS.ripples.sum(axis=0), 0, atol=1e-12)
    assert np.all(FILTERS.ripples[:4] == 0)  # below 60 Hz


@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 2e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("gain", [1e-6, 1e6, -0.3])
def test_gain_and_offset_do_not_matter(gain, dtype, atol):
    x = np.random.default_rng(0).standard_normal((2, 8000)).astype(dtype)
    expected = window_statistics(x, FILTERS)
    np.testing.assert_allclose(window_statistics(dtype(gain) * x, FILTERS), expected, atol=atol)
    np.testing.assert_allclose(window_statistics(x + dtype(0.5), FILTERS), expected, atol=atol)
    assert expected.dtype == dtype


def test_windows_are_measured_one_by_one():
    x = np.random.default_rng(1).standard_normal((35, 2048))
    together = window_statistics(x, FILTERS)
    alone = np.concatenate([window_statistics(row[None], FILTERS) for row in x])
    np.testing.assert_allclose(together, alone, atol=1e-10)


def test_frames_of_silence_are_left_out():
    x = pulses(HOP, 20, 1.02)
    silence = np.zeros((1, 40 * HOP))
    cepstrum = [3, 4]
    alone, padded = (parts(window_statistics(w, FILTERS)) for w in (x, np.hstack([x, silence])))
    for i in cepstrum:  # the frames at the border hold fewer pulses
        np.testing.assert_allclose(padded[i], alone[i], atol=0.15 * np.abs(alone[3]).max())


@pytest.mark.parametrize("value", [0.0, 0.1, -3e-7, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_is_known_and_gives_no_nan(value, dtype):
    x = np.full((1, 4096), value, dtype)
    assert is_silent(x).tolist() == [True]
    assert np.isfinite(window_statistics(x, FILTERS)).all()
    x[0, 7] += max(abs(value), 1e-20) / 100
    assert is_silent(x).tolist() == [False]


@pytest.mark.parametrize("rate", [4000, 8000, 44100])
def test_other_rates(rate):
    filters = make_filters(rate, 20, 16)
    x = np.random.default_rng(2).standard_normal((1, rate))
    assert len(filters.taper) == frame_length(rate) == round(0.064 * rate)
    assert np.isfinite(window_statistics(x, filters)).all()


def test_bands_without_a_bin_are_refused():
    with pytest.raises(ValueError, match=r"n_mels=400 leaves \d+ bands without a bin"):
        make_filters(RATE, 400, 32)


@pytest.mark.parametrize("seed", range(5))
def test_noise_of_a_disturbed_copy_is_15_to_35_db_below(seed):
    t = np.arange(32000) / RATE
    tone = np.stack([np.sin(2 * np.pi * 500 * t), np.cos(2 * np.pi * 500 * t)], axis=1)
    y = disturbed(tone[:, 0], RATE, np.random.default_rng(seed))[1600:-1600]
    basis = tone[1600:-1600]
    steady = basis @ np.linalg.lstsq(basis, y, rcond=None)[0]
    ratio = 10 * np.log10(np.sum(steady**2) / np.sum((y - steady) ** 2))
    assert 14.5 < ratio < 35.5


def test_disturbed_copies_follow_the_generator_and_keep_the_dtype():
    x = np.random.default_rng(3).standard_normal(5000).astype(np.float32)
    one, same, other = (disturbed(x, RATE, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert one.dtype == np.float32
    assert np.abs(one - other).max() > 0.1
    assert not disturbed(np.zeros(300), RATE, np.random.default_rng(0)).any()
