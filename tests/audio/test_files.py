"""Reading and writing audio files."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.audio import (
    AudioWriter,
    audio_info,
    find_audio,
    read_audio,
    read_blocks,
    write_audio,
)


def noise(n_times=4000, n_channels=1, dtype="float32", seed=0):
    x = 0.1 * np.random.default_rng(seed).standard_normal((n_times, n_channels)).astype(dtype)
    return x[:, 0] if n_channels == 1 else x


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", None, 0),
        ("a.wav", "DOUBLE", 0),
        ("a.wav", "PCM_16", 2**-15),
        ("A.WAV", "PCM_24", 2**-23),
        ("a.flac", None, 2**-23),
        ("a.flac", "PCM_16", 2**-15),
    ],
)
def test_files_come_back(tmp_path, name, subtype, tolerance, n_channels):
    x = noise(n_channels=n_channels)
    write_audio(tmp_path / name, x, 16000, subtype)
    y, sample_rate = read_audio(tmp_path / name)
    assert y.shape == x.shape and y.dtype == np.float32 and sample_rate == 16000
    assert np.abs(y - x).max() <= tolerance
    info = audio_info(tmp_path / name)
    assert (info.sample_rate, info.n_times, info.n_channels) == (16000, 4000, n_channels)
    assert info.duration == 0.25
    blocks = list(read_blocks(tmp_path / name, 999))
    assert [len(block) for block in blocks] == [999] * 4 + [4]
    np.testing.assert_array_equal(np.concatenate(blocks), y)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_ogg_is_close(tmp_path):
    x = (0.3 * np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))).astype("float32")
    write_audio(tmp_path / "a.ogg", x, 16000)
    y, _ = read_audio(tmp_path / "a.ogg")
    assert y.shape == x.shape
    assert np.sqrt(np.mean((y - x) ** 2)) < 0.02 * np.sqrt(np.mean(x**2))


def test_double_precision_and_mono(tmp_path):
    x = noise(n_channels=2, dtype="float64")
    write_audio(tmp_path / "a.wav", x, 8000, "DOUBLE")
    y, _ = read_audio(tmp_path / "a.wav", dtype="float64")
    np.testing.assert_array_equal(y, x)
    mono, _ = read_audio(tmp_path / "a.wav", mono=True, dtype="float64")
    np.testing.assert_allclose(mono, x.mean(axis=1))
    pieces = np.concatenate(list(read_blocks(tmp_path / "a.wav", 7, mono=True, dtype="float64")))
    np.testing.assert_array_equal(pieces, mono)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_resampling_keeps_a_tone(tmp_path, n_channels):
    t = np.arange(8000) / 8000
    x = np.sin(2 * np.pi * 440 * t)
    write_audio(tmp_path / "a.wav", np.stack([x] * n_channels, axis=1), 8000)
    y, sample_rate = read_audio(tmp_path / "a.wav", sample_rate=16000)
    assert sample_rate == 16000 and len(y) == 16000 and y.dtype == np.float32
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    middle = slice(1000, -1000)
    assert np.abs((y.T - expected)[..., middle]).max() < 1e-3


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=8), channels=st.integers(1, 3))
def test_blocks_make_the_file(tmp_path_factory, sizes, channels):
    path = tmp_path_factory.mktemp("blocks") / "a.wav"
    x = noise(sum(sizes) + 1, channels)
    with AudioWriter(path, 8000, channels) as writer:
        for block in np.split(x, np.cumsum(sizes)):
            writer.write(block)
        assert not path.exists()
    np.testing.assert_array_equal(read_audio(path)[0], x)


def test_find_audio_lists_sorted(tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("b.wav", "inner/a.FLAC", ".hidden.wav", "notes.txt", "c.ogg"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder.wav").mkdir()
    names = [str(path.relative_to(tmp_path)) for path in find_audio(tmp_path)]
    assert names == ["b.wav", "c.ogg", "inner/a.FLAC"]
    assert [path.name for path in find_audio(tmp_path, recursive=False)] == ["b.wav", "c.ogg"]


def test_folders_without_audio_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no audio; expected files that end in"):
        find_audio(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_audio(tmp_path / "none")
    (tmp_path / "a.wav").write_text("x")
    with pytest.raises(ValueError, match="is a file; expected a folder"):
        find_audio(tmp_path / "a.wav")


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])


def damage(folder, kind):
    """A file that can't be read."""
    path = folder / ("a.flac" if "flac" in kind else "a.ogg" if "ogg" in kind else "a.wav")
    if kind == "text":
        path.write_text("This is no sound.")
    elif kind == "empty":
        path.touch()
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), 8000)
    elif kind == "nan":
        soundfile.write(path, np.array([0, np.nan]), 8000, subtype="FLOAT")
    else:
        soundfile.write(path, noise(40000), 8000)
        if "damaged" in kind:
            data = bytearray(path.read_bytes())
            middle = len(data) // 2
            data[middle : middle + 300] = bytes(300)
            path.write_bytes(data)
        else:
            cut(path, path.stat().st_size // 2)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "is no audio file, or it is damaged.*expected WAV, FLAC"),
        ("empty", "is an empty file"),
        ("no samples", "holds no samples"),
        ("nan", "holds NaN or infinity"),
        ("cut wav", "is cut short: .* bytes are there"),
        ("cut flac", "or it is damaged"),
        ("damaged flac", "or it is damaged"),
        ("damaged ogg", "damaged: .* samples could be read"),
    ],
)
def test_bad_files_are_refused(tmp_path, kind, message):
    path = damage(tmp_path, kind)
    with pytest.raises(ValueError, match=message):
        read_audio(path)
    with pytest.raises(ValueError, match=message):
        list(read_blocks(path, 1000))


