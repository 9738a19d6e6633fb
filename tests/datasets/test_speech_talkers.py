"""`make_speech_mixtures`: who talks, at which level, how long, and what it refuses."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.datasets import load_librispeech, make_speech_mixtures

RNG = np.random.default_rng(0)
LENGTHS = [300, 500, 400, 200, 600, 350]
CLIPS = [RNG.standard_normal(n) * 0.1 for n in LENGTHS]
SPEAKERS = ["a", "a", "b", "c", "c", "c"]


def levels_of(data, mode):
    """Levels over the first talker in dB, measured where each clip lasts."""
    found = []
    for parts, which in zip(data.parts, data.clip_index, strict=True):
        ends = [min(LENGTHS[k], len(parts)) for k in which]
        rms = [np.sqrt(np.mean(parts[:end, j] ** 2.0)) for j, end in enumerate(ends)]
        found.append(20 * np.log10(np.array(rms) / rms[0]))
    return np.array(found)


@settings(max_examples=30, deadline=None)
@given(
    n_talkers=st.integers(2, 3),
    mode=st.sampled_from(["min", "max"]),
    low=st.floats(-20, 0),
    width=st.floats(0, 20),
    seed=st.integers(0, 1000),
)
def test_properties(n_talkers, mode, low, width, seed):
    options = {"snr_range": (low, low + width), "mode": mode, "random_state": seed}
    data = make_speech_mixtures(CLIPS, SPEAKERS, n_talkers=n_talkers, n_mixtures=8, **options)
    assert data.talkers.shape == data.clip_index.shape == data.levels.shape == (8, n_talkers)
    assert all(len(set(row)) == n_talkers for row in data.talkers)
    np.testing.assert_array_equal(np.array(SPEAKERS)[data.clip_index], data.talkers)
    np.testing.assert_allclose(levels_of(data, mode), data.levels, atol=1e-6)
    np.testing.assert_array_equal(data.levels[:, 0], 0)
    assert np.all(data.levels[:, 1:] >= low)
    assert np.all(data.levels[:, 1:] <= low + width)
    for mixture, parts, which in zip(data.mixtures, data.parts, data.clip_index, strict=True):
        lengths = [LENGTHS[k] for k in which]
        n_times = min(lengths) if mode == "min" else max(lengths)
        assert parts.shape == (n_times, n_talkers)
        np.testing.assert_array_equal(mixture, parts.sum(axis=1))
        assert np.abs(parts).max(axis=0).sum() == pytest.approx(1)
        for j, k in enumerate(which):
            assert not np.any(parts[LENGTHS[k] :, j])


def test_every_clip_is_a_speaker_unless_told():
    data = make_speech_mixtures(CLIPS, n_talkers=6, n_mixtures=3, random_state=0)
    np.testing.assert_array_equal(data.talkers, data.clip_index)
    assert all(sorted(row) == list(range(6)) for row in data.talkers)


def test_talkers_clips_and_levels_vary():
    data = make_speech_mixtures(CLIPS, SPEAKERS, n_mixtures=100, random_state=0)
    assert set(data.talkers[:, 0]) == {"a", "b", "c"}
    assert set(data.clip_index.ravel()) == set(range(6))
    assert data.levels[:, 1].min() < -4
    assert data.levels[:, 1].max() > 4


def test_random_state():
    draws = [
        make_speech_mixtures(CLIPS, SPEAKERS, n_mixtures=5, random_state=seed).mixtures
        for seed in (3, 3, np.random.default_rng(3), 4)
    ]
    for i in range(5):
        np.testing.assert_array_equal(draws[0][i], draws[1][i])
        np.testing.assert_array_equal(draws[0][i], draws[2][i])
    assert any(not np.array_equal(draws[0][i], draws[3][i]) for i in range(5))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_types(dtype):
    data = make_speech_mixtures([x.astype(dtype) for x in CLIPS], n_mixtures=2)
    assert {x.dtype for x in data.mixtures + data.parts} == {np.dtype(dtype)}


def test_only_the_clips_drawn_are_read():
    class Reader(list):
        taken = 0

        def __getitem__(self, i):
            self.taken += 1
            return super().__getitem__(i)

    clips = Reader(CLIPS)
    make_speech_mixtures(clips, n_mixtures=1, random_state=0)
    assert clips.taken == 2


def test_progress(capsys):
    make_speech_mixtures(CLIPS, n_mixtures=2)
    assert capsys.readouterr().err == ""
    make_speech_mixtures(CLIPS, n_mixtures=2, verbose=1)
    assert "mix" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips": []}, "clips is empty"),
        ({"clips": None}, "clips is of type NoneType; expected a sequence"),
        ({"clips": [np.ones((3, 2))] * 3}, r"clips\[\d\] has shape \(3, 2\)"),
        ({"clips": [np.zeros(3)] * 3}, r"clips\[\d\] is silent"),
        ({"clips": [np.full(3, np.nan)] * 3}, r"clips\[\d\] contains NaN"),
        ({"speakers": ["a", "b"]}, r"speakers has shape \(2,\).*each of the 6 clips"),
        ({"speakers": [0.5] * 6}, "speakers has shape .* float64; expected a string"),
        ({"n_talkers": 1}, "n_talkers=1 must be an integer of at least 2"),
        ({"n_talkers": 7}, r"n_talkers=7 must be at most .* speakers \(6\)"),
        ({"speakers": SPEAKERS, "n_talkers": 4}, r"n_talkers=4 must be at most .* \(3\)"),
        ({"n_mixtures": 0}, "n_mixtures=0 must be an integer of at least 1"),
        ({"mode": "mean"}, r"mode='mean' must be one of \['max', 'min'\]"),
        ({"snr_range": 5}, r"snr_range=5 must be two levels in dB"),
        ({"snr_range": (5, -5)}, r"snr_range=\(5, -5\) must be two levels in dB"),
        ({"snr_range": (0, np.inf)}, "must be two levels in dB"),
        ({"snr_range": (np.nan, 0)}, "must be two levels in dB"),
        ({"snr_range": ("0", 1)}, "must be two levels in dB"),
        ({"random_state": -1}, "random_state=-1 must be None"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        make_speech_mixtures(**{"clips": CLIPS, **options})


def test_a_clip_that_is_silent_where_it_is_cut():
    late = np.concatenate([np.zeros(400), np.ones(400)])
    with pytest.raises(ValueError, match=r"clips\[1\] is silent in its first 300.*use mode='max'"):
        make_speech_mixtures([CLIPS[0], late], n_mixtures=1)
    data = make_speech_mixtures([CLIPS[0], late], n_mixtures=1, mode="max")
    assert data.parts[0].shape == (800, 2)


@pytest.mark.data
@pytest.mark.parametrize("n_talkers", [2, 3, 5])
def test_real_files(n_talkers):
    data = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "test", n_utterances=2)
    found = make_speech_mixtures(
        data.clips, data.speakers, n_talkers=n_talkers, n_mixtures=4, random_state=0
    )
    for parts, mixture, talkers in zip(found.parts, found.mixtures, found.talkers, strict=True):
        assert parts.dtype == np.float32
        assert np.abs(mixture).max() <= 1
        assert len(set(talkers)) == n_talkers
