"""Deep clustering: trained, used, saved; and what it refuses."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from anmf.datasets import make_voices
from anmf.deep import clustering_network, deep_clustering, load_checkpoint, save_weights
from anmf.deep.clustering_loss import bin_weights
from anmf.deep.clustering_network import EmbeddingNetwork, Excerpts, loss_and_gradient
from anmf.deep.deep_clustering import DeepClustering
from anmf.deep.spectra import dominance, log_features, mixture_and_sources, to_spectra

RATE = 8000
SMALL = {
    "embedding_size": 4,
    "width": 16,
    "hidden": 16,
    "dilations": (1, 2),
    "batch_size": 3,
    "duration": 0.4,
    "max_iter": 6,
    "random_state": 0,
}


def sources(n=5, n_sources=2, seconds=0.6):
    made = [
        make_voices(n_sources, seconds, sample_rate=RATE, random_state=i).waveforms
        for i in range(n)
    ]
    return [s / s.std() for s in made]


S = sources()
X = [s.sum(axis=1) for s in S]


def fitted(mixtures=None, **options):
    return DeepClustering(**{**SMALL, **options}).fit(mixtures, S)


@pytest.fixture(scope="module")
def model():
    return fitted()


@pytest.fixture(scope="module")
def learned():
    """Low and high noise that come and go."""
    options = {"max_iter": 150, "learning_rate": 5e-3, "validation_fraction": 0.2}
    return DeepClustering(**{**SMALL, **options}).fit(None, [bands(i) for i in range(10)])


def bands(seed, n_times=6000):
    """Noise below 2 kHz and noise above, each with its own rhythm."""
    rng = np.random.default_rng(seed)
    Z = np.fft.rfft(rng.standard_normal((2, n_times)))
    middle = Z.shape[1] // 2
    Z[0, middle:] = Z[1, :middle] = 0
    gates = np.repeat(rng.uniform(0.1, 1, (2, n_times // 600)), 600, axis=1)
    return (np.fft.irfft(Z, n_times) * gates).T


def by_band(magnitude):
    """Directions that tell the bands apart."""
    high = np.arange(magnitude.shape[1]) >= magnitude.shape[1] // 2
    return np.broadcast_to(np.eye(2)[high.astype(int)], (*magnitude.shape, 2))


def test_training_lowers_the_loss_and_separates(learned):
    assert learned.n_iter_ == len(learned.loss_) == 150
    assert learned.loss_[-10:].mean() < 0.2 * learned.loss_[:10].mean()
    assert learned.held_out_loss_[-1] < 0.05
    s = bands(99)
    x = s.sum(axis=1)
    unseparated = DeepClustering(embedding=lambda A: np.ones((*A.shape, 1))).score(x, s)
    assert learned.score(x, s) > unseparated + 8
    assert learned.score(x, s) == pytest.approx(learned.score(x, s[:, ::-1]))


def test_voices_are_learned():
    model = fitted(max_iter=60, learning_rate=5e-3)
    assert model.loss_[-10:].mean() < 0.8 * model.loss_[:5].mean()


@pytest.mark.parametrize("loss", ["affinity", "whitened"])
def test_the_gradient_is_that_of_the_loss(loss):
    network = EmbeddingNetwork(17, 3, 6, 5, (1, 2))
    batch = Excerpts(None, S, 32, 8, 300, 2, 0)(0)
    batch = batch._replace(**{k: getattr(batch, k).astype(float) for k in ("features", "weight")})
    rng = np.random.default_rng(0)
    weights = {k: w.astype(float) for k, w in network.start(rng).items()}
    ways = {k: rng.standard_normal(w.shape) for k, w in weights.items()}
    value, gradients = loss_and_gradient(weights, batch, network=network, loss=loss)
    assert set(gradients) == set(network.shapes)
    above, below = (
        loss_and_gradient(
            {k: w + e * ways[k] for k, w in weights.items()}, batch, network=network, loss=loss
        )[0]
        for e in (1e-6, -1e-6)
    )
    slope = sum(float(np.sum(g * ways[k])) for k, g in gradients.items())
    assert (above - below) / 2e-6 == pytest.approx(slope, rel=1e-4)
    held = clustering_network.held_out_loss(weights, batches=[batch], network=network, loss=loss)
    assert held == pytest.approx(value)


def test_batches_are_excerpts_with_their_targets():
    s = bands(0)
    batches = Excerpts(None, [s, 1e-42 * s], 256, 64, len(s), 2, 0)
    batch = batches.batch([0, 1], np.random.default_rng(0))
    X, parts = mixture_and_sources(s.T[None])
    for row in range(2):  # where all is heard, whatever the gain
        np.testing.assert_allclose(
            batch.features[row], log_features(np.abs(X), xp=np)[0], atol=1e-3
        )
        weight = bin_weights(np.abs(X[:, batch.frames]), xp=np)[0]
        np.testing.assert_allclose(batch.weight[row], weight, atol=1e-6)
        assert np.mean(batch.Y[row] == dominance(parts[:, batch.frames], xp=np)[0]) > 0.999
    assert {batches(step).frames.start for step in range(20)} == {0, 1, 2}
    np.testing.assert_array_equal(batches(7).features, batches(7).features)


def test_held_out_mixtures_are_not_trained_on():
    model = DeepClustering(**{**SMALL, "batch_size": 1, "validation_fraction": 0.4})
    kept, held = model._split(None, list(S), np.random.default_rng(0))
    assert len(kept.sources) == 3 and len(held) == 2
    drawn = {id(s) for s in kept.sources}
    assert len(drawn) == 3 and len({id(s) for s in S} - drawn) == 2
    rates = [model._recipe().rate_at(step, []) for step in range(6)]
    assert rates[0] == pytest.approx(2e-3) and rates[-1] < 0.2 * rates[0]
    assert DeepClustering()._recipe().rate_at(3000, []) == pytest.approx(0.02 * 2e-3)


def test_the_best_average_is_kept(tmp_path):
    model = fitted(checkpoint=tmp_path / "state.npz")
    state = load_checkpoint(tmp_path / "state.npz")
    for name, w in model.weights_.items():
        np.testing.assert_array_equal(w, state.best[name])
    assert any(not np.array_equal(w, state.weights[name]) for name, w in model.weights_.items())


@pytest.mark.parametrize("n_sources", [1, 2, 3])
@pytest.mark.parametrize("mask", ["soft", "hard"])
def test_sources_sum_to_the_mixture(model, n_sources, mask):
    weights = model.weights_
    model = clone(model).set_params(n_sources=n_sources, mask=mask)
    model.weights_ = weights
    for x, atol in ((X[0].astype(np.float32), 1e-5), (X[0].astype(np.float64), 1e-10)):
        parts = model.separate(x)
        assert parts.shape == (len(x), n_sources) and parts.dtype == x.dtype
        np.testing.assert_allclose(parts.sum(axis=1), x, atol=atol)


def test_the_number_of_sources_may_change(model):
    three = clone(model).set_params(n_sources=3)
    three.weights_ = model.weights_
    y = sources(1, 3)[0]
    assert three.separate(y.sum(axis=1)).shape == y.shape
    assert np.isfinite(three.score(y.sum(axis=1), y, metric="snr"))


def test_embeddings_are_directions_blind_to_gain(model):
    V = model.transform(X[0])
    assert V.shape == (*to_spectra(X[0]).shape, 4)
    np.testing.assert_allclose(np.linalg.norm(V, axis=-1), 1, atol=1e-3)
    np.testing.assert_allclose(model.transform(100 * X[0]), V, atol=1e-3)


def test_pieces_of_a_long_mixture_fit_together(model, monkeypatch):
    whole = model.transform(X[0])
    monkeypatch.setattr(clustering_network, "_CHUNK", 7)
    np.testing.assert_allclose(model.transform(X[0]), whole, atol=1e-5)


def test_silence_and_short_waveforms(model):
    np.testing.assert_array_equal(model.separate(np.zeros(500)), np.zeros((500, 2)))
    assert model.separate(X[0][:1]).shape == (1, 2)


def test_a_callable_takes_the_place_of_the_network():
    s = bands(0)
    x = s.sum(axis=1)
    planted = DeepClustering(embedding=by_band, mask="hard", random_state=0)
    assert planted.transform(x).shape == (*to_spectra(x).shape, 2)
    assert planted.score(x, s) > 20
    assert planted.fit(X, S) is planted and not hasattr(planted, "weights_")
    with pytest.raises(NotFittedError):
        planted.save("none.npz")


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (lambda A: A, "embedding returned shape"),
        (lambda A: by_band(A)[1:], "embedding returned shape"),
        (lambda A: by_band(A).astype(int), "dtype int64"),
        (lambda A: 2 * by_band(A), "unit length"),
        (lambda A: np.nan * by_band(A), "unit length"),
        ("network", "embedding='network' must be a callable"),
    ],
)
def test_bad_embeddings_are_refused(embedding, message):
    with pytest.raises(ValueError, match=message):
        DeepClustering(embedding=embedding).separate(X[0])


def test_mixtures_are_the_sums_unless_given(model):
    for name, w in fitted(X).weights_.items():
        np.testing.assert_allclose(w, model.weights_[name], atol=1e-4)
    noisy = [x + np.random.default_rng(0).standard_normal(len(x)) for x in X]
    assert not np.allclose(fitted(noisy).loss_, model.loss_, rtol=1e-3)


def test_numbers_and_lengths_of_sources_may_differ():
    mixed = [*S[:3], *sources(2, 3, 0.3)]
    model = DeepClustering(**{**SMALL, "loss": "whitened"}).fit(None, mixed)
    assert np.isfinite(model.loss_).all() and np.isfinite(model.held_out_loss_).all()


def test_the_same_seed_gives_the_same_model(model):
    again = clone(model).fit(None, S)
    for name, w in model.weights_.items():
        np.testing.assert_allclose(again.weights_[name], w, atol=1e-5)
    np.testing.assert_allclose(again.separate(X[0]), model.separate(X[0]), atol=1e-3)
    other = clone(model).set_params(random_state=1).fit(None, S)
    assert not np.allclose(other.loss_, model.loss_, rtol=1e-4)


def test_saved_and_loaded_it_is_the_same(learned, tmp_path):
    learned.set_params(n_sources=np.int64(2)).save(tmp_path / "model.npz")
    loaded = DeepClustering.load(tmp_path / "model.npz").set_params(random_state=0)
    assert loaded.dilations == (1, 2) and loaded.width == 16 and loaded.hop_length == 64
    np.testing.assert_allclose(loaded.transform(X[0]), learned.transform(X[0]), atol=0.02)
    x = bands(5).sum(axis=1)
    np.testing.assert_allclose(loaded.separate(x), learned.separate(x), atol=0.02)
    loaded.save(tmp_path / "again.npz")
    again = DeepClustering.load(tmp_path / "again.npz")
    for name, w in loaded.weights_.items():
        np.testing.assert_array_equal(again.weights_[name], w)


def test_damaged_files_are_refused(model, tmp_path):
    path = tmp_path / "model.npz"
    model.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"model\.npz"):
        DeepClustering.load(path)
    save_weights(path, {"W": np.ones(2)}, about={"what": "else"})
    with pytest.raises(ValueError, match="has no deep clustering"):
        DeepClustering.load(path)
    about = {"model": "deep clustering", "dilations": [1, 2]}
    save_weights(path, model.weights_, about={**about, "width": -1})
    with pytest.raises(ValueError, match="has bad settings: width=-1"):
        DeepClustering.load(path)
    save_weights(path, model.weights_, about={**about, "width": 8})
    with pytest.raises(ValueError, match="is of another network"):
        DeepClustering.load(path)
    with pytest.raises(FileNotFoundError):
        DeepClustering.load(tmp_path / "none.npz")


def test_training_goes_on_from_a_checkpoint(model, tmp_path, monkeypatch):
    options = {"checkpoint": tmp_path / "state.npz", "warm_start": True}
    full, calls = deep_clustering.loss_and_gradient, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return full(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(deep_clustering, "loss_and_gradient", interrupted)
        assert fitted(**options).n_iter_ == 3
    assert load_checkpoint(options["checkpoint"]).step == 3
    resumed = fitted(**options)
    assert resumed.n_iter_ == 6
    np.testing.assert_allclose(resumed.loss_, model.loss_, rtol=1e-4)
    with pytest.raises(ValueError, match="wrong shapes"):
        fitted(**options, width=8)


def test_training_goes_on_from_its_weights():
    model = fitted(warm_start=True)
    before = model.weights_
    after = model.set_params(learning_rate=1e-6).fit(None, S).weights_
    close = [np.abs(after[name] - before[name]).max() < 1e-3 for name in before]
    assert all(close) and any(not np.array_equal(after[n], before[n]) for n in before)


def test_a_loss_that_is_not_finite_keeps_the_best_weights(monkeypatch):
    def broken(weights, batch, **options):
        return np.nan, loss_and_gradient(weights, batch, **options)[1]

    monkeypatch.setattr(deep_clustering, "loss_and_gradient", broken)
    with pytest.warns(ConvergenceWarning, match="weren't finite"):
        model = fitted(max_iter=40)
    assert all(np.isfinite(w).all() for w in model.weights_.values())


def test_unknown_parameters_are_refused():
    with pytest.raises(TypeError, match="window"):
        DeepClustering(window="hann")
    with pytest.raises(ValueError, match="Invalid parameter 'window'"):
        DeepClustering().set_params(window="hann")


def test_unfitted_it_is_refused():
    for use in (lambda m: m.separate(X[0]), lambda m: m.transform(X[0]), lambda m: m.save("x.npz")):
        with pytest.raises(NotFittedError):
            use(DeepClustering())


def test_settings_of_another_network_are_refused(model, tmp_path):
    other = clone(model).set_params(width=8)
    other.weights_ = model.weights_
    with pytest.raises(ValueError, match="wrong shapes"):
        other.separate(X[0])
    with pytest.raises(ValueError, match="wrong shapes"):
        other.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.stack([X[0], X[0]], axis=1), "expected one channel"),
        (np.nan * X[0], "NaN or infinity"),
        (np.arange(500), "dtype int64"),
        (np.zeros(0), "x is empty"),
        (1j * X[0], "x is complex"),
    ],
)
def test_bad_waveforms_are_refused(model, x, message):
    for use in (model.separate, model.transform, lambda x: model.score(x, S[0])):
        with pytest.raises(ValueError, match=message):
            use(x)


@pytest.mark.parametrize(
    ("y", "metric", "message"),
    [
        (S[0][:, :1], "si_sdr", r"y has shape \(4800, 1\)"),
        (S[0][:-1], "si_sdr", r"y has shape \(4799, 2\)"),
        (S[0].T, "si_sdr", "transpose it"),
        (np.nan * S[0], "si_sdr", "y holds NaN"),
        (S[0], "sdri", "metric='sdri' must be one of"),
    ],
)
def test_bad_references_are_refused(model, y, metric, message):
    with pytest.raises(ValueError, match=message):
        model.score(X[0], y, metric=metric)


@pytest.mark.parametrize(
    ("options", "mixtures", "truth", "message"),
    [
        ({}, X[:1], S[:1], "of 1 mixtures; expected two at least"),
        ({}, None, [], "of 0 mixtures"),
        ({}, X, S[:2], "mixtures and sources are 5 and 2"),
        ({}, X, [*S[:4], S[4][:50]], r"mixtures\[4\] has shape"),
        ({}, [X[0][:, None], *X[1:]], S, r"mixtures\[0\] has shape \(4800, 1\)"),
        ({}, None, [S[0][:, :1], *S[1:]], r"sources\[0\] has shape \(4800, 1\)"),
        ({}, None, [S[0][:, 0], *S[1:]], r"sources\[0\] has shape \(4800,\)"),
        ({}, None, [S[0].T, *S[1:]], "transpose it"),
        ({}, [0 * X[0], *X[1:]], S, r"mixtures\[0\] is silent"),
        ({}, None, [S[0] * [1, 0], *S[1:]], r"sources\[0\] is silent in column 1"),
        ({}, [X[0] * np.nan, *X[1:]], S, r"mixtures\[0\] holds NaN"),
        ({}, None, [S[0] * np.inf, *S[1:]], r"sources\[0\] holds NaN or inf"),
        ({}, None, [s.astype(int) for s in S], "dtype int64"),
        ({"n_sources": 0}, None, S, "n_sources=0"),
        ({"sample_rate": 8e3}, None, S, "sample_rate=8000.0"),
        ({"n_fft": 1}, None, S, "n_fft=1"),
        ({"hop_length": 300}, None, S, "hop_length=300"),
        ({"embedding_size": 0}, None, S, "embedding_size=0"),
        ({"width": True}, None, S, "width=True"),
        ({"hidden": None}, None, S, "hidden=None"),
        ({"dilations": ()}, None, S, r"dilations=\(\) must be"),
        ({"dilations": 3}, None, S, "dilations=3 must be"),
        ({"dilations": (1, 0)}, None, S, "dilations=0"),
        ({"loss": "pit"}, None, S, "loss='pit' must be one of"),
        ({"mask": "wiener"}, None, S, "mask='wiener' must be one of"),
        ({"sharpness": -1.0}, None, S, "sharpness=-1.0"),
        ({"batch_size": 0}, None, S, "batch_size=0"),
        ({"duration": 0.001}, None, S, "duration=0.001"),
        ({"max_iter": 0}, None, S, "max_iter=0"),
        ({"learning_rate": 0.0}, None, S, r"learning_rate=0\.0"),
        ({"validation_fraction": 1.0}, None, S, r"validation_fraction=1\.0"),
        ({"checkpoint": "state.txt"}, None, S, "must end in .npz"),
    ],
)
def test_bad_input_is_refused(options, mixtures, truth, message):
    with pytest.raises(ValueError, match=message):
        DeepClustering(**{**SMALL, **options}).fit(mixtures, truth)
