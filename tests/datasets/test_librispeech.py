"""`load_librispeech`: the published layout, read lazily, and what it refuses."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anmf.datasets import _clips, load_librispeech


def utterance(root, speaker, chapter, number, n_times, rate=16000):
    """A file of the layout; its samples tell which it is."""
    folder = Path(root, speaker, chapter)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{speaker}-{chapter}-{number:04d}.flac"
    samples = np.full(n_times, (int(speaker) + number) / 32768)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


@pytest.fixture
def root(tmp_path):
    """Three speakers in dev-clean, of 2, 1 and 3 utterances, with transcripts for one chapter."""
    split = tmp_path / "LibriSpeech" / "dev-clean"
    for speaker, chapter, number, n_times in [
        ("84", "1", 0, 800),
        ("84", "2", 1, 1600),
        ("174", "7", 0, 3200),
        ("2035", "3", 0, 400),
        ("2035", "3", 1, 4000),
        ("2035", "3", 2, 2400),
    ]:
        utterance(split, speaker, chapter, number, n_times)
    lines = "2035-3-0000 WHAT NOW\n2035-3-0002 NOTHING MUCH\n"
    (split / "2035" / "3" / "2035-3.trans.txt").write_text(lines)
    (split / "84" / "1" / "._84-1-0000.flac").write_bytes(b"left by another system")
    (split / "empty").mkdir()
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """Paths whose samples were read."""
    found, read = [], _clips.read_file
    monkeypatch.setattr(_clips, "read_file", lambda path: found.append(path.name) or read(path))
    return found


def test_content(root):
    data = load_librispeech(root, "dev-clean")
    assert data.speakers.tolist() == ["174", "2035", "2035", "2035", "84", "84"]
    assert data.sample_rate == 16000
    np.testing.assert_array_equal(data.seconds * 16000, [3200, 400, 4000, 2400, 800, 1600])
    assert [path.name for path in data.paths][:2] == ["174-7-0000.flac", "2035-3-0000.flac"]
    assert data.transcripts == [None, "WHAT NOW", None, "NOTHING MUCH", None, None]
    values = [174, 2035, 2036, 2037, 84, 85]
    for clip, n_times, value in zip(data.clips, data.clips.n_times, values, strict=True):
        assert clip.shape == (n_times,)
        assert clip.dtype == np.float32
        np.testing.assert_array_equal(clip * 32768, value)


def test_files_are_read_when_asked_for(root, reads):
    data = load_librispeech(root, "dev-clean")
    later = data.clips[3:]
    assert len(data.clips) == 6
    assert reads == []
    assert data.clips[-1].shape == (1600,)
    assert reads == ["84-2-0001.flac"]
    assert later[np.int64(0)].shape == (2400,)
    assert reads[1:] == ["2035-3-0002.flac"]
    assert len(list(later)) == 3
    assert len(reads) == 5
    with pytest.raises(IndexError):
        data.clips[6]
    with pytest.raises(TypeError):
        data.clips["84"]


def test_the_split_may_lie_in_root_itself(root):
    data = load_librispeech(str(root / "LibriSpeech"), "dev-clean")
    assert len(data.clips) == 6


def test_clips_are_shown_and_pickled(root):
    clips = load_librispeech(root, "dev-clean").clips
    assert repr(clips) == "<6 clips, 0.8 s at 16000 Hz>"
    again = pickle.loads(pickle.dumps(clips))
    np.testing.assert_array_equal(again[2], clips[2])


@pytest.mark.parametrize(
    ("speakers", "found"),
    [
        (1, ["174"]),
        (2, ["174", "2035", "2035", "2035"]),
        (["84", 174], ["84", "84", "174"]),
        ([84, 84], ["84", "84"]),
        (np.array([174]), ["174"]),
        (np.int64(1), ["174"]),
    ],
)
def test_speakers(root, speakers, found):
    assert load_librispeech(root, "dev-clean", speakers=speakers).speakers.tolist() == found


def test_number_and_length_of_utterances(root):
    data = load_librispeech(root, "dev-clean", n_utterances=1)
    assert data.clips.n_times.tolist() == [3200, 400, 800]
    data = load_librispeech(root, "dev-clean", n_utterances=1, min_seconds=0.1)
    assert data.clips.n_times.tolist() == [3200, 4000, 1600]
    assert data.speakers.tolist() == ["174", "2035", "84"]
    data = load_librispeech(root, "dev-clean", min_seconds=0.2)
    assert data.speakers.tolist() == ["174", "2035"]


def test_headers_are_read_only_as_far_as_needed(root, monkeypatch):
    heard = []
    read = _clips.read_header
    monkeypatch.setattr(
        "anmf.datasets.librispeech.read_header", lambda path: heard.append(path) or read(path)
    )
    load_librispeech(root, "dev-clean", speakers=2, n_utterances=1)
    assert len(heard) == 2


def test_without_transcripts(root):
    assert load_librispeech(root, "dev-clean", speakers=["84"]).transcripts is None


def test_progress(root, capsys):
    load_librispeech(root, "dev-clean")
    assert capsys.readouterr().err == ""
    load_librispeech(root, "dev-clean", verbose=1)
    assert "list dev-clean" in capsys.readouterr().err


def test_no_such_folders(root, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"root=.*elsewhere' isn't a folder.*openslr\.org/12"
    ):
        load_librispeech(tmp_path / "elsewhere", "dev-clean")
    message = r"split='dev-other' has no folder.*found .*dev-clean.*openslr\.org/12"
    with pytest.raises(FileNotFoundError, match=message):
        load_librispeech(root, "dev-other")
    (tmp_path / "void").mkdir()
    with pytest.raises(FileNotFoundError, match="found no folders"):
        load_librispeech(tmp_path / "void", "dev-clean")


def test_empty_split(root):
    (root / "test-clean" / "12").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"holds no files <speaker>/<chapter>/.*openslr"):
        load_librispeech(root, "test-clean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speakers": ["84", "85", 99]}, r"speakers=\['85', '99'\] aren't in .* 174, 2035, 84"),
        ({"speakers": 4}, "speakers=4 must be at most 3"),
        ({"speakers": 0}, "speakers=0 must be an integer of at least 1"),
        ({"speakers": True}, "speakers=True must be an integer"),
        ({"speakers": "84"}, "speakers='84' must be a number of speakers or a list"),
        ({"speakers": []}, r"speakers=\[\] must be a number of speakers or a list"),
        ({"n_utterances": 0}, "n_utterances=0 must be an integer of at least 1 or None"),
        ({"min_seconds": -1}, "min_seconds=-1 must be a number of at least 0"),
        ({"min_seconds": 60}, "min_seconds=60 leaves no utterance of the 3 speakers"),
        ({"split": ""}, "split='' must be the name of a folder"),
        ({"split": 3}, "split=3 must be the name of a folder"),
        ({"root": 3}, "root=3 must be the path of a folder"),
        ({"root": ""}, "root='' must be the path of a folder"),
    ],
)
def test_bad_options(root, options, message):
    with pytest.raises(ValueError, match=message):
        load_librispeech(**{"root": root, "split": "dev-clean", **options})


def test_sample_rates_that_differ(root):
    utterance(root / "LibriSpeech" / "dev-clean", "84", "1", 5, 800, rate=8000)
    message = r"sample rates of the files differ: 8000 Hz \(.*84-1-0005\.flac\), 16000 Hz \(.*\)"
    with pytest.raises(ValueError, match=message):
        load_librispeech(root, "dev-clean")
    assert load_librispeech(root, "dev-clean", speakers=["174"]).sample_rate == 16000


def test_damaged_and_vanished_files(root):
    data = load_librispeech(root, "dev-clean")
    data.paths[1].write_bytes(b"not sound")
    with pytest.raises(ValueError, match=r"2035-3-0000\.flac can't be read as sound"):
        data.clips[1]
    with pytest.raises(ValueError, match=r"2035-3-0000\.flac can't be read as sound"):
        load_librispeech(root, "dev-clean")
    data.paths[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"174-7-0000\.flac isn't there any more"):
        data.clips[0]


@pytest.mark.data
def test_real_files():
    data = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "test", min_seconds=1)
    assert len(data.clips) == 100
    assert len(set(data.speakers)) == 10
    assert data.sample_rate == 16000
    assert data.seconds.min() >= 1
    assert 0 < np.abs(data.clips[0]).max() <= 1
    one = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "train", n_utterances=1)
    assert len(one.clips) == len(set(one.speakers)) == 251
