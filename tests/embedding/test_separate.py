"""`SVDDecorrelator` takes recordings apart: its contract, planted speakers, and what it refuses."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding import SVDDecorrelator
from anmf.embedding.seeding import spherical_kmeans
from anmf.metrics import centred_cosine
from tests.embedding.data import (
    KINDS,
    LIBRARIES,
    assert_same,
    background,
    fitted,
    in_order,
    recording,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_speakers", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(2))
def test_planted_speakers_are_found(kind, n_speakers, seed):
    X, who, true = recording(kind, n_speakers, seed)
    model = fitted(kind, n_speakers=n_speakers)
    model.separate(X)
    values, order = in_order(model, true)
    assert values.min() > 0.95
    error = np.linalg.norm(model.speaker_embeddings_[order] - true, axis=1)
    assert np.all(error < 0.35 * np.linalg.norm(true - model.mean_, axis=1))
    both = who[:, 1] >= 0
    assert np.mean(model.overlap_ == both) > 0.97
    assert np.all(model.labels_[~both] == order[who[~both, 0]])
    assert np.all((model.labels_[:, None] == np.where(who < 0, -9, order[who])).any(axis=1))
    active = np.zeros((len(X), n_speakers), bool)
    active[np.arange(len(X)), order[who[:, 0]]] = True
    active[both, order[who[both, 1]]] = True
    assert np.mean((model.activations_ > 0.5) == active) > 0.97


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_speakers", [1, 3, None])
def test_contract(kind, dtype, n_speakers):
    X = recording(kind)[0].astype(dtype)
    X.flags.writeable = False
    model = fitted(kind, n_speakers=n_speakers)
    parts, k = model.separate(X), model.n_speakers_
    assert parts.shape == (40, k, X.shape[1]) and k == (n_speakers or k)
    np.testing.assert_allclose(parts.sum(axis=1), X, atol=20 * np.finfo(dtype).eps)
    assert model.speaker_embeddings_.shape == (k, X.shape[1])
    assert model.activations_.shape == (40, k) and np.all(model.activations_ >= 0)
    assert parts.dtype == model.speaker_embeddings_.dtype == model.activations_.dtype == dtype
    assert model.labels_.shape == model.overlap_.shape == (40,)
    assert model.labels_.dtype.kind == "i" and model.overlap_.dtype == bool
    assert model.talking_[np.arange(40), model.labels_].all()
    np.testing.assert_array_equal(model.overlap_, model.talking_.sum(axis=1) > 1)
    for copy in (pickle.loads(pickle.dumps(model)), clone(model).fit(*background(kind))):
        np.testing.assert_allclose(copy.separate(X), parts, atol=1e-4 if dtype == "f" else 1e-9)
    assert not hasattr(clone(model), "speaker_embeddings_")
    fresh = clone(model).set_params(covariance="total")
    assert fresh.fit_separate(np.array(X)).shape[::2] == X.shape


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_windows_of_one_speaker_are_theirs(kind):
    X, who, _ = recording(kind, overlap=0.0)
    model = fitted(kind, n_speakers=3)
    parts = model.separate(X)
    own = parts[np.arange(40), model.labels_]
    assert np.sum((own - X) ** 2) < 0.15 * np.sum((X - model.mean_) ** 2)
    assert model.score(X, who[:, 0]) == 1


def test_the_model_is_chosen_by_labels_or_by_name():
    X, _, true = recording(n_speakers=4, overlap=0.7)
    auto, pairs, cone = (
        fitted("pairs", n_speakers=4, demixing_model=name)
        for name in ("auto", "pair-mixture", "cone")
    )
    for model in (auto, pairs, cone):
        model.separate(X)
    assert_same(auto, pairs)
    values = [in_order(model, true)[0].mean() for model in (pairs, cone)]
    assert values[0] > 0.95 and values[0] > values[1] + 0.1
    auto.set_params(demixing_model="cone", n_speakers=2).separate(X)
    assert auto.n_speakers_ == 2


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_segments(kind):
    X, rows = recording(kind)[0], np.random.default_rng(0).permutation(40)
    model, other = fitted(kind, n_speakers=3), fitted(kind, n_speakers=3)
    model.separate(X), other.separate(X[rows])
    for name in ("activations_", "overlap_", "labels_"):
        setattr(other, name, getattr(other, name)[np.argsort(rows)])
    assert_same(other, model, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_speakers", [3, None])
@pytest.mark.parametrize("change", [
    lambda X: 1e-3 * X, lambda X: 1e3 * X, lambda X: X + 5, lambda X: X[:, ::-1],
    lambda X: X @ np.linalg.qr(np.random.default_rng(0).standard_normal((X.shape[1],) * 2))[0],
], ids=["small", "large", "moved", "mirrored", "turned"])  # fmt: skip
def test_units_origin_and_axes_don_t_matter(kind, n_speakers, change):
    X = recording(kind)[0]
    model = fitted(kind, n_speakers=n_speakers)
    other = fitted(kind, n_speakers=n_speakers, change=change)
    model.separate(X), other.separate(change(X))
    assert_same(other, model, 1e-3, change)


@pytest.mark.parametrize("kind", KINDS)
def test_random_state(kind):
    X = recording(kind)[0]
    models = [fitted(kind, n_speakers=3) for _ in range(3)]
    models[2].set_params(random_state=np.random.default_rng(5))
    first, second, _ = (model.separate(X) for model in models)
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_allclose(first, models[0].separate(X), atol=1e-9)
    assert_same(models[2], models[0], atol=0.01)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("n_speakers", [3, None])
def test_other_libraries(library, kind, n_speakers):
    X = recording(kind)[0]
    expected = fitted(kind, n_speakers=n_speakers)
    parts, foreign = expected.separate(X), library(X)
    for model in (
        fitted(kind, library, n_speakers=n_speakers),
        clone(expected).fit(*background(kind)),
    ):
        found = model.separate(foreign)
        for x in (found, model.speaker_embeddings_, model.activations_):
            assert namespace(x) is namespace(foreign) and device(x) == device(foreign)
            assert x.dtype == foreign.dtype
        order = assert_same(model, expected)
        np.testing.assert_allclose(to_host(found)[:, order], parts, atol=1e-5)
    assert model.separate(library(X.astype(np.float32))).dtype == library(np.float32([1])).dtype


def test_pandas_and_pipelines():
    pd = pytest.importorskip("pandas")
    X, y = background("pairs")
    frame, new = pd.DataFrame(X).add_prefix("x"), pd.DataFrame(recording()[0]).add_prefix("x")
    model = SVDDecorrelator(random_state=0).set_output(transform="pandas").fit(frame, y)
    parts = model.separate(new)
    assert isinstance(parts, np.ndarray)
    np.testing.assert_allclose(parts, fitted("pairs").separate(new.to_numpy()), atol=1e-9)
    pipe = make_pipeline(StandardScaler(), SVDDecorrelator(n_speakers=3, random_state=0)).fit(X, y)
    X, _, true = recording()
    pipe[-1].separate(pipe[:-1].transform(X))
    assert in_order(pipe[-1], pipe[:-1].transform(true))[0].min() > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_saved_models(kind, tmp_path):
    pytest.importorskip("skops")
    from anmf.models import load_model, save_model

    model, X = fitted(kind), recording(kind)[0]
    save_model(tmp_path / "model.skops", model)
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_allclose(loaded.separate(X), model.separate(X), atol=1e-9)


def test_streams():
    X, y = background("cone")
    model = SVDDecorrelator(n_speakers=3, random_state=0, shrinkage=0.1, covariance="within")
    for rows in np.array_split(np.arange(len(X)), 3):
        model.partial_fit(X[rows], y[rows])
    assert model.threshold_ is None and model.pair_mixture_ is None
    new, _, true = recording("cone")
    model.separate(new)
    assert in_order(model, true)[0].min() > 0.95
    X, y = background("pairs")
    with pytest.raises(ValueError, match="overlapped rows, which can't be streamed"):
        SVDDecorrelator().partial_fit(X, y)
    assert fitted("pairs").partial_fit(X).pair_mixture_ is None


@pytest.mark.parametrize("convert", [np.asarray, *LIBRARIES[:2]])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_zeros_are_silence(kind, convert):
    X = recording(kind)[0]
    expected, model = fitted(kind, n_speakers=3), fitted(kind, n_speakers=3)
    parts = expected.separate(X)
    silent = np.insert(X, [0, 7, 40], 0.0, axis=0)
    rows = np.flatnonzero(silent.any(axis=1))
    found = to_host(model.separate(convert(silent)))
    assert found.shape == (43, 3, X.shape[1])
    np.testing.assert_array_equal(model.labels_[[0, 8, 42]], -1)
    rest = np.setdiff1d(np.arange(43), rows)
    assert not found[rest].any() and not model.overlap_[rest].any()
    assert not to_host(model.activations_)[rest].any()
    for name in ("activations_", "overlap_", "labels_"):
        setattr(model, name, to_host(getattr(model, name))[rows])
    order = assert_same(model, expected)
    np.testing.assert_allclose(found[rows][:, order], parts, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", [None, 1, 2, "agglomerative", "gavish-donoho"])
def test_poor_recordings(kind, rule):
    """Of one segment, equal ones, as many as speakers, and at the mean."""
    model, X = fitted(kind, n_speakers=rule), recording(kind)[0]
    cases = [X[:2], X[[0, 0, 1, 1, 1]], np.vstack([X[:3], [model.mean_]])]
    cases += [X[:1], X[[0] * 9], model.mean_[None]] * (rule != 2)
    for rows in cases:
        parts = model.separate(rows)
        np.testing.assert_allclose(parts.sum(axis=1), rows, atol=1e-12)
        assert np.isfinite(model.speaker_embeddings_).all() and model.overlap_.shape == (len(rows),)
        assert model.n_speakers_ == 1 if len(np.unique(rows, axis=0)) == 1 else True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("options", "change", "message"), [
    ({"n_speakers": 2}, lambda X: X[:1], "1 segments that aren't zero, 1 of them different, fewer"),
    ({"n_speakers": 3}, lambda X: X[[0, 1, 1, 0]], "2 of them different, fewer than n_speakers=3"),
    ({}, lambda X: 0 * X, "all of them zero: nobody is heard"),
    ({}, lambda X: np.where(X > 1e-3, np.nan, X), "NaN"),
    ({}, lambda X: X[:, :5], "X has 5 features"),
    ({}, lambda X: X[0], "2D array"),
    ({"n_speakers": 0}, None, "n_speakers=0 must be an integer of at least 1"),
    ({"n_speakers": 2.0}, None, "n_speakers=2.0 must be an integer"),
    ({"n_speakers": True}, None, "n_speakers=True must be an integer"),
    ({"n_speakers": "silhouette"}, None, "n_speakers='silhouette' must be one of"),
    ({"max_speakers": 0}, None, "max_speakers=0 must be an integer"),
    ({"demixing_model": "nmf"}, None, "demixing_model='nmf' must be one of"),
    ({"demixing_model": "cone", "n_speakers": "evidence"}, None, "n_speakers='evidence' needs"),
])  # fmt: skip
def test_bad_recordings_and_parameters_are_refused(kind, options, change, message):
    model = fitted(kind).set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.separate((change or np.asarray)(recording(kind)[0]))
    if change is None and "evidence" not in options.values():
        with pytest.raises(ValueError, match=message):
            model.fit(*background(kind))
    with pytest.raises(NotFittedError):
        clone(model).separate(recording(kind)[0])


@pytest.mark.data
def test_on_d_vectors():
    """Unseen people who talk over each other: named better than by k-means; overlap and number."""
    folder = Path(os.environ["ANMF_DATA"]) / "embeddings"
    data, more = np.load(folder / "dvectors.npz"), np.load(folder / "overlap_background.npz")
    X, y = data["background"].astype(float), data["background_speaker"].astype(int)
    mean = np.mean([X[y == k].mean(axis=0) for k in np.unique(y)], axis=0)
    labels = np.vstack([np.column_stack([y, np.full_like(y, -1)]), more["speakers"]])
    model = SVDDecorrelator(random_state=0).fit(np.vstack([X, more["embeddings"]]), labels)
    bounds, options = data["conversation_offsets"], {"mean": mean, "normalize": True}
    odds, second, cosines, right = [], [], [], []
    for i, (k, overlap) in enumerate(zip(data["n_speakers"], data["overlap"], strict=True)):
        rows = slice(bounds[i], bounds[i + 1])
        X = data["conversation_embeddings"][rows].astype(float)
        odds.append(model.pair_mixture_.detector(X))
        second.append(np.sort(data["conversation_activity"][rows], axis=1)[:, -2])
        if overlap == 0 and k <= 3:
            model.set_params(n_speakers=None).separate(X)
            right.append(model.n_speakers_ == k)
        if overlap > 0.7 and k > 1:
            model.set_params(n_speakers=k).separate(X)
            means = spherical_kmeans(normalize(X), k, np.random.default_rng(0), n_init=10)
            found = model.speaker_embeddings_, means
            true = data["reference"][data["who"][i][:k]]
            cosines.append([centred_cosine(true, e, **options)[0].mean() for e in found])
    odds, second = np.concatenate(odds), np.concatenate(second)
    clear = (second < 0.05) | (second > 0.5)
    assert roc_auc_score(second[clear] > 0.5, odds[clear]) > 0.97
    ours, theirs = np.mean(cosines, axis=0)
    assert len(cosines) > 20 and ours > theirs + 0.04
    assert len(right) > 20 and np.mean(right) >= 0.75
