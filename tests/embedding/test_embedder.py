"""`SpeakerEmbedder`: its contract, what it refuses, and how well it knows voices."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from anmf.embedding import SVDDecorrelator
from anmf.embedding.embedder import SpeakerEmbedder
from anmf.embedding.features import make_filters, window_statistics

RATE = 16000
FILTERS = make_filters(RATE, 40, 32)
VOICES = [(100, 500, 1500), (150, 700, 1100), (210, 350, 2200), (125, 600, 2600), (180, 450, 900)]


def talk(voice, seconds=3.0, seed=0):
    """Pulses of wandering pitch through two wandering resonances, with pauses."""
    rng = np.random.default_rng((seed, *voice))
    pitch, *formants = voice
    n, block, pieces = round(seconds * RATE), 2400, []
    for _ in range(-(-n // block)):
        period = RATE / (pitch * rng.uniform(0.9, 1.1))
        x = np.diff(np.floor(np.arange(block + 1) / period)) + 1e-3 * rng.standard_normal(block)
        for f in formants:
            turn = 2 * np.pi * f * rng.uniform(0.85, 1.15) / RATE
            x = lfilter([1], [1, -2 * 0.97 * np.cos(turn), 0.97**2], x)
        pieces.append(x * rng.choice([0.05, 1.0], p=[0.2, 0.8]))
    x = np.concatenate(pieces)[:n]
    return 0.1 * x / np.abs(x).max()


def corpus(n_each=3, voices=VOICES, seed=0, seconds=3.0):
    X = [talk(v, seconds, seed + i) for i in range(n_each) for v in voices]
    return X, np.tile(np.arange(len(voices)), n_each)


@pytest.fixture(scope="module")
def model():
    return SpeakerEmbedder(random_state=0).fit(*corpus())


def unit(E):
    return E / np.linalg.norm(E, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("n_times", "expected"),
    [(1024, 1), (25600, 1), (38399, 1), (38400, 2), (51199, 2), (51200, 3), (160000, 11)],
)
def test_number_of_windows(model, n_times, expected):
    x = np.random.default_rng(0).standard_normal(n_times)
    windows = model.windows(x)
    assert windows.shape == (expected, min(n_times, 25600))
    assert model.transform(x).shape == (expected, 4)
    np.testing.assert_array_equal(windows[-1], x[12800 * (expected - 1) :][: windows.shape[1]])


def test_windows_as_rows_have_the_embeddings_of_the_recording(model):
    x = talk(VOICES[0], 5)
    np.testing.assert_allclose(model.transform(model.windows(x)), model.transform(x), atol=1e-9)


def test_a_waveform_is_the_mean_of_its_windows(model):
    X = [talk(v, s) for v, s in zip(VOICES, (0.5, 1.6, 2, 3, 5), strict=True)]
    expected = unit(np.stack([model.transform(x).mean(axis=0) for x in X]))
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-12)
    np.testing.assert_array_equal(model.transform(tuple(X)), model.transform(X))
    np.testing.assert_array_equal(model.transform(np.array(X, dtype=object)), model.transform(X))
    rows = [x[:8000] for x in X]
    np.testing.assert_array_equal(model.transform(np.array(rows)), model.transform(rows))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_length_and_dtype(model, dtype):
    x = talk(VOICES[1], 4).astype(dtype)
    for E in (model.transform(x), model.transform([x, x[:30000]])):
        assert E.dtype == dtype
        np.testing.assert_allclose(np.linalg.norm(E, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 1e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("gain", [1e-6, 1e6])
def test_gain_of_the_recording_does_not_matter(model, gain, dtype, atol):
    x = talk(VOICES[2]).astype(dtype)
    np.testing.assert_allclose(model.transform(dtype(gain) * x), model.transform(x), atol=atol)


def test_gain_of_training_waveforms_does_not_matter():
    X, y = corpus(2)
    gains = 10 ** np.random.default_rng(0).uniform(-3, 3, len(X))
    one = SpeakerEmbedder(random_state=0).fit(X, y)
    other = SpeakerEmbedder(random_state=0).fit([g * x for g, x in zip(gains, X, strict=True)], y)
    np.testing.assert_allclose(other.transform(X), one.transform(X), atol=1e-6)


def test_silence_is_zero_and_has_no_part_in_means(model):
    x = np.concatenate([talk(VOICES[0], 1.6), np.zeros(4 * 12800)])
    E = model.transform(x)
    assert not E[2:].any()
    assert np.all(np.linalg.norm(E[:2], axis=1) > 0.999)
    np.testing.assert_allclose(model.transform([x]), unit(E[:2].sum(axis=0))[None], atol=1e-12)
    assert not model.transform(np.zeros((2, 25600))).any()
    assert not model.transform(np.full(25600, 0.25)).any()


def test_silence_teaches_nothing():
    X, y = corpus(2)
    first = SpeakerEmbedder(n_copies=0).fit(X, y)
    second = SpeakerEmbedder(n_copies=0).fit([*X, np.zeros(50000)], [*y, 3])
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    with pytest.raises(ValueError, match="y names 1 speakers with 4 windows"):
        SpeakerEmbedder().fit([X[0], X[5], np.zeros(50000)], [0, 0, 3])


def test_knows_voices_it_learnt(model):
    X, y = corpus(2, seed=50)
    reference = model.transform(corpus(1)[0])
    assert np.mean((model.transform(X) @ reference.T).argmax(axis=1) == y) == 1
    windows = [model.transform(x) for x in X]
    found = [(E @ reference.T).argmax(axis=1) == k for E, k in zip(windows, y, strict=True)]
    assert np.mean(np.concatenate(found)) > 0.9


def test_new_voices_are_closer_to_themselves(model):
    new = [(115, 420, 1800), (195, 650, 1300), (160, 520, 2400)]
    X, y = corpus(3, new, seed=80)
    S = model.transform(X)
    S, same = S @ S.T, y[:, None] == y
    assert S[same & ~np.eye(len(y), dtype=bool)].mean() > S[~same].mean() + 0.5


def test_directions_are_those_in_which_speakers_differ_most():
    X, y = corpus(4)
    model = SpeakerEmbedder(n_copies=0).fit(X, y)
    rows = np.concatenate([window_statistics(model.windows(x), FILTERS) for x in X])
    Z, owners = model.decorrelator_.transform(model.scaler_.transform(rows)), np.repeat(y, 2)
    means = np.stack([Z[owners == k].mean(axis=0) for k in range(5)])
    np.testing.assert_allclose(model.mean_, means.mean(axis=0), atol=1e-10)
    scores = (means - model.mean_) @ unit(model.directions_).T
    variance = model.between_variance_
    np.testing.assert_allclose(scores.T @ scores / 5, np.diag(variance), atol=1e-8 * variance[0])
    weight = variance / (variance + 1 / 5)
    np.testing.assert_allclose(np.linalg.norm(model.directions_, axis=1), weight)
    np.testing.assert_array_equal(model.classes_, np.arange(5))


def test_labels_may_be_names_or_pairs():
    X, y = corpus(2)
    plain = SpeakerEmbedder(n_copies=0).fit(X, y)
    named = SpeakerEmbedder(n_copies=0).fit(X, [f"speaker {k}" for k in y])
    np.testing.assert_array_equal(named.transform(X), plain.transform(X))
    assert named.classes_[0] == "speaker 0"
    pairs = [*([k, -1] for k in y[:-1]), [-1, y[-1]], [0, 1], [-1, -1]]
    paired = SpeakerEmbedder(n_copies=0).fit([*X, X[0] + X[1], talk(VOICES[0], seed=9)], pairs)
    np.testing.assert_array_equal(paired.transform(X), plain.transform(X))


def test_copies_follow_the_seed():
    X, y = corpus(1)
    one, same, other = (SpeakerEmbedder(random_state=s).fit_transform(X, y) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6
    none = [SpeakerEmbedder(n_copies=0, random_state=s).fit_transform(X, y) for s in (0, 1)]
    np.testing.assert_array_equal(*none)


def test_input_is_not_written_to():
    X, y = corpus(1)
    X = np.array(X)
    before = X.copy()
    X.flags.writeable = False
    SpeakerEmbedder().fit(X, y).transform(X)
    np.testing.assert_array_equal(X, before)


def test_in_a_pipeline_with_labels_of_waveforms():
    X, y = corpus(3)
    whitened = make_pipeline(SpeakerEmbedder(random_state=0), SVDDecorrelator()).fit(X, y)
    assert whitened.transform(X).shape == (15, 4)
    classifier = make_pipeline(SpeakerEmbedder(random_state=0), LogisticRegression())
    assert cross_val_score(classifier, X, y, cv=3).mean() == 1


def test_clone_pickle_names_and_data_frames(model):
    X, _ = corpus(1)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    fresh = clone(model.__class__(8000, window=1.0, n_components=2, random_state=3))
    assert fresh.get_params()["window"] == 1.0 and not hasattr(fresh, "directions_")
    names = [f"speakerembedder{i}" for i in range(4)]
    assert model.get_feature_names_out().tolist() == names
    frame = again.set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == names and frame.shape == (5, 4)
    few = SpeakerEmbedder(n_components=2, random_state=0).fit(*corpus())
    np.testing.assert_allclose(few.directions_, model.directions_[:2], atol=1e-12)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates(rate):
    rng = np.random.default_rng(0)
    X = [lfilter([1], [1, -a], rng.standard_normal(2 * rate)) for a in (0.9, 0.2, -0.5)]
    model = SpeakerEmbedder(rate, window=0.8, hop=0.4, random_state=0)
    assert model.windows(X[0]).shape == (4, 0.8 * rate)  # without a fit
    assert model.fit(X, [0, 1, 2]).transform(X[0]).shape == (4, 2)


X, Y = corpus(1, seconds=2.5)


@pytest.mark.parametrize(
    ("options", "data", "y", "message"),
    [
        ({"sample_rate": 16000.0}, X, Y, "sample_rate=16000.0 must be an integer"),
        ({"sample_rate": 100}, X, Y, "sample_rate=100 must be an integer of at least 4000"),
        ({"window": 0.01}, X, Y, "window=0.01 must be at least 0.064 seconds"),
        ({"window": "1"}, X, Y, "window='1' must be a number"),
        ({"hop": 0.0}, X, Y, "hop=0.0 must be at least a sample and at most window=1.6"),
        ({"hop": 2.0}, X, Y, "hop=2.0 must be at least a sample and at most window=1.6"),
        ({"n_mels": 0}, X, Y, "n_mels=0 must be an integer"),
        ({"n_mels": 400}, X, Y, "n_mels=400 leaves"),
        ({"n_periods": 2.5}, X, Y, "n_periods=2.5 must be an integer"),
        ({"n_components": 0}, X, Y, "n_components=0 must be an integer"),
        ({"n_components": 5}, X, Y, "n_components=5 must be at most 4: 5 speakers span no more"),
        ({"n_copies": -1}, X, Y, "n_copies=-1 must be an integer of at least 0"),
        ({"ridge": -1.0}, X, Y, "ridge=-1.0 must be a number"),
        ({"random_state": "a"}, X, Y, "random_state='a'"),
        ({}, X[0], Y[:1], "a single waveform; expected a list"),
        ({}, X, None, "y=None; expected the speaker of each waveform"),
        ({}, X, Y[:4], r"y has shape \(4,\)"),
        ({}, X, np.zeros(5), "y names 1 speakers with 10 windows"),
        ({}, [x[:20000] for x in X], Y, "y names 5 speakers with 5 windows.*give more or longer"),
        ({}, X, np.full((5, 2), [0, 1]), "y names no row with one speaker"),
        ({}, X, np.full(5, np.nan), "y contains NaN"),
        ({}, [], [], "X is empty"),
        ({}, [*X[:4], X[4].astype(int)], Y, r"X\[4\] has dtype int64; expected float32"),
        ({}, [*X[:4], np.stack([X[4], X[4]], 1)], Y, r"X\[4\] has shape .* expected one channel"),
    ],
)  # fmt: skip
def test_bad_training_is_refused(options, data, y, message):
    with pytest.raises(ValueError, match=message):
        SpeakerEmbedder(**options).fit(data, y)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(25600, np.int16), r"X has dtype int16; .*x / 32768.0 for int16"),
        (np.zeros((3, 25600), np.int16), "X has dtype int16"),
        (np.zeros(25600, complex), "X is complex"),
        (np.r_[np.ones(2000), np.nan], r"X holds NaN or infinity, first at index \[2000\]"),
        ([np.r_[np.ones(2000), np.inf]], r"X\[0\] holds NaN or infinity"),
        (np.zeros((25600, 2)), r"at least 1024 samples .* pass one channel, X\[:, 0\]"),
        ([np.zeros((25600, 2))], r"X\[0\] has shape \(25600, 2\); expected one channel"),
        (np.zeros((2, 2, 25600)), r"X has shape \(2, 2, 25600\); expected a waveform"),
        (np.zeros(1023), "X has 1023 samples; expected at least 1024"),
        ([np.zeros(2000), np.zeros(10)], r"X\[1\] has 10 samples; expected at least 1024"),
        ([0.1, 0.2], "X has 2 samples"),
        (np.zeros(0), "X is empty"),
        ([np.zeros(2000), np.zeros(0)], r"X\[1\] is empty"),
        (0.5, "X has shape"),
        ("speech.wav", "X has dtype"),
        (["speech.wav"], "X has dtype"),
        (None, "X"),
    ],
)  # fmt: skip
def test_bad_waveforms_are_refused(model, data, message):
    with pytest.raises(ValueError, match=message):
        model.transform(data)


def test_transform_needs_a_fit():
    with pytest.raises(NotFittedError, match="SpeakerEmbedder"):
        SpeakerEmbedder().transform(X)


@pytest.mark.data
@pytest.mark.slow
def test_tells_unseen_speakers_of_real_speech_apart():
    """Ten speakers that `fit` never saw, pairs of windows of different utterances."""
    from anmf.audio import read_audio
    from anmf.metrics import equal_error_rate

    folder = Path(os.environ["ANMF_DATA"]) / "speech"
    train, test = (sorted((folder / part).glob("*/*/*.flac")) for part in ("train", "test"))
    if not train or not test:
        pytest.skip("no speech in ANMF_DATA")
    model = SpeakerEmbedder(random_state=0)
    model.fit([read_audio(p)[0] for p in train], [p.parts[-3] for p in train])
    windows = [model.transform(read_audio(p)[0]) for p in test]
    speaker = np.concatenate([[p.parts[-3]] * len(E) for p, E in zip(test, windows, strict=True)])
    utterance = np.repeat(np.arange(len(test)), [len(E) for E in windows])
    E = np.concatenate(windows)
    pairs = utterance[:, None] < utterance
    same, scores = (speaker[:, None] == speaker)[pairs], (E @ E.T)[pairs]
    assert equal_error_rate(same, scores)[0] < 0.045  # 0.028 was measured
