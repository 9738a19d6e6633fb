"""AuxIVA on streams: held filters, filters learned on the way, and what is remembered."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.audio import stft
from anmf.datasets import make_voices, simulate_room
from anmf.iva import AuxIVA
from anmf.iva.online import RECENT, Memory, in_order
from anmf.metrics import permutation_invariant, si_sdr

RATE = 8000


@pytest.fixture(scope="module")
def scene():
    """Two voices at two microphones for 20 s, and what the first microphone hears of each."""
    voices = make_voices(2, 20.0, sample_rate=RATE, random_state=2).waveforms
    made = simulate_room(voices, 2, rt60=0.1, sample_rate=RATE, random_state=1)
    return made.mixture.astype(np.float64), made.images[:, :, 0].astype(np.float64)


@pytest.fixture(scope="module")
def filters():
    """Models of 2 sources at 2 channels, and of 2 at 3 with late reverberation."""
    x = noise(3000, 3)
    model = AuxIVA(n_fft=64, max_iter=2).fit(x[:, :2])
    with_taps = AuxIVA(2, n_fft=64, max_iter=2, n_taps=3, delay=2).fit(x)
    return model, with_taps


def noise(n_times, n_channels, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal((n_times, n_channels)).astype(dtype)


def joined(pieces):
    return np.concatenate(list(pieces))


def seconds(x, length=1.0):
    return (x[start : start + int(length * RATE)] for start in range(0, len(x), int(length * RATE)))


def improvement(mixture, references, parts):
    """In dB, in the better order of two."""
    scores = [si_sdr(references.T, parts.T[order]).mean() for order in ([0, 1], [1, 0])]
    return max(scores) - si_sdr(references.T, np.stack([mixture, mixture])).mean()


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 300), max_size=12),
    rest=st.integers(4, 500),
    which=st.sampled_from([0, 1]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_held_filters_give_what_the_whole_gives(filters, sizes, rest, which, dtype):
    model = filters[which]
    x = noise(sum(sizes) + rest, model.n_features_in_, dtype)
    went_in, came_out = 0, []

    def blocks():
        nonlocal went_in
        for block in np.split(x, np.cumsum(sizes)):
            assert went_in - sum(map(len, came_out)) < 64
            went_in += len(block)
            yield block

    for parts in model.transform_stream(blocks()):
        came_out.append(parts)
        assert parts.shape[1:] == (2,) and parts.dtype == dtype and len(parts)
    tolerance = {"float64": 1e-10, "float32": 1e-5}[dtype] * np.abs(x).max()
    np.testing.assert_allclose(np.concatenate(came_out), model.transform(x), atol=tolerance)
    images = joined(model.separate_stream(np.split(x, np.cumsum(sizes))))
    np.testing.assert_allclose(images, model.separate(x), atol=tolerance)


def test_single_samples_and_whole_numbers(filters):
    model, _ = filters
    x = noise(200, 2)
    streamed = joined(model.transform_stream(x[k : k + 1] for k in range(200)))
    np.testing.assert_allclose(streamed, model.transform(x), atol=1e-10)
    whole = (3000 * x).astype(np.int16)
    streamed = joined(model.transform_stream(np.array_split(whole, 7)))
    np.testing.assert_allclose(streamed, model.transform(whole), atol=1e-10)


def test_learning_images_sum_to_the_stream_and_reach_the_batch(scene):
    x, references = scene
    options = {"n_fft": 1024, "max_iter": 10}
    batch = AuxIVA(**options).fit(x).transform(x)
    model = AuxIVA(**options)
    images = joined(model.fit_separate_stream(seconds(x)))
    assert images.shape == (*x.shape, 2)
    np.testing.assert_allclose(images.sum(axis=1), x, atol=1e-10 * np.abs(x).max())
    end = slice(2 * len(x) // 3, None)
    scores = [improvement(x[end, 0], references[end], y[end]) for y in (batch, images[:, :, 0])]
    assert scores[1] > 8 and scores[1] > scores[0] - 1.5
    again = joined(model.fit_transform_stream(seconds(x)))  # afresh, in the same way
    np.testing.assert_allclose(again, images[:, :, 0], atol=1e-10)


def test_partial_fit_learns_the_same(scene):
    x = scene[0][: 6 * RATE]
    model, stream = AuxIVA(n_fft=512, max_iter=3), AuxIVA(n_fft=512, max_iter=3)
    parts = stream.fit_transform_stream(seconds(x))
    for k, block in enumerate(seconds(x)):
        model.partial_fit(block)
        next(parts)
        size = abs(model.demixing_).max()
        np.testing.assert_allclose(stream.demixing_, model.demixing_, atol=1e-6 * size)
        assert stream.n_iter_ in (3, 20) and np.all(np.diff(stream.objective_) <= 1e-9), k


@pytest.mark.parametrize("source_model", ["cliques", "gauss"])
def test_older_frames_count_as_much_as_recent_ones(source_model):
    """At the optimum of a recording, it makes no difference which of its frames are older."""
    loud = np.random.default_rng(1).gamma(0.3, 1.0, (140, 2)).repeat(48, axis=0)
    x = loud * noise(len(loud), 2) @ [[1.0, 0.5], [0.3, 1.0]]
    fitted = AuxIVA(n_fft=64, max_iter=100, source_model=source_model).fit(x)
    Z = np.moveaxis(stft(x.T, 64), -1, 0)
    memory = Memory(33, 2, fitted._rows, 1.0)
    for start in range(0, Z.shape[2], 40):
        memory.learn(Z[:, :, start : start + 40], 2, "iss2", source_model, max_iter=20, tol=0.0)
    assert memory._n_past == Z.shape[2] - RECENT
    gain = np.abs(memory.rows @ np.linalg.inv(fitted._rows))
    np.testing.assert_allclose(gain.mean(axis=0), np.eye(2), atol=0.15)


def test_beginning_again_keeps_the_order_of_sources():
    rng = np.random.default_rng(0)
    Z, rows, noisy = rng.standard_normal((3, 9, 4, 50, 2)).view(complex)[..., 0]
    rows, noisy = rows[:, :, :4], rows[:, :, :4] + 0.3 * noisy[:, :, :4]
    found = in_order(noisy[:, [2, 0, 1, 3]] * [[1.0], [5.0], [0.1], [1.0]], rows, 3, Z)
    np.testing.assert_allclose(found, noisy * [[5.0], [0.1], [1.0], [1.0]])


def test_silence_is_no_beginning(scene):
    """After 12 s of it, learning is where it is without it."""
    x = scene[0][: 3 * RATE]
    late = np.concatenate([np.zeros((12 * RATE, 2)), x])
    found = []
    for waveform in (x, late):
        model = AuxIVA(n_fft=512, max_iter=5)
        for block in seconds(waveform, 0.5):
            model.partial_fit(block)
        found.append(model.transform(x))
    assert permutation_invariant(si_sdr)(*found)[0].min() > 15


def test_memory_is_constant(scene):
    x = scene[0]
    model, sizes = AuxIVA(n_fft=256, max_iter=1), []
    for block in seconds(x):
        model.partial_fit(block)
        sizes.append(len(pickle.dumps(model)))
    assert max(sizes[8:]) - min(sizes[8:]) < 2000


@pytest.mark.parametrize("length", [0.01, 0.1, 7.0])
def test_blocks_of_any_length_and_silence(scene, length):
    x = scene[0][: 3 * RATE].astype(np.float32)
    x[:RATE] = 0
    x[2 * RATE :, 1] = 0
    model = AuxIVA(n_fft=512, max_iter=1)
    images = joined(model.fit_separate_stream(seconds(x, length)))
    assert images.shape == (len(x), 2, 2) and images.dtype == np.float32
    np.testing.assert_allclose(images.sum(axis=1), x, atol=1e-4 * np.abs(x).max())


def test_fewer_sources_than_channels():
    x = noise(4000, 3)
    model = AuxIVA(2, n_fft=64, max_iter=3)
    parts = joined(model.fit_transform_stream(np.array_split(x, 30)))
    assert parts.shape == (4000, 2) and np.isfinite(parts).all()
    assert model.demixing_.shape == (33, 2, 3)


def test_bad_streams_are_refused(filters):
    model, _ = filters
    bad = {
        "blocks hold no samples": [np.zeros((0, 2))],
        "3 features, but AuxIVA is expecting 2": [noise(9, 2), noise(9, 3)],
        "n_features=1 channel|1 features": [noise(9, 1)],
        "Expected 2D array": [noise(9, 2)[:, 0]],
        "NaN": [noise(9, 2), noise(9, 2) * np.nan],
    }
    for message, blocks in bad.items():
        with pytest.raises(ValueError, match=message):
            list(AuxIVA(n_fft=64).fit_transform_stream(blocks))
        if "minimum" not in message:
            with pytest.raises(ValueError, match=message):
                list(model.transform_stream(blocks))
    with pytest.raises(ValueError, match="n_taps=2: late reverberation isn't learned"):
        AuxIVA(n_taps=2).fit_transform_stream([])
    with pytest.raises(ValueError, match="source_model='nmf' learns the activations of a whole"):
        list(AuxIVA(source_model="nmf", n_fft=64).fit_transform_stream([noise(900, 2)]))
    with pytest.raises(ValueError, match="n_sources=3 is more than the 2 channels"):
        list(AuxIVA(3, n_fft=64).fit_transform_stream([noise(900, 2)]))
