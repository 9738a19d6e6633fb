"""What separators by trained networks share: trained, used, saved, resumed."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from anmf.deep import DeepClustering, PITSeparator, load_checkpoint, save_weights, separator, trunk
from anmf.deep.trunk import held_out_loss, loss_and_gradient
from tests.deep.recordings import (
    SMALL,
    S,
    X,
    bands,
    fitted,
    fitted_to_bands,
    in_double,
    unseparated,
)

KINDS = [DeepClustering, PITSeparator]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    return fitted(kind)


@pytest.fixture(scope="module")
def learned(kind):
    return fitted_to_bands(kind)


def test_training_lowers_the_loss_and_separates(learned):
    assert learned.n_iter_ == len(learned.loss_) == 150
    assert learned.loss_[-10:].mean() < 0.3 * learned.loss_[:10].mean()
    assert learned.held_out_loss_[-1] < 0.3 * learned.loss_[:10].mean()
    s = bands(99)
    x = s.sum(axis=1)
    assert learned.score(x, s) > unseparated(s) + 8
    assert learned.score(x, s) == pytest.approx(learned.score(x, s[:, ::-1]))


def test_voices_are_learned(kind):
    model = fitted(kind, max_iter=60, learning_rate=5e-3)
    assert model.loss_[-10:].mean() < 0.85 * model.loss_[:5].mean()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (DeepClustering, {"loss": "affinity"}),
        (DeepClustering, {"loss": "whitened"}),
        (PITSeparator, {"clustering": 0.0}),
        (PITSeparator, {"clustering": 0.7}),
        (PITSeparator, {"target": "magnitude"}),
    ],
)
def test_the_gradient_is_that_of_the_loss(kind, options):
    small = {"n_fft": 32, "hop_length": 8, "duration": 0.04, "batch_size": 2, "width": 6}
    model = kind(**{**SMALL, **small, **options})
    network, rng = model._network_to_train(), np.random.default_rng(0)
    batch = in_double(model._split(None, S, rng)[0](0))
    weights = {k: w.astype(float) for k, w in network.start(rng).items()}
    ways = {k: rng.standard_normal(w.shape) for k, w in weights.items()}
    settings = {"network": network, "terms": model._terms(network)}
    value, gradients = loss_and_gradient(weights, batch, **settings)
    assert set(gradients) == set(network.shapes)
    above, below = (
        loss_and_gradient({k: w + e * ways[k] for k, w in weights.items()}, batch, **settings)[0]
        for e in (1e-6, -1e-6)
    )
    slope = sum(float(np.sum(g * ways[k])) for k, g in gradients.items())
    assert (above - below) / 2e-6 == pytest.approx(slope, rel=1e-4)
    assert held_out_loss(weights, batches=[batch], **settings) == pytest.approx(value)


def test_held_out_mixtures_are_not_trained_on(kind):
    model = kind(**{**SMALL, "batch_size": 1, "validation_fraction": 0.4})
    kept, held = model._split(None, list(S), np.random.default_rng(0))
    assert len(kept.sources) == 3 and len(held) == 2
    drawn = {id(s) for s in kept.sources}
    assert len(drawn) == 3 and len({id(s) for s in S} - drawn) == 2
    rates = [model._recipe().rate_at(step, []) for step in range(6)]
    assert rates[0] == pytest.approx(2e-3) and rates[-1] < 0.2 * rates[0]
    assert kind()._recipe().rate_at(3000, []) == pytest.approx(0.02 * 2e-3)


def test_the_best_average_is_kept(kind, tmp_path):
    model = fitted(kind, checkpoint=tmp_path / "state.npz")
    state = load_checkpoint(tmp_path / "state.npz")
    for name, w in model.weights_.items():
        np.testing.assert_array_equal(w, state.best[name])
    assert any(not np.array_equal(w, state.weights[name]) for name, w in model.weights_.items())


def test_sources_sum_to_the_mixture(learned):
    mixture = bands(7).sum(axis=1)
    for x, atol in ((mixture.astype(np.float32), 1e-5), (mixture, 1e-10)):
        parts = learned.separate(x)
        assert parts.shape == (len(x), 2) and parts.dtype == x.dtype
        np.testing.assert_allclose(parts.sum(axis=1), x, atol=atol)


def test_pieces_of_a_long_mixture_fit_together(model, monkeypatch):
    whole = model.transform(X[0])
    monkeypatch.setattr(trunk, "_CHUNK", 7)
    np.testing.assert_allclose(model.transform(X[0]), whole, atol=1e-5)


def test_gain_has_no_influence(model):
    np.testing.assert_allclose(model.transform(100 * X[0]), model.transform(X[0]), atol=1e-3)


def test_silence_and_short_waveforms(model):
    np.testing.assert_array_equal(model.separate(np.zeros(500)), np.zeros((500, 2)))
    assert model.separate(X[0][:1]).shape == (1, 2)


def test_mixtures_are_the_sums_unless_given(kind, model):
    for name, w in fitted(kind, X).weights_.items():
        np.testing.assert_allclose(w, model.weights_[name], atol=1e-4)
    noisy = [x + np.random.default_rng(0).standard_normal(len(x)) for x in X]
    assert not np.allclose(fitted(kind, noisy).loss_, model.loss_, rtol=1e-3)


def test_the_same_seed_gives_the_same_model(model):
    again = clone(model).fit(None, S)
    for name, w in model.weights_.items():
        np.testing.assert_allclose(again.weights_[name], w, atol=1e-5)
    np.testing.assert_allclose(again.separate(X[0]), model.separate(X[0]), atol=1e-3)
    other = clone(model).set_params(random_state=1).fit(None, S)
    assert not np.allclose(other.loss_, model.loss_, rtol=1e-4)


def test_the_order_of_sources_has_no_influence(kind, model):
    turned = kind(**SMALL).fit(None, [s[:, ::-1] if i % 2 else s for i, s in enumerate(S)])
    np.testing.assert_allclose(turned.loss_, model.loss_, rtol=1e-4)
    for name, w in model.weights_.items():
        np.testing.assert_allclose(turned.weights_[name], w, atol=1e-4)


def test_saved_and_loaded_it_is_the_same(learned, tmp_path):
    kind = type(learned)
    learned.set_params(n_sources=np.int64(2)).save(tmp_path / "model.npz")
    loaded = kind.load(tmp_path / "model.npz").set_params(random_state=0)
    assert loaded.dilations == (1, 2) and loaded.width == 16 and loaded.hop_length == 64
    np.testing.assert_allclose(loaded.transform(X[0]), learned.transform(X[0]), atol=0.02)
    x = bands(5).sum(axis=1)
    np.testing.assert_allclose(loaded.separate(x), learned.separate(x), atol=0.02)
    loaded.save(tmp_path / "again.npz")
    again = kind.load(tmp_path / "again.npz")
    for name, w in loaded.weights_.items():
        np.testing.assert_array_equal(again.weights_[name], w)


def test_damaged_files_are_refused(model, tmp_path):
    path, kind = tmp_path / "model.npz", type(model)
    model.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"model\.npz"):
        kind.load(path)
    save_weights(path, {"W": np.ones(2)}, about={"what": "else"})
    with pytest.raises(ValueError, match=f"has no {kind._kind}.*{kind.__name__}.save"):
        kind.load(path)
    about = {"model": kind._kind, "dilations": [1, 2]}
    save_weights(path, model.weights_, about={**about, "width": -1})
    with pytest.raises(ValueError, match="has bad settings: width=-1"):
        kind.load(path)
    save_weights(path, model.weights_, about={**about, "width": 8})
    with pytest.raises(ValueError, match="is of another network"):
        kind.load(path)
    with pytest.raises(FileNotFoundError):
        kind.load(tmp_path / "none.npz")


def test_files_of_other_models_are_refused(model, tmp_path):
    model.save(tmp_path / "model.npz")
    for other in set(KINDS) - {type(model)}:
        with pytest.raises(ValueError, match=f"has no {other._kind}"):
            other.load(tmp_path / "model.npz")


def test_training_goes_on_from_a_checkpoint(kind, model, tmp_path, monkeypatch):
    options = {"checkpoint": tmp_path / "state.npz", "warm_start": True}
    full, calls = separator.loss_and_gradient, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return full(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(separator, "loss_and_gradient", interrupted)
        assert fitted(kind, **options).n_iter_ == 3
    assert load_checkpoint(options["checkpoint"]).step == 3
    resumed = fitted(kind, **options)
    assert resumed.n_iter_ == 6
    np.testing.assert_allclose(resumed.loss_, model.loss_, rtol=1e-4)
    with pytest.raises(ValueError, match="wrong shapes"):
        fitted(kind, **options, width=8)


def test_training_goes_on_from_its_weights(kind):
    model = fitted(kind, warm_start=True)
    before = model.weights_
    after = model.set_params(learning_rate=1e-6).fit(None, S).weights_
    close = [np.abs(after[name] - before[name]).max() < 1e-3 for name in before]
    assert all(close) and any(not np.array_equal(after[n], before[n]) for n in before)


def test_a_loss_that_is_not_finite_keeps_the_best_weights(kind, monkeypatch):
    def broken(weights, batch, **options):
        return np.nan, loss_and_gradient(weights, batch, **options)[1]

    monkeypatch.setattr(separator, "loss_and_gradient", broken)
    with pytest.warns(ConvergenceWarning, match="weren't finite"):
        model = fitted(kind, max_iter=40)
    assert all(np.isfinite(w).all() for w in model.weights_.values())


def test_parameters_stay_as_they_are(kind):
    dilations = [1, 2]
    model = kind(**{**SMALL, "dilations": dilations, "hop_length": None}).fit(None, S)
    assert model.get_params()["dilations"] is dilations and model.hop_length is None
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "weights_")


def test_unknown_parameters_are_refused(kind):
    with pytest.raises(TypeError, match="window"):
        kind(window="hann")
    with pytest.raises(ValueError, match="Invalid parameter 'window'"):
        kind().set_params(window="hann")


def test_unfitted_it_is_refused(kind):
    for use in (
        lambda m: m.separate(X[0]),
        lambda m: m.transform(X[0]),
        lambda m: m.score(X[0], S[0]),
        lambda m: m.save("x.npz"),
    ):
        with pytest.raises(NotFittedError):
            use(kind())


def test_settings_of_another_network_are_refused(model, tmp_path):
    other = clone(model).set_params(width=8)
    other.weights_ = model.weights_
    with pytest.raises(ValueError, match="wrong shapes"):
        other.separate(X[0])
    with pytest.raises(ValueError, match="wrong shapes"):
        other.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