def test_paths_and_options_are_checked_before_reading(tmp_path):
    for read in (read_audio, audio_info, read_blocks):
        with pytest.raises(FileNotFoundError, match="does not exist"):
            read(tmp_path / "none.wav")
        with pytest.raises(ValueError, match="is no file; list a folder with find_audio"):
            read(tmp_path)
    write_audio(tmp_path / "a.wav", noise(), 8000)
    with pytest.raises(ValueError, match="dtype='int16' must be one of"):
        read_audio(tmp_path / "a.wav", dtype="int16")
    with pytest.raises(ValueError, match="sample_rate=0 must be"):
        read_audio(tmp_path / "a.wav", sample_rate=0)
    with pytest.raises(ValueError, match="block_size=0 must be"):
        read_blocks(tmp_path / "a.wav", 0)
    (tmp_path / "a.raw").write_bytes(b"1234")
    with pytest.raises(ValueError, match="is no audio file"):
        read_audio(tmp_path / "a.raw")


def test_headers_of_unknown_length_are_read(tmp_path):
    """Programs that write to a pipe can't go back to fill in the length."""
    path = tmp_path / "a.wav"
    write_audio(path, noise(), 8000, "PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(read_audio(path)[0]) == 4000


BAD_WRITES = [
    ("a.mp4", noise(), {}, ValueError, r"ends in '.mp4'; expected one of \['.flac', '.ogg'"),
    ("a", noise(), {}, ValueError, "ends in ''"),
    ("none/a.wav", noise(), {}, FileNotFoundError, "its folder does not exist"),
    ("a.flac", noise(), {"subtype": "FLOAT"}, ValueError, "subtype='FLOAT' must be one of"),
    ("a.wav", noise(), {"sample_rate": 8000.5}, ValueError, "sample_rate=8000.5"),
    ("a.flac", noise(), {"sample_rate": 10**7}, ValueError, "is refused for FLAC files"),
    ("a.flac", noise(100, 9), {}, ValueError, "n_channels=9 .* is refused for FLAC"),
    ("a.flac", noise() * 100, {}, ValueError, "would clip at 1; divide them by their peak"),
    ("a.wav", noise() * 100, {"subtype": "PCM_16"}, ValueError, "subtype='PCM_16' would clip"),
    ("a.ogg", noise() * 100, {}, ValueError, "subtype='VORBIS' would clip"),
    ("a.wav", np.array([0.0, np.nan]), {}, ValueError, "x holds NaN or infinity"),
    ("a.wav", np.ones(9, np.int16), {}, ValueError, "dtype int16"),
    ("a.wav", np.zeros(0), {}, ValueError, "x is empty"),
    ("a.wav", np.zeros((2, 500)), {}, ValueError, "transpose it, time comes first"),
    ("a.wav", np.zeros((5, 2, 2)), {}, ValueError, r"x has shape \(5, 2, 2\)"),
]


@pytest.mark.parametrize(("name", "x", "options", "error", "message"), BAD_WRITES)
def test_bad_writes_leave_nothing(tmp_path, name, x, options, error, message):
    with pytest.raises(error, match=message):
        write_audio(tmp_path / name, x, **{"sample_rate": 8000, **options})
    assert not list(tmp_path.iterdir())


def test_loud_floats_are_kept(tmp_path):
    write_audio(tmp_path / "a.wav", noise() * 100, 8000)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], noise() * 100)


def test_files_are_only_replaced_when_asked_for(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, noise(seed=1), 8000)
    with pytest.raises(FileExistsError, match="exists; choose another name or use overwrite=True"):
        write_audio(path, noise(seed=2), 8000)
    np.testing.assert_array_equal(read_audio(path)[0], noise(seed=1))
    write_audio(path, noise(seed=2), 8000, overwrite=True)
    np.testing.assert_array_equal(read_audio(path)[0], noise(seed=2))
    with pytest.raises(FileExistsError):
        write_audio(tmp_path.joinpath("folder.wav").mkdir() or tmp_path / "folder.wav", noise(), 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_errors_and_interruption_leave_nothing(tmp_path, name, error):
    with pytest.raises(error), AudioWriter(tmp_path / name, 8000) as writer:
        writer.write(noise())
        raise error
    assert not list(tmp_path.iterdir())


def test_writer_checks_every_block(tmp_path):
    with (
        pytest.raises(ValueError, match=r"block has shape \(9, 2\); expected \(n, 3\)"),
        AudioWriter(tmp_path / "a.wav", 8000, 3) as writer,
    ):
        writer.write(np.zeros((4, 3)))
        writer.write(np.zeros((9, 2)))
    with (
        pytest.raises(ValueError, match="nothing was written"),
        AudioWriter(tmp_path / "a.wav", 8000),
    ):
        pass
    with pytest.raises(ValueError, match="is not open; use `with AudioWriter"):
        AudioWriter(tmp_path / "a.wav", 8000).write(noise())
    assert not list(tmp_path.iterdir())


@contextmanager
def small_disk():
    """No file may grow beyond 20 kB; in a fixture that would hold for the log of pytest too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_full_disk_leaves_nothing(tmp_path, name):
    with small_disk(), pytest.raises(OSError, match="could not be written"):
        write_audio(tmp_path / name, noise(100000), 8000)
    with (
        small_disk(),
        pytest.raises(OSError, match="could not be written"),
        AudioWriter(tmp_path / name, 8000) as writer,
    ):
        for _ in range(500):
            writer.write(noise(1000))
    assert not list(tmp_path.iterdir())
