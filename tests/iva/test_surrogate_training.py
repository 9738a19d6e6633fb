"""Training of the surrogate source model: batches, gradients, checkpoints."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from anmf import AuxIVA
from anmf.iva import SurrogateSourceModel, surrogate, surrogate_training
from anmf.iva.surrogate_training import Batches
from anmf.iva.unrolled import unroll, unrolled_loss
from tests.iva.surrogate_cases import N_FFT, RATE, SMALL, fitted, recordings


@pytest.fixture(scope="module")
def model():
    return fitted()


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
