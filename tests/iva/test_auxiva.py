"""The estimator: waveforms in, waveforms out."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from anmf import AuxIVA
from anmf.metrics import si_sdr
from tests.iva.scenes import N_FFT, quality, room, spectra, waveforms

OPTIONS = {"n_fft": N_FFT, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return room()


@pytest.fixture(scope="module")
def x(images):
    return images.sum(axis=1)


@pytest.fixture(scope="module")
def model(x):
    return AuxIVA(**OPTIONS).fit(x)


@pytest.mark.parametrize("options", [
    {}, {"n_sources": 1}, {"n_taps": 2}, {"scaling": None}, {"scaling": "minimal-distortion"},
    {"source_model": "nmf"}, {"reference_channel": 1}, {"init": "pca"}, {"hop_length": 512},
], ids=str)  # fmt: skip
def test_fit_transform_is_fit_then_transform(options, x):
    model = AuxIVA(**{**OPTIONS, "max_iter": 5, **options})
    once = clone(model).fit_transform(x)
    assert once.shape == (len(x), model.n_sources or 2)
    np.testing.assert_allclose(once, model.fit(x).transform(x), atol=1e-9)
    assert len(model.objective_) == model.n_iter_ == 5 and model.n_features_in_ == 2


@pytest.mark.parametrize("scaling", ["projection-back", "minimal-distortion", None])
def test_filters_give_the_output(scaling, x):
    model = AuxIVA(**OPTIONS, scaling=scaling).fit(x)
    X = spectra(x)
    y = waveforms(model.demixing_ @ X, len(x))
    np.testing.assert_allclose(model.transform(x), y, atol=1e-12 * abs(y).max())
    identity = model.mixing_ @ model.demixing_
    np.testing.assert_allclose(identity, np.tile(np.eye(2), (len(X), 1, 1)), atol=1e-8)


@pytest.mark.parametrize("scaling", ["projection-back", "minimal-distortion", None])
@pytest.mark.parametrize("channel", [0, 1])
def test_images_sum_to_the_mixture(scaling, channel, x):
    model = AuxIVA(**OPTIONS, scaling=scaling, reference_channel=channel).fit(x)
    parts = model.separate(x)
    assert parts.shape == (len(x), 2, 2)
    assert abs(parts.sum(axis=1) - x).max() <= 1e-10
    if scaling == "projection-back":
        np.testing.assert_allclose(parts[:, :, channel], model.transform(x), atol=1e-10)
    single = AuxIVA(**OPTIONS, scaling=scaling).fit(x.astype("float32"))
    parts = single.separate(x.astype("float32"))
    assert parts.dtype == "float32" and abs(parts.sum(axis=1) - x).max() < 1e-4


def test_quality_and_score(model, images, x):
    before = si_sdr(images[:, :, 0], np.column_stack([x[:, 0]] * 2), axis=0)
    after = quality(images[:, :, 0], model.transform(x))
    assert np.mean(after - before) > 8
    np.testing.assert_allclose(model.score(x, images[:, :, 0]), after.mean())
    np.testing.assert_allclose(model.score(x, images[:, ::-1, 0]), after.mean())
    each = [quality(images[:, :, c], model.separate(x)[:, :, c]).mean() for c in range(2)]
    np.testing.assert_allclose(model.score(x, images), np.mean(each))
    with_silence = images[:, :, 0] * [1, 0]  # doesn't count
    first = max(si_sdr(images[:, 0, 0], track) for track in model.transform(x).T)
    np.testing.assert_allclose(model.score(x, with_silence), first)
    with pytest.raises(ValueError, match="metric='sdrr' must be one of"):
        model.score(x, images, metric="sdrr")
    with pytest.raises(ValueError, match=r"y has shape \(31999, 2\)"):
        model.score(x, images[1:, :, 0])


@pytest.mark.parametrize(("dtype", "scale", "offset"), [
    ("int16", 2**15, 0), ("int32", 2**31, 0), ("uint8", 2**7, 128), ("int8", 2**7, 0),
])  # fmt: skip
def test_integers_are_scaled_as_soundfile_does(dtype, scale, offset, x):
    stored = np.round(0.9 * x * (scale - 1) / abs(x).max() + offset).astype(dtype)
    model = AuxIVA(**OPTIONS, max_iter=3)
    expected = model.fit_transform((stored.astype(float) - offset) / scale)
    np.testing.assert_allclose(model.fit_transform(stored), expected, atol=1e-12)
    np.testing.assert_allclose(model.transform(stored), expected, atol=1e-12)


@pytest.mark.parametrize(("change", "message"), [
    ({"n_sources": 3}, "n_sources=3 is more than the 2 channels"),
    ({"n_sources": 1.5}, "n_sources=1.5 must be an integer"),
    ({"update": "fastica"}, "update='fastica' must be one of"),
    ({"source_model": "voice"}, "source_model='voice' must be one of"),
    ({"init": "random"}, "init='random' must be one of"),
    ({"init": np.eye(2)}, r"init has shape \(2, 2\); expected finite demixing matrices"),
    ({"scaling": "projection"}, "scaling='projection' must be one of"),
    ({"reference_channel": 2}, "reference_channel=2 must be below the number of channels"),
    ({"reference_channel": -1}, "reference_channel=-1 must be"),
    ({"hop_length": 2048}, "hop_length=2048"), ({"n_fft": 0}, "n_fft=0"),
    ({"window": "round"}, "window='round'"), ({"max_iter": 0}, "max_iter=0 must be"),
    ({"tol": -1}, "tol=-1 must be"), ({"n_taps": -1}, "n_taps=-1 must be"),
    ({"delay": 0}, "delay=0 must be"), ({"forgetting": 1.5}, "forgetting=1.5 must be"),
    ({"n_threads": 0}, "n_threads=0 must be"),
])  # fmt: skip
def test_bad_parameters(change, message, x):
    with pytest.raises(ValueError, match=message):
        AuxIVA(**{**OPTIONS, **change}).fit(x)
    if not set(change) & {"init"}:
        with pytest.raises(ValueError, match=message):
            AuxIVA(**{**OPTIONS, **change}).partial_fit(x)


@pytest.mark.parametrize(("make", "message"), [
    (lambda x: x[:, 0], "1D array"),
    (lambda x: x[:, :1], r"X has shape \(32000, 1\).*2 microphones or more"),
    (lambda x: x.T, r"X has shape \(2, 32000\).*pass X.T"),
    (lambda x: np.where(x == x[99], np.nan, x), "NaN"),
    (lambda x: np.where(x == x[99], np.inf, x), "infinity"),
    (lambda x: x + 0j, "Complex data not supported"),
    (lambda x: x[None], "dim 3"),
    (lambda x: x[:0], "0 sample"),
    (lambda x: np.full((9, 2), "a"), "could not convert"),
])  # fmt: skip
def test_bad_recordings(make, message, x, model):
    for call in (AuxIVA(**OPTIONS).fit, AuxIVA(**OPTIONS).partial_fit, model.transform,
                 model.separate):  # fmt: skip
        if message == "NaN" or call != model.transform:
            with pytest.raises(ValueError, match=f"(?s){message}|features"):
                call(make(x))


def test_scikit_learn_manners(model, x):
    pytest.importorskip("pandas")
    expected = model.transform(x)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copied.transform(x), expected, atol=1e-12)
    assert clone(model).get_params() == model.get_params()
    assert model.get_feature_names_out().tolist() == ["auxiva0", "auxiva1"]
    frame = clone(model).set_output(transform="pandas").fit_transform(x)
    assert list(frame.columns) == ["auxiva0", "auxiva1"]
    np.testing.assert_allclose(frame.to_numpy(), expected, atol=1e-12)
    pipeline = make_pipeline(FunctionTransformer(lambda x: 2 * x), AuxIVA(**OPTIONS))
    np.testing.assert_allclose(pipeline.fit_transform(x), 2 * expected, atol=1e-8)


def test_rows_of_another_recording_are_a_start(model, x):
    again = AuxIVA(**OPTIONS, init=model.demixing_, max_iter=3).fit(x)
    assert again.objective_[-1] < model.objective_[2] - 0.05


def test_callback_tol_and_silence(x):
    calls = []
    model = AuxIVA(**OPTIONS, callback=lambda info: calls.append(info.n_iter) or len(calls) == 2)
    assert model.fit(x).n_iter_ == 2 and calls == [1, 2]
    assert AuxIVA(**OPTIONS).set_params(max_iter=200, tol=1e-3).fit(x).n_iter_ < 200
    silent = AuxIVA(**OPTIONS).fit(0 * x)
    assert silent.n_iter_ == 0 and not silent.transform(x * 0).any()


@pytest.mark.parametrize("options", [{"source_model": "nmf"}, {"n_taps": 1}], ids=str)
def test_streams_refuse_what_they_cannot_do(options, x):
    with pytest.raises(ValueError, match=next(iter(options))):
        AuxIVA(**OPTIONS, **options).partial_fit(x)


def test_a_stream_in_uneven_blocks(x):
    """Blocks shorter than a frame are as good as any."""
    rng, model, at = np.random.default_rng(0), AuxIVA(**OPTIONS, max_iter=2), 0
    for length in (700, 2, 3, *rng.integers(3, 9000, 8)):
        model.partial_fit(x[at : at + length])
        at += length
        assert np.isfinite(model.transform(x)).all()
        assert abs(model.separate(x).sum(axis=1) - x).max() <= 1e-10


def test_images_before_anything_is_learned(x):
    """They are the channels themselves."""
    model = AuxIVA(**OPTIONS).partial_fit(x[:2])
    assert abs(model.separate(x).sum(axis=1) - x).max() <= 1e-10


@pytest.mark.parametrize("reference_channel", [0, 1, 2])
@pytest.mark.parametrize("scaling", ["projection-back", "minimal-distortion"])
def test_images_with_a_dead_channel(reference_channel, scaling, x):
    dead = np.column_stack([x[:, 0], 0 * x[:, 0], x[:, 1]])
    model = AuxIVA(**OPTIONS, reference_channel=reference_channel, scaling=scaling).fit(dead)
    assert abs(model.separate(dead).sum(axis=1) - dead).max() <= 1e-10
    assert abs(model.transform(dead)).max() > 0.1


def test_a_stream_of_silence_then_sound(x):
    model = AuxIVA(**OPTIONS, max_iter=2)
    for block in (0 * x[:8000], x[:8000], 0 * x[:8000], x[8000:16000]):
        model.partial_fit(block)
        assert np.isfinite(model.transform(x)).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_stream_ends_as_good_as_the_batch(seed):
    """In constant memory."""
    images = room(2, 2, 24.0, seed)
    x, tail = images.sum(axis=1), slice(-8 * 8000, None)
    batch = AuxIVA(**OPTIONS).fit(x)
    model, sizes = AuxIVA(**OPTIONS, max_iter=3), []
    for start in range(0, len(x), 8000):
        model.partial_fit(x[start : start + 8000])
        sizes.append(len(pickle.dumps(model)))
    truth = images[tail, :, 0]
    stream, whole = (quality(truth, m.transform(x)[tail]).mean() for m in (model, batch))
    assert stream > whole - 1.5
    assert max(sizes[12:]) <= 1.05 * max(sizes[:12])
