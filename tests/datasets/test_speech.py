"""`make_noisy_speech`: the ratio, the parts, the draw, and the protocol of noisy speech."""

import glob
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.datasets import load_librispeech, load_noise, make_noisy_speech, make_voices
from anmf.metrics import snr

RNG = np.random.default_rng(0)
SPEECH = [RNG.standard_normal(n) * 0.1 for n in (500, 900, 300)]
NOISE = [RNG.standard_normal(n) * 0.2 for n in (200, 2000)]


def reached(data):
    """Ratios of the energies of the parts in dB."""
    pairs = zip(data.speech, data.noise, strict=True)
    return np.array([10 * np.log10(np.sum(s**2.0) / np.sum(n**2.0)) for s, n in pairs])


def test_what_it_returns():
    data = make_noisy_speech(SPEECH, NOISE, random_state=0)
    assert sorted(data) == ["mixtures", "noise", "noise_index", "snr", "speech"]
    assert [len(x) for x in data.mixtures] == [500, 900, 300]
    np.testing.assert_array_equal(data.snr, 3.0)
    assert set(data.noise_index) <= {0, 1}
    for mixture, s, n in zip(data.mixtures, data.speech, data.noise, strict=True):
        np.testing.assert_array_equal(mixture, s + n)
        assert mixture.dtype == s.dtype == n.dtype == np.float64


@settings(max_examples=40, deadline=None)
@given(
    n_speech=st.integers(1, 400),
    n_noise=st.integers(1, 400),
    ratio=st.floats(-40, 40),
    level=st.floats(-60, 20),
    normalize=st.sampled_from(["peak", "none"]),
    offset=st.sampled_from(["start", "random"]),
    seed=st.integers(0, 1000),
)
def test_any_lengths_ratios_and_levels(n_speech, n_noise, ratio, level, normalize, offset, seed):
    rng = np.random.default_rng(seed)
    speech = [rng.standard_normal(n_speech) * 10 ** (level / 20)]
    noise = [rng.standard_normal(n_noise)]
    data = make_noisy_speech(
        speech, noise, snr=ratio, random_state=seed, normalize=normalize, offset=offset, min_rms=0
    )
    np.testing.assert_allclose(reached(data), ratio, atol=1e-6)
    np.testing.assert_array_equal(data.mixtures[0], data.speech[0] + data.noise[0])
    shape = speech[0] / np.linalg.norm(speech[0])
    np.testing.assert_allclose(data.speech[0] / np.linalg.norm(data.speech[0]), shape, atol=1e-12)
    if normalize == "peak":
        assert np.abs(data.mixtures[0]).max() <= 1 + 1e-12


def test_weights_of_peaks_sum_to_one():
    data = make_noisy_speech(SPEECH, NOISE[:1], snr=0, random_state=0)
    for s, n in zip(data.speech, data.noise, strict=True):
        assert np.abs(s).max() + np.abs(n).max() == pytest.approx(1)


