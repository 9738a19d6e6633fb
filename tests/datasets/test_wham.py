"""`load_wham` and `load_noise`: folders of noise, read lazily, and what they refuse."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anmf.datasets import _clips, load_noise, load_wham

STEREO = np.stack([np.full(800, 0.5), np.full(800, -0.25)], axis=1)


@pytest.fixture
def root(tmp_path):
    for split, names in {"tr": ["b", "a"], "cv": ["c"], "tt": []}.items():
        folder = tmp_path / "wham_noise" / split
        folder.mkdir(parents=True)
        for name in names:
            soundfile.write(folder / f"{name}.wav", STEREO, 16000)
    (tmp_path / "wham_noise" / "tr" / "._a.wav").write_bytes(b"left by another system")
    (tmp_path / "wham_noise" / "metadata").mkdir()
    return tmp_path


@pytest.mark.parametrize(("channel", "value"), [("left", 0.5), ("right", -0.25), ("mean", 0.125)])
def test_channels(root, channel, value):
    clip = load_wham(root, "tr", channel=channel).clips[0]
    assert clip.shape == (800,)
    assert clip.dtype == np.float32
    assert clip.flags.c_contiguous
    np.testing.assert_array_equal(clip, np.float32(value))
    assert load_wham(root, "tr", channel=channel).clips[:1].channel == channel


def test_content(root):
    data = load_wham(root, "tr")
    assert [path.name for path in data.paths] == ["a.wav", "b.wav"]
    assert data.sample_rate == 16000
    assert data.seconds.tolist() == [0.05, 0.05]
    assert sorted(data) == ["clips", "paths", "sample_rate", "seconds"]


def test_files_are_read_when_asked_for(root, monkeypatch):
    found, read = [], _clips.read_file
    monkeypatch.setattr(_clips, "read_file", lambda path: found.append(path.name) or read(path))
    data = load_wham(root, "tr")
    assert found == []
    assert len(data.clips[1]) == 800
    assert found == ["b.wav"]


def test_root_may_be_the_folder_of_the_splits(root):
    assert len(load_wham(root / "wham_noise", "cv").clips) == 1


def test_any_folder(tmp_path):
    (tmp_path / "kitchen").mkdir()
    soundfile.write(tmp_path / "kitchen" / "pan.flac", np.zeros(4000), 8000)
    soundfile.write(tmp_path / "bell.WAV", np.ones(800) / 2, 8000)
    (tmp_path / "notes.txt").write_text("not sound")
    data = load_noise(str(tmp_path))
    assert [path.name for path in data.paths] == ["bell.WAV", "pan.flac"]
    assert data.seconds.tolist() == [0.1, 0.5]
    assert data.sample_rate == 8000
    assert load_noise(tmp_path, min_seconds=0.5).clips.n_times.tolist() == [4000]
    with pytest.raises(ValueError, match=r"min_seconds=1 leaves none of the 2 clips.*has 0\.5 s"):
        load_noise(tmp_path, min_seconds=1)


def test_sample_rates_that_differ(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(80), 8000)
    soundfile.write(tmp_path / "b.wav", np.zeros(80), 44100)
    with pytest.raises(ValueError, match=r"differ: 8000 Hz \(.*a\.wav\), 44100 Hz \(.*b\.wav\)"):
        load_noise(tmp_path)


def test_absent_and_empty_folders(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"root=.*isn't a folder; .*wham\.whisper\.ai"):
        load_wham(root / "elsewhere", "tr")
    with pytest.raises(FileNotFoundError, match=r"split='tr' has no folder.*wham\.whisper\.ai"):
        load_wham(root / "wham_noise" / "metadata", "tr")
    with pytest.raises(FileNotFoundError, match=r"tt holds no sound files.*wham\.whisper\.ai"):
        load_wham(root, "tt")
    with pytest.raises(FileNotFoundError, match=r"folder=.*isn't a folder; name the folder"):
        load_noise(tmp_path / "elsewhere")
    with pytest.raises(
        FileNotFoundError, match=r"holds no sound files \(\.aif, .*; name the folder"
    ):
        load_noise(root / "wham_noise" / "metadata")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, r"split='test' must be one of \['cv', 'tr', 'tt'\]"),
        ({"channel": 0}, r"channel=0 must be one of \['left', 'mean', 'right'\]"),
        ({"min_seconds": "1"}, "min_seconds='1' must be a number of at least 0"),
        ({"root": None}, "root=None must be the path of a folder"),
    ],
)
def test_bad_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        load_wham(**{"root": root, "split": "tr", **options})


def test_damaged_file(root):
    (root / "wham_noise" / "cv" / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"c\.wav can't be read as sound"):
        load_wham(root, "cv")


def test_progress(root, capsys):
    load_wham(root, "tr", verbose=1)
    assert "list tr" in capsys.readouterr().err


@pytest.mark.data
def test_real_files():
    data = load_noise(Path(os.environ["ANMF_DATA"], "noise", "test"))
    assert len(data.clips) == 45
    assert data.sample_rate == 16000
    assert all(np.isfinite(clip).all() for clip in data.clips[:5])
