"""The surrogate source model: trained, used by AuxIVA, saved; and what it refuses."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from anmf import AuxIVA
from anmf._core.arrays import namespace, to_host
from anmf.iva import (
    SurrogateSourceModel,
    auxiva,
    check_source_model,
    online,
    surrogate,
)
from tests.embedding.data import LIBRARIES
from tests.iva.surrogate_cases import N_FFT, RATE, SMALL, fitted, recordings, untrained


@pytest.fixture(scope="module")
def model():
    return fitted()


def test_untrained_it_is_gauss():
    power = np.random.default_rng(0).gamma(0.4, size=(65, 2, 20))
    model = untrained()
    weights, _, _ = model.update(power, model.start(power.shape, None, None, power), xp=np)
    expected = np.broadcast_to(1 / power.mean(axis=0, keepdims=True), power.shape)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_weights_follow_the_scale_of_each_source(model):
    power = np.random.default_rng(0).gamma(0.4, size=(65, 2, 20))
    state = model.start(power.shape, None, None, power)
    scale = np.array([4.0, 1e-3])[:, None]
    weights, loss, _ = model.update(power, state, xp=np)
    scaled, other, _ = model.update(scale * power, state, xp=np)
    np.testing.assert_allclose(scaled * scale, weights, rtol=1e-4)
    assert loss == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("update", ["iss", "iss2", "ip", "ip2"])
@pytest.mark.parametrize("n_sources", [2, 3])
def test_any_update_and_number_of_sources(model, update, n_sources):
    x = recordings(1, n_sources)[0][0]
    separator = AuxIVA(source_model=model, update=update, n_fft=N_FFT, max_iter=4)
    images = separator.fit(x).separate(x)
    np.testing.assert_allclose(images.sum(axis=1), x, atol=1e-8)
    few = AuxIVA(n_sources - 1, source_model=model, n_fft=N_FFT, max_iter=2)
    assert few.fit_transform(x).shape == (len(x), n_sources - 1)


@pytest.mark.parametrize("library", [np.asarray, *LIBRARIES])
def test_silent_frequencies_are_left_out(model, library):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((65, 2, 30)) + 1j * rng.standard_normal((65, 2, 30))
    X[40:] = 0
    found = to_host(auxiva(library(X), source_model=model, max_iter=3)[0])
    assert np.isfinite(found).all() and np.all(found[40:] == 0)
    assert np.abs(found[:40] - X[:40]).max() > 0.01


def test_streams_leave_out_silent_frequencies(model):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((65, 2, 30)) + 1j * rng.standard_normal((65, 2, 30))
    Z[40:] = 0
    louder = online.Louder(model, 2.0)
    found, *_ = auxiva(Z, source_model=louder, max_iter=3)
    assert np.isfinite(found).all() and np.all(found[40:] == 0)


def test_frequencies_that_are_heard_keep_their_bands(model):
    rng = np.random.default_rng(0)
    power, heard = rng.gamma(0.4, size=(65, 2, 20)), np.arange(65) < 40
    weights, bands = model.among(heard).start((40, 2, 20), None, None, power)
    np.testing.assert_allclose(bands.up, model._bands().up[:40])
    assert np.isfinite(surrogate.weigh(power[:40], weights, bands, xp=np)).all()


def test_levels_do_not_drift(model):
    power = np.random.default_rng(0).gamma(0.4, size=(65, 2, 20)) * np.array([[1e-9], [1e9]])
    weights, loss, _ = model.update(power, model.start(power.shape, None, None, power), xp=np)
    np.testing.assert_allclose((weights * power).mean(axis=(0, 2)), 1, rtol=1e-5)
    assert loss == 2
    x = recordings(1)[0][0].astype(np.float32)
    assert np.isfinite(AuxIVA(source_model=model, n_fft=N_FFT, max_iter=300).fit_transform(x)).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_libraries(model, library):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((65, 2, 30)) + 1j * rng.standard_normal((65, 2, 30))
    found, *_ = auxiva(library(X), source_model=model, max_iter=3)
    assert namespace(found) is namespace(library(X))
    expected, *_ = auxiva(X, source_model=model, max_iter=3)
    np.testing.assert_allclose(to_host(found), expected, atol=1e-4)


def test_saved_and_loaded_it_is_the_same(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = SurrogateSourceModel.load(tmp_path / "model.npz")
    x = recordings(1)[0][0]
    found, expected = (
        AuxIVA(source_model=m, n_fft=N_FFT, max_iter=4).fit_transform(x) for m in (loaded, model)
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert loaded.get_params()["n_bands"] == 6 and loaded.sample_rate == RATE
    with np.load(tmp_path / "model.npz") as file:
        assert {"conv.W", "out.b"} <= set(file.files)


def test_damaged_files_are_refused(model, tmp_path):
    path = tmp_path / "model.npz"
    model.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"model\.npz"):
        SurrogateSourceModel.load(path)
    from anmf.deep import save_weights

    save_weights(tmp_path / "other.npz", {"W": np.ones(2)}, about={"what": "else"})
    with pytest.raises(ValueError, match="has no surrogate source model"):
        SurrogateSourceModel.load(tmp_path / "other.npz")


def test_other_spectra_are_refused_with_the_remedy(model):
    x = recordings(1)[0][0]
    with pytest.raises(ValueError, match=r"trained for n_fft=128.*adapted\(sample_rate, n_fft=64"):
        AuxIVA(source_model=model, n_fft=64).fit(x)
    other = model.adapted(2 * RATE, 256)
    assert AuxIVA(source_model=other, n_fft=256, max_iter=2).fit_transform(x).shape == x.shape
    check_source_model(model.adapted(RATE, 78))


def test_unfitted_it_is_refused():
    with pytest.raises(NotFittedError):
        AuxIVA(source_model=SurrogateSourceModel(), n_fft=N_FFT).fit(recordings(1)[0][0])


X, S = recordings(3)


@pytest.mark.parametrize(
    ("options", "mixtures", "sources", "message"),
    [
        ({}, X[:1], S[:1], "1 recordings; expected two at least"),
        ({}, X, S[:2], "are 3 and 2"),
        ({}, X, [S[0], S[1], S[2][:50]], r"sources\[2\] have shapes"),
        ({}, X, [S[0], S[1][:, :1], S[2]], r"sources\[1\] have shapes"),
        ({}, [X[0], X[1][:, 0], X[2]], S, r"mixtures\[1\]"),
        ({}, [0 * X[0], *X[1:]], S, r"mixtures\[0\] is silent in column 0"),
        ({}, X, [S[0] * [1, 0], *S[1:]], r"sources\[0\] is silent in column 1"),
        ({}, [X[0] * np.nan, *X[1:]], S, "NaN or infinity"),
        ({}, [x.astype(int) for x in X], S, "dtype int64"),
        ({"loss": "mse"}, X, S, "loss='mse' must be one of"),
        ({"n_iter": (5, 3)}, X, S, r"n_iter=\(5, 3\) must be two numbers"),
        ({"max_iter": 0}, X, S, "max_iter=0"),
        ({"n_fft": 0}, X, S, "n_fft=0"),
        ({"duration": 0.001}, X, S, "duration=0.001"),
        ({"validation_fraction": 1.0}, X, S, "validation_fraction=1.0"),
        ({"batch_size": 0}, X, S, "batch_size=0"),
    ],
)
def test_bad_input_is_refused(options, mixtures, sources, message):
    with pytest.raises(ValueError, match=message):
        SurrogateSourceModel(**{**SMALL, **options}).fit(mixtures, sources)
