"""The surrogate source model: trained, used by AuxIVA, saved; and what it refuses."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from anmf import AuxIVA
from anmf._core.arrays import namespace, to_host
from anmf.iva import (
    SurrogateSourceModel,
    auxiva,
    check_source_model,
    surrogate,
    surrogate_training,
)
from anmf.iva.surrogate_training import Batches
from anmf.iva.unrolled import unroll, unrolled_loss
from tests.embedding.data import LIBRARIES

RATE, N_FFT = 8000, 128
SMALL = {
    "sample_rate": RATE,
    "n_fft": N_FFT,
    "n_bands": 6,
    "width": 8,
    "duration": 0.3,
    "n_iter": (3, 5),
    "batch_size": 2,
    "max_iter": 4,
    "random_state": 0,
}


def recordings(n=5, n_sources=2, n_times=4000, seed=0):
    """Instantaneous mixtures of sounds that come and go."""
    rng = np.random.default_rng(seed)
    mixtures, sources = [], []
    for _ in range(n):
        gates = np.repeat(rng.gamma(0.3, size=(n_times // 400, n_sources)), 400, axis=0)
        s = gates * rng.standard_normal((n_times, n_sources))
        mixing = np.eye(n_sources) + 0.6 * rng.standard_normal((n_sources, n_sources))
        sources.append(s * mixing[0])
        mixtures.append(s @ mixing.T)
    return mixtures, sources


def fitted(**options):
    return SurrogateSourceModel(**{**SMALL, **options}).fit(*recordings())


@pytest.fixture(scope="module")
def model():
    return fitted()


def untrained():
    model = SurrogateSourceModel(**SMALL)
    model.weights_ = model._bands().network.start(0)
    return model


def test_untrained_it_is_gauss():
    power = np.random.default_rng(0).gamma(0.4, size=(65, 2, 20))
    model = untrained()
    weights, _, _ = model.update(power, model.start(power.shape, None, None, power), xp=np)
    expected = np.broadcast_to(1 / power.mean(axis=0, keepdims=True), power.shape)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_training_lowers_the_loss():
    model = fitted(max_iter=40, learning_rate=5e-3, n_iter=(4, 4))
    assert model.n_iter_ == len(model.loss_) == 40
    assert model.loss_[-10:].mean() < model.loss_[:10].mean() - 1
    assert np.isfinite(model.held_out_loss_).all()


@pytest.mark.parametrize("loss", ["sdr", "coherence"])
def test_gradients_reach_every_weight(loss):
    model = fitted(loss=loss, max_iter=2)
    start = model._bands().network.start(np.random.default_rng(0))
    moved = [name for name in start if not np.array_equal(model.weights_[name], start[name])]
    assert len(moved) == len(start)


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


def test_streams_with_silent_frequencies(model):
    x = np.tile(recordings(1)[0][0], (4, 1))
    high = np.cos(np.pi * np.arange(len(x)))[:, None] * 1e-30  # nothing else is exactly zero
    stream = AuxIVA(source_model=model, n_fft=N_FFT, max_iter=3)
    parts = stream.fit_transform_stream([0 * x[:4000] + high[:4000], x[:8000], x[8000:]])
    y = np.concatenate(list(parts))
    assert y.shape == (4000 + len(x), 2) and np.isfinite(y).all()


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


def test_the_same_seed_gives_the_same_model(model):
    again = clone(model).fit(*recordings())
    for name, w in model.weights_.items():
        np.testing.assert_allclose(again.weights_[name], w, atol=1e-5)


def test_training_goes_on_from_a_checkpoint(tmp_path):
    options = {"checkpoint": tmp_path / "state.npz", "warm_start": True}
    whole = fitted(max_iter=6)
    fitted(max_iter=6, **options)
    resumed = fitted(max_iter=6, **options)  # nothing is left to do
    assert resumed.n_iter_ == 6
    np.testing.assert_allclose(resumed.loss_, whole.loss_, rtol=1e-4)


def test_training_goes_on_from_its_weights():
    model = SurrogateSourceModel(**SMALL, warm_start=True).fit(*recordings())
    before = model.weights_
    after = model.fit(*recordings()).weights_
    close = [np.abs(after[name] - before[name]).max() < 0.05 for name in before]
    assert all(close) and any(not np.array_equal(after[n], before[n]) for n in before)


def test_a_loss_that_is_not_finite_keeps_the_best_weights(monkeypatch):
    def broken(weights, batch, **options):
        calls.append(1)
        loss, gradients = surrogate_training.loss_and_gradient(weights, batch, **options)
        return (np.nan if len(calls) > 3 else loss), gradients

    calls = []
    monkeypatch.setattr(surrogate, "loss_and_gradient", broken)
    with pytest.warns(ConvergenceWarning, match="weren't finite"):
        model = fitted(max_iter=40)
    assert len(model.loss_) == 13
    assert all(np.isfinite(w).all() for w in model.weights_.values())


def test_batches_hold_recordings_of_one_size_of_array():
    (a, s), (b, t) = recordings(3), recordings(2, 3)
    frames = (N_FFT, 32, "hann")
    batches = Batches(a + b, s + t, frames, 1000, 2, (3, 5), 0)
    shapes = {batches(step)[0].shape for step in range(20)}
    assert shapes == {(2, 65, n, 33) for n in (2, 3)}
    again = batches(7), batches(7)
    np.testing.assert_array_equal(again[0][0], again[1][0])
    assert {batches(step)[2] for step in range(40)} == {3, 4, 5}


def test_narrow_batches_are_the_lower_half():
    data, options = recordings(), ((N_FFT, 32, "hann"), 1000, 2, (3, 5), 0)
    whole, some, narrow = (Batches(*data, *options, narrow=share) for share in (0, 0.5, 1))
    for step in range(3):
        for wide, half in zip(whole(step)[:2], narrow(step)[:2], strict=True):
            np.testing.assert_array_equal(half, wide[:, :33])
        assert narrow(step)[2] == whole(step)[2]
    assert {some(step)[0].shape[1] for step in range(20)} == {33, 65}


def test_half_of_the_batches_have_a_lead():
    batches = Batches(*recordings(), (N_FFT, 32, "hann"), 1000, 2, (3, 5), 0, lead=6)
    leads = [batches(step)[3] for step in range(200)]
    assert set(leads) == set(range(7)) and 80 < leads.count(0) < 130


def test_a_lead_is_where_gradients_begin(model):
    X, R, n_iter, _ = Batches(*recordings(), (N_FFT, 32, "hann"), 1000, 2, (4, 4), 0)(0)
    options = {"bands": model._bands(), "loss": "sdr"}
    value, gradients = surrogate_training.loss_and_gradient(
        model.weights_, (X, R, n_iter, 8), **options
    )
    weighing = surrogate_training.Weighing(model.weights_, model._bands())
    W = unroll(X, weighing, 8, xp=np)[-1]
    expected, own = unrolled_loss(
        X, weighing, surrogate_training.LOSSES["sdr"](R, X), 4, xp=np, at=(2, 4), W=W
    )
    assert value == pytest.approx(float(expected))
    for name, g in gradients.items():
        np.testing.assert_allclose(g, own[name], rtol=1e-4, atol=1e-6)


def test_training_on_narrow_batches_serves_half_the_rate(model):
    narrow = fitted(narrow=1.0)
    assert np.abs(narrow.weights_["out.W"] - model.weights_["out.W"]).max() > 1e-4
    x = recordings(1)[0][0]
    other = narrow.adapted(RATE // 2, N_FFT // 2)
    assert AuxIVA(source_model=other, n_fft=N_FFT // 2, max_iter=2).fit(x).n_iter_ == 2


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
