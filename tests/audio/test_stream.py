"""Separation in blocks and from file to file, in constant memory."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf import AudioSeparator, NMF_separation
from anmf.audio import read_audio, stft, write_audio
from anmf.audio.stream import overlap_blocks
from anmf.metrics import si_sdr
from tests.audio.toys import Offset, fitted, noise

A = noise(300)
P = np.stack([A, A], axis=1)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), max_size=12),
    rest=st.integers(3, 700),  # more times than channels
    n_channels=st.integers(0, 2),
    frames=st.sampled_from([(128, None), (65, 30), (64, 1), (50, 25)]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_streams_give_what_the_whole_gives(sizes, rest, n_channels, frames, dtype):
    model = fitted(frames[0], hop_length=frames[1])
    x = noise(sum(sizes) + rest, n_channels, dtype)
    went_in, came_out = 0, []

    def blocks():
        nonlocal went_in
        for block in np.split(x, np.cumsum(sizes)):
            assert went_in - sum(map(len, came_out)) < frames[0]
            went_in += len(block)
            yield block

    for parts in model.separate_stream(blocks(), level=1.0):
        came_out.append(parts)
        assert parts.shape[1:] == (3, *x.shape[1:]) and parts.dtype == dtype and len(parts)
    streamed, whole = np.concatenate(came_out), model.separate(x, level=1.0)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(streamed, whole, atol=tolerance * np.abs(x).max())
    tolerance = 10 * np.finfo(dtype).eps * np.abs(x).max()
    np.testing.assert_allclose(streamed.sum(axis=1), x, atol=tolerance)


@pytest.mark.parametrize("n_channels", [0, 2])
def test_frames_are_split_once_into_parts_of_any_number_of_outputs(n_channels):
    x, seen = noise(1000, n_channels), []

    def split(Z):
        seen.append(Z)
        parts = np.stack([Z, 2 * Z])
        return np.concatenate([parts, -parts], axis=1) if n_channels else parts

    pieces = list(overlap_blocks(np.split(x, [10, 300, 301, 800]), split, n_fft=64, hop_length=10))
    parts, mixture = (np.concatenate(one) for one in zip(*pieces, strict=True))
    np.testing.assert_array_equal(mixture, x)
    outputs = np.concatenate([x, -x], axis=1) if n_channels else x
    np.testing.assert_allclose(parts, np.stack([outputs, 2 * outputs], axis=1), atol=1e-12)
    whole = stft(np.atleast_2d(x.T), n_fft=64, hop_length=10)
    np.testing.assert_allclose(np.concatenate(seen, axis=1), whole, atol=1e-12)


@pytest.mark.parametrize(("normalize", "level"), [("file", None), ("training", None), ("none", 1)])
def test_streams_take_the_level_of_training(normalize, level):
    model = AudioSeparator(Offset(), n_fft=64, normalize=normalize).fit(3 * noise())
    streamed = np.concatenate(list(model.separate_stream([noise(900)])))
    whole = model.separate(noise(900), level=level or model.level_)
    np.testing.assert_allclose(streamed, whole, atol=1e-12)


def test_streams_of_voices(band):
    """Of rows that are solved iteratively, to the precision of the solver."""
    train, test = band
    model = AudioSeparator(NMF_separation(8, random_state=0)).fit(list(train.T), [0, 1, 2])
    x = test.sum(axis=1)
    streamed = np.concatenate(list(model.separate_stream(np.array_split(x, 9), level=1.0)))
    whole = model.separate(x, level=1.0)
    np.testing.assert_allclose(streamed, whole, atol=1e-3 * np.abs(x).max())
    assert si_sdr(whole.T, streamed.T).min() > 70


@pytest.mark.parametrize("n_channels", [0, 2])
@pytest.mark.parametrize("normalize", ["file", "training", "none"])
def test_files_give_what_arrays_give(tmp_path, normalize, n_channels):
    model = AudioSeparator(Offset(), n_fft=64, normalize=normalize).fit(2 * noise())
    x = noise(3000, n_channels, "float32")
    write_audio(tmp_path / "mixture.wav", x, 8000)
    outputs = [tmp_path / f"{s}.wav" for s in range(2)]
    model.separate_file(tmp_path / "mixture.wav", outputs, block_size=700)
    parts = np.stack([read_audio(path)[0] for path in outputs], axis=1)
    np.testing.assert_allclose(parts, model.separate(x), atol=1e-5)
    assert {read_audio(path)[1] for path in outputs} == {8000}


def test_separate_file_writes_all_or_nothing(tmp_path):
    model = fitted(sample_rate=16000)
    path, outputs = tmp_path / "x.wav", [tmp_path / f"{s}.flac" for s in range(3)]
    write_audio(path, noise(dtype="float32"), 16000)
    with pytest.raises(ValueError, match="would clip"):
        model.separate_file(path, outputs)
    for wrong in (outputs[:2], [*outputs[:2], outputs[0]], str(outputs[0])):
        with pytest.raises(ValueError, match="must be 3 different paths, one a source"):
            model.separate_file(path, wrong)
    with pytest.raises(FileExistsError):
        model.separate_file(path, [*outputs[:2], path])
    with pytest.raises(FileNotFoundError):
        model.separate_file(tmp_path / "y.wav", outputs)
    write_audio(tmp_path / "slow.wav", noise(), 8000)
    with pytest.raises(ValueError, match="has 8000 Hz, and sample_rate=16000; resample"):
        model.separate_file(tmp_path / "slow.wav", outputs)
    assert {p.name for p in tmp_path.iterdir()} == {"x.wav", "slow.wav"}
    parts = model.separate(read_audio(path)[0])
    wav = [tmp_path / "a.wav", tmp_path / "b.wav", path]
    model.separate_file(path, wav, overwrite=True)  # even over what is being read
    written = np.stack([read_audio(one)[0] for one in wav], axis=1)
    np.testing.assert_allclose(written, parts, atol=1e-5)


def test_bad_blocks_are_refused():
    model = fitted()
    bad = {
        "blocks hold no samples": [np.zeros(0)],
        r"block has shape \(9, 2\); expected \(n,\)": [A, np.zeros((9, 2))],
        r"block has shape \(9,\); expected \(n, 2\)": [P, np.zeros(9)],
        r"block has shape \(9, 3\)": [P, np.zeros((9, 3))],
        r"block has shape \(\)": A,
        "block holds NaN": [A, A * np.nan],
        "block has dtype int64": [np.ones(9, int)],
    }
    for message, blocks in bad.items():
        with pytest.raises(ValueError, match=message):
            list(model.separate_stream(blocks))


MEMORY = """
import resource
import numpy as np
from anmf import AudioSeparator, NMF_separation
from anmf.audio import AudioWriter
rng = np.random.default_rng(0)
with AudioWriter("long.wav", 16000, 2) as writer:
    for _ in range({seconds}):
        writer.write(rng.standard_normal((16000, 2)).astype("float32"))
model = AudioSeparator(NMF_separation(4, random_state=0))
model.fit([rng.standard_normal(16000).astype("float32") for _ in range(2)], [0, 1])
model.separate_file("long.wav", ["a.wav", "b.wav"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for seconds in (20, 200):  # 200 s in two channels are 26 MB, and as much for each part
        folder = tmp_path / str(seconds)
        folder.mkdir()
        code = MEMORY.format(seconds=seconds)
        root = str(Path(__file__).parents[2])
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
        peaks.append(int(run.stdout))
    assert peaks[1] - peaks[0] < 15_000  # kB
