"""Deep clustering: its embeddings, its masks, and any number of sources."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from anmf.deep import DeepClustering, load_about
from anmf.deep.clustering_loss import bin_weights
from anmf.deep.clustering_network import label_bins
from anmf.deep.excerpts import Excerpts
from anmf.deep.spectra import dominance, log_features, mixture_and_sources, to_spectra
from tests.deep.recordings import SMALL, S, X, bands, fitted, fitted_to_bands, sources


@pytest.fixture(scope="module")
def model():
    return fitted(DeepClustering)


def by_band(magnitude):
    """Directions that tell the bands apart."""
    high = np.arange(magnitude.shape[1]) >= magnitude.shape[1] // 2
    return np.broadcast_to(np.eye(2)[high.astype(int)], (*magnitude.shape, 2))


def test_the_loss_of_separable_sources_vanishes():
    learned = fitted_to_bands(DeepClustering)
    assert learned.loss_[-10:].mean() < 0.2 * learned.loss_[:10].mean()
    assert learned.held_out_loss_[-1] < 0.05


def test_batches_are_excerpts_with_their_targets():
    s = bands(0)
    batches = Excerpts(None, [s, 1e-42 * s], 256, 64, len(s), 2, 0, label_bins)
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
    with pytest.raises(ValueError, match=r"set_params\(n_sources=…\)"):
        model.score(y.sum(axis=1), y)


def test_embeddings_are_directions(model):
    V = model.transform(X[0])
    assert V.shape == (*to_spectra(X[0]).shape, 4)
    np.testing.assert_allclose(np.linalg.norm(V, axis=-1), 1, atol=1e-3)


def test_a_callable_takes_the_place_of_the_network():
    s = bands(0)
    x = s.sum(axis=1)
    planted = DeepClustering(embedding=by_band, mask="hard", random_state=0)
    assert planted.transform(x).shape == (*to_spectra(x).shape, 2)
    assert planted.score(x, s) > 20
    assert planted.score(x, s * [1, 0]) > 20  # a source that is silent does not count
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


def test_numbers_and_lengths_of_sources_may_differ():
    mixed = [*S[:3], *sources(2, 3, 0.3)]
    model = DeepClustering(**{**SMALL, "loss": "whitened"}).fit(None, mixed)
    assert np.isfinite(model.loss_).all() and np.isfinite(model.held_out_loss_).all()


def test_files_keep_their_names(model, tmp_path):
    """Those written by earlier versions stay readable."""
    model.save(tmp_path / "model.npz")
    assert load_about(tmp_path / "model.npz") == {
        "model": "deep clustering",
        "n_sources": 2,
        "sample_rate": 8000,
        "n_fft": 256,
        "hop_length": 64,
        "embedding_size": 4,
        "width": 16,
        "hidden": 16,
        "dilations": [1, 2],
        "loss": "affinity",
        "mask": "soft",
        "sharpness": 4.0,
    }
    with np.load(tmp_path / "model.npz") as file:
        arrays = {name: file[name].shape for name in file.files if "." in name}
    block = {
        "norm.gain": (16,), "norm.bias": (16,), "mix.W": (3, 16), "up.W": (16, 32), "up.b": (32,),
        "down.W": (16, 16), "down.b": (16,),
    }  # fmt: skip
    assert arrays == {
        "in.W": (645, 16), "in.b": (16,), "norm.gain": (16,), "norm.bias": (16,),
        "embedding.W": (16, 516), "embedding.b": (516,),
        **{f"block{i}.{name}": shape for i in range(2) for name, shape in block.items()},
    }  # fmt: skip