def test_without_normalization_the_speech_stays():
    data = make_noisy_speech(SPEECH, NOISE, snr=10, normalize="none", random_state=0)
    for before, after in zip(SPEECH, data.speech, strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(reached(data), 10, atol=1e-6)


def test_a_ratio_for_each_clip():
    data = make_noisy_speech(SPEECH, NOISE, snr=[-5, 0, 12.5], random_state=0)
    np.testing.assert_allclose(reached(data), [-5, 0, 12.5], atol=1e-6)
    np.testing.assert_array_equal(data.snr, [-5, 0, 12.5])


@pytest.mark.parametrize("types", [("f4", "f4"), ("f4", "f8"), ("f2", "f4")])
def test_types(types):
    speech = [x.astype(types[0]) for x in SPEECH]
    data = make_noisy_speech(speech, [n.astype(types[1]) for n in NOISE], random_state=0)
    expected = np.result_type(*types)
    assert {x.dtype for x in data.mixtures + data.speech + data.noise} == {expected}
    np.testing.assert_allclose(reached(data), 3, atol=1e-5)
    np.testing.assert_array_equal(data.mixtures[0], data.speech[0] + data.noise[0])


def test_short_noise_repeats_and_long_noise_is_cut():
    period = np.array([1.0, -0.5, 0.25])
    data = make_noisy_speech([np.ones(8)], [period])
    np.testing.assert_allclose(data.noise[0] / data.noise[0][0], np.resize(period, 8))
    data = make_noisy_speech([np.ones(2)], [period])
    np.testing.assert_allclose(data.noise[0] / data.noise[0][0], period[:2])


def test_random_offsets():
    ramp = np.arange(1.0, 101.0)
    starts = set()
    for seed in range(20):
        piece = make_noisy_speech([np.ones(4)], [ramp], offset="random", random_state=seed).noise[0]
        step = (piece[3] - piece[0]) / 3
        starts.add(round(piece[0] / step))
    assert len(starts) > 10
    assert min(starts) >= 1
    assert max(starts) <= 97


def test_random_state():
    draws = [
        make_noisy_speech(SPEECH * 10, NOISE, random_state=seed).noise_index
        for seed in (1, 1, np.random.default_rng(1), 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], draws[3])


def test_silent_noises_are_left_out():
    noise = [np.zeros(50), np.full(50, 1e-3), NOISE[0], np.full(50, 9e-4)]
    data = make_noisy_speech(SPEECH * 5, noise, random_state=0)
    assert set(data.noise_index) == {2}
    data = make_noisy_speech(SPEECH * 9, noise, random_state=0, min_rms=0)
    assert set(data.noise_index) == {1, 2, 3}
    with pytest.raises(ValueError, match=r"noise holds 2 clips, none .* above min_rms=0\.001"):
        make_noisy_speech(SPEECH, noise[:2])


def test_a_noise_that_is_silent_where_it_is_cut_gives_way_to_the_next():
    late = np.concatenate([np.zeros(1000), np.ones(1000)])
    data = make_noisy_speech(SPEECH * 5, [late, NOISE[0]], random_state=0)
    assert set(data.noise_index) == {1}
    with pytest.raises(ValueError, match="all 1 noises are silent in the 500 samples"):
        make_noisy_speech(SPEECH, [late])


def test_inputs_stay_and_may_be_arrays_of_rows():
    speech = np.stack([SPEECH[0]] * 2)
    kept = speech.copy()
    speech.setflags(write=False)
    data = make_noisy_speech(speech, np.stack([NOISE[0]] * 2), random_state=0)
    data.speech[0] += 1
    np.testing.assert_array_equal(speech, kept)
    data = make_noisy_speech(SPEECH, NOISE, normalize="none")
    data.speech[0][:] = 0
    assert np.any(SPEECH[0])


class Reader:
    """A sequence that counts what is taken from it."""

    def __init__(self, clips):
        self.clips, self.taken = clips, []

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, i):
        self.taken.append(i)
        return self.clips[i]


def test_clips_are_taken_one_at_a_time():
    speech, noise = Reader(SPEECH), Reader(NOISE * 20)
    make_noisy_speech(speech, noise, min_rms=0, random_state=0)
    assert speech.taken == [0, 1, 2]
    assert len(noise.taken) == 3


def test_progress(capsys):
    make_noisy_speech(SPEECH, NOISE)
    assert capsys.readouterr().err == ""
    make_noisy_speech(SPEECH, NOISE, verbose=1)
    err = capsys.readouterr().err
    assert "listen" in err
    assert "mix" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speech": []}, "speech is empty"),
        ({"noise": []}, "noise is empty"),
        ({"speech": 5}, "speech is of type int; expected a sequence of waveforms"),
        ({"noise": "rain"}, "noise is of type str; expected a sequence"),
        ({"noise": {"a": NOISE[0]}}, "noise is of type dict; expected a sequence"),
        ({"speech": iter(SPEECH)}, "speech is of type list_iterator; expected a sequence"),
        ({"speech": SPEECH[0]}, r"speech\[0\] has shape \(\); expected a mono waveform"),
        ({"speech": [np.ones((9, 2))]}, r"speech\[0\] has shape \(9, 2\); expected a mono"),
        ({"noise": [np.empty(0)]}, r"noise\[0\] has shape \(0,\)"),
        ({"noise": [np.ones(9, np.int16)]}, r"noise\[0\] has dtype int16.*divide 16-bit"),
        ({"speech": [np.ones(9, complex)]}, r"speech\[0\] has dtype complex128"),
        ({"speech": [np.array([1, np.nan])]}, r"speech\[0\] contains NaN or infinity"),
        ({"noise": [NOISE[0], np.array([np.inf])]}, r"noise\[1\] contains NaN or infinity"),
        ({"speech": [SPEECH[0], np.zeros(9)]}, r"speech\[1\] is silent: all samples are 0"),
        ({"snr": "3"}, "snr='3' must be a number in dB, or one for each of the 3 clips"),
        ({"snr": [1, 2]}, r"snr=\[1, 2\] must be a number in dB, or one for each of the 3"),
        ({"snr": None}, "snr=None must be a number in dB"),
        ({"snr": np.nan}, "snr=nan must lie between -200 and 200 dB"),
        ({"snr": [0, 1, 300]}, r"snr=\[0, 1, 300\] must lie between"),
        ({"normalize": "rms"}, r"normalize='rms' must be one of \['none', 'peak'\]"),
        ({"offset": 3}, r"offset=3 must be one of \['random', 'start'\]"),
        ({"min_rms": -1}, "min_rms=-1 must be a number of at least 0"),
        ({"random_state": "x"}, "random_state='x' must be None, an integer"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        make_noisy_speech(**{"speech": SPEECH, "noise": NOISE, **options})


def test_metric_agrees():
    voices = make_voices(2, 0.5, random_state=0).waveforms
    data = make_noisy_speech(list(voices.T), [NOISE[1].astype("f4")], snr=7.5)
    found = [snr(s, x) for s, x in zip(data.speech, data.mixtures, strict=True)]
    np.testing.assert_allclose(found, 7.5, atol=1e-4)


def protocol(folder, ratio=3.0):
    """The protocol of noisy speech, written out: mixtures and clean parts of each test speaker."""
    noise = [soundfile.read(path)[0] for path in sorted(glob.glob(f"{folder}/noise/test/*.flac"))]
    noise = [n / np.abs(n).max() for n in noise if np.sqrt(np.mean(n**2)) > 1e-3]
    for i, speaker in enumerate(sorted(os.listdir(f"{folder}/speech/test"))):
        rng = np.random.default_rng(i)
        paths = sorted(glob.glob(f"{folder}/speech/test/{speaker}/*/*.flac"))
        clips = [soundfile.read(path)[0] for path in paths]
        noisy, clean = [], []
        for x in [x / np.abs(x).max() for x in clips][len(clips) // 2 :]:
            n = noise[rng.integers(len(noise))]
            n = np.resize(n, len(x)) if len(n) < len(x) else n[: len(x)]
            gain = np.sqrt(np.sum(x**2) / (np.sum(n**2) * 10 ** (ratio / 10)))
            weights = np.array([1, gain]) / (1 + gain)
            noisy.append(weights[0] * x + weights[1] * n)
            clean.append(weights[0] * x)
        yield speaker, noisy, clean


@pytest.mark.data
def test_the_protocol_is_reproduced_exactly():
    folder = Path(os.environ["ANMF_DATA"])
    noise = load_noise(folder / "noise" / "test")
    wide = [n.astype(np.float64) for n in noise.clips]
    n_mixtures = 0
    for i, (speaker, noisy, clean) in enumerate(protocol(folder)):
        speech = load_librispeech(folder / "speech", "test", speakers=[speaker])
        rest = speech.clips[len(speech.clips) // 2 :]
        draw = {"snr": 3.0, "random_state": np.random.default_rng(i)}
        data = make_noisy_speech([x.astype(np.float64) for x in rest], wide, **draw)
        for k in range(len(noisy)):
            np.testing.assert_array_equal(data.mixtures[k], noisy[k])
            np.testing.assert_array_equal(data.speech[k], clean[k])
        if i == 0:  # as the loaders give them: the same within single precision
            data = make_noisy_speech(rest, noise.clips, snr=3.0, random_state=i)
            for k in range(len(noisy)):
                assert data.mixtures[k].dtype == np.float32
                np.testing.assert_allclose(data.mixtures[k], noisy[k], atol=2e-7)
        n_mixtures += len(noisy)
    assert n_mixtures == 50
