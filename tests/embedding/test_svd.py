"""The estimator `SVDDecorrelator`: what it promises, in which libraries, and what it refuses."""

import pickle

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding import WHITENINGS, SVDDecorrelator
from tests.embedding.data import LIBRARIES, coloured, labelled, projector, within_scatter

KINDS = [kind for kind in WHITENINGS if kind]


@parametrize_with_checks(
    [
        SVDDecorrelator(),
        SVDDecorrelator(1, whitening=None, shrinkage=None),
        SVDDecorrelator(covariance="within", shrinkage=0.1),
        SVDDecorrelator(0.9, whitening="cholesky", svd_solver="gram"),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_components", [None, 1, 5, 0.9])
def test_coordinates_are_decorrelated_with_unit_variance(kind, n_components):
    X, y = labelled()
    for covariance in ("total", "within"):
        model = SVDDecorrelator(n_components, whitening=kind, covariance=covariance, shrinkage=None)
        Z = model.fit_transform(X, y)
        k = model.n_components_
        assert Z.shape == (200, k)
        C = np.cov(Z.T).reshape(k, k) if covariance == "total" else within_scatter(Z, y)
        np.testing.assert_allclose(C, np.eye(k), atol=1e-12)
        np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("kind", WHITENINGS)
@pytest.mark.parametrize("covariance", ["total", "within"])
@pytest.mark.parametrize("n_components", [None, 3])
def test_inverse_transform_inverts_on_the_kept_directions(kind, covariance, n_components):
    X, y = labelled()
    model = SVDDecorrelator(n_components, whitening=kind, covariance=covariance).fit(X, y)
    W, back = model.whitening_, model.dewhitening_
    np.testing.assert_allclose(W @ back, np.eye(len(W)), atol=1e-11)
    np.testing.assert_allclose(back @ W, projector(model.components_), atol=1e-11)
    kept = (X - X.mean(axis=0)) @ projector(model.components_) + X.mean(axis=0)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), kept, atol=1e-10)
    if n_components is None:
        np.testing.assert_allclose(kept, X, atol=1e-10)


def test_whitening_is_that_of_the_features_when_all_directions_are_kept():
    X, y = labelled()
    for kind in KINDS:
        model = SVDDecorrelator(whitening=kind, shrinkage=0.2, ridge=0.3).fit(X)
        S = np.cov(X.T)
        C = 0.8 * S + (0.2 * np.trace(S) / 8 + 0.3) * np.eye(8)
        np.testing.assert_allclose(model.whitening_, WHITENINGS[kind](C, xp=np)[0], atol=1e-10)
        model.set_params(covariance="within").fit(X, y)
        S = within_scatter(X, y)
        C = 0.8 * S + (0.2 * np.trace(S) / 8 + 0.3) * np.eye(8)
        np.testing.assert_allclose(model.whitening_, WHITENINGS[kind](C, xp=np)[0], atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_whitening_is_that_of_principal_coordinates(kind):
    X, y = labelled()
    model = SVDDecorrelator(4, whitening=kind, shrinkage=None).fit(X)
    expected = PCA(4, whiten=True).fit_transform(X)
    signs = np.sign(np.sum(expected * model.transform(X), axis=0))
    np.testing.assert_allclose(model.transform(X), expected * signs, atol=1e-10)
    model.set_params(covariance="within").fit(X, y)
    V = model.components_
    A = WHITENINGS[kind](V @ within_scatter(X, y) @ V.T, xp=np)[0]
    np.testing.assert_allclose(model.whitening_, A @ V, atol=1e-10)


@pytest.mark.parametrize("kind", ["zca-cor", "pca-cor"])
def test_scales_of_features_don_t_matter(kind):
    X, scale = coloured(), np.geomspace(0.01, 100, 8)
    model = SVDDecorrelator(whitening=kind, shrinkage=None)
    np.testing.assert_allclose(
        model.fit_transform(X * scale), model.fit_transform(X), rtol=1e-6, atol=1e-8
    )


def test_none_gives_principal_coordinates():
    X = coloured()
    model = SVDDecorrelator(whitening=None).fit(X)
    np.testing.assert_array_equal(model.whitening_, model.components_)
    Z = model.transform(X)
    np.testing.assert_allclose(np.cov(Z.T), np.diag(model.singular_values_**2 / 199), atol=1e-12)


def test_attributes_are_those_of_principal_components():
    X = coloured()
    model, pca = SVDDecorrelator(5).fit(X), PCA(5).fit(X)
    np.testing.assert_allclose(model.mean_, pca.mean_)
    np.testing.assert_allclose(model.singular_values_, pca.singular_values_)
    np.testing.assert_allclose(model.explained_variance_ratio_, pca.explained_variance_ratio_)
    np.testing.assert_allclose(projector(model.components_), projector(pca.components_), atol=1e-9)
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(5), atol=1e-13)
    assert np.all(np.max(model.components_, axis=1) >= -np.min(model.components_, axis=1))
    assert model.n_samples_seen_ == 200 and model.n_features_in_ == 8 and model.n_components_ == 5


@pytest.mark.parametrize("shape", [(200, 8), (30, 20), (15, 40)])
def test_shrinkage_is_ledoit_and_wolf_s(shape):
    X = coloured(*shape)
    C, rho = ledoit_wolf(X)
    for solver in ("auto", "full", "gram"):
        model = SVDDecorrelator(svd_solver=solver).fit(X)
        assert model.shrinkage_ == pytest.approx(rho, rel=1e-9)
    if shape[0] > shape[1]:  # theirs divides by n
        W = model.whitening_
        expected = np.eye(shape[1]) * (shape[0] - 1) / shape[0]
        np.testing.assert_allclose(W @ C @ W.T, expected, atol=1e-10)


def test_shrinkage_within_classes_is_that_of_the_residuals():
    X, y = labelled()
    R = X - np.array([X[y == c].mean(axis=0) for c in range(7)])[y]
    model = SVDDecorrelator(covariance="within").fit(X, y)
    assert model.shrinkage_ == pytest.approx(ledoit_wolf(R, assume_centered=True)[1], rel=1e-9)
    assert SVDDecorrelator(shrinkage=None).fit(X).shrinkage_ == 0.0
    assert SVDDecorrelator(shrinkage=0.3).fit(X).shrinkage_ == 0.3


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "options",
    [
        *({"whitening": kind} for kind in WHITENINGS),
        {"covariance": "within"},
        {"n_components": 3, "covariance": "within", "whitening": "cholesky"},
        {"n_components": 3, "svd_solver": "randomized", "random_state": 0},
        {"svd_solver": "gram", "shrinkage": None},
        {"svd_solver": "full", "ridge": 0.1},
        {"n_components": "gavish-donoho"},
        {"n_components": 0.9},
    ],
    ids=str,
)
@pytest.mark.parametrize("wide", [False, True])
def test_other_libraries(library, options, wide):
    X, y = labelled(30, 140, 7) if wide else labelled()
    expected, foreign = SVDDecorrelator(**options).fit(X, y), library(X)
    model = SVDDecorrelator(**options).fit(foreign, library(y))
    Z = model.transform(foreign)
    for ours, theirs in [
        (Z, expected.transform(X)),
        (model.inverse_transform(Z), expected.inverse_transform(expected.transform(X))),
        (model.components_, expected.components_),
        (model.whitening_, expected.whitening_),
        (expected.transform(foreign), expected.transform(X)),
    ]:
        assert namespace(ours) is namespace(foreign) and device(ours) == device(foreign)
        assert ours.dtype == foreign.dtype
        np.testing.assert_allclose(to_host(ours), theirs, atol=1e-8 * np.max(np.abs(theirs)))
    assert model.shrinkage_ == pytest.approx(expected.shrinkage_)


@pytest.mark.parametrize("library", [np.asarray, *LIBRARIES])
def test_float32_stays_and_integers_become_float64(library):
    X = library(coloured().astype(np.float32))
    model = SVDDecorrelator().fit(X)
    Z = model.transform(X)
    assert Z.dtype == model.inverse_transform(Z).dtype == X.dtype == model.whitening_.dtype
    exact = SVDDecorrelator().fit(coloured())
    np.testing.assert_allclose(to_host(model.whitening_), exact.whitening_, atol=1e-5)
    X = library(np.random.default_rng(0).integers(0, 9, (20, 3)))
    assert SVDDecorrelator().fit_transform(X).dtype == namespace(X).float64


def test_pandas_pipeline_and_pickle():
    pd = pytest.importorskip("pandas")
    X = coloured()
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)], index=range(100, 300))
    model = SVDDecorrelator(3).set_output(transform="pandas")
    Z = model.fit_transform(frame)
    assert list(Z.columns) == ["svddecorrelator0", "svddecorrelator1", "svddecorrelator2"]
    assert list(Z.index) == list(frame.index)
    assert model.inverse_transform(Z).shape == (200, 8)
    pipe = make_pipeline(StandardScaler(), SVDDecorrelator(3)).fit(X)
    assert pipe.inverse_transform(pipe.transform(X)).shape == X.shape
    model = SVDDecorrelator().fit(X)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.transform(X), model.transform(X))
    copy.partial_fit(X)
    assert copy.n_samples_seen_ == 400 and model.n_samples_seen_ == 200


def test_rank_deficient_data_keep_their_rank():
    X = coloured(50, 8)
    X[:, 3] = X[:, 0] + X[:, 1]
    X[:, 5] = 7.0
    for solver in ("auto", "full", "gram"):
        model = SVDDecorrelator(svd_solver=solver, shrinkage=None).fit(X)
        assert model.n_components_ == 6
        Z = model.transform(X)
        np.testing.assert_allclose(np.cov(Z.T), np.eye(6), atol=1e-10)
        np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-10)
    assert SVDDecorrelator().fit(X[:2]).n_components_ == 1


def test_a_class_of_one_row_adds_nothing():
    X, y = labelled()
    model = SVDDecorrelator(8, covariance="within", shrinkage=None).fit(X, y)
    lone = np.vstack([X, [[50.0] * 8]]), np.append(y, 99)
    other = SVDDecorrelator(8, covariance="within", shrinkage=None).fit(*lone)
    np.testing.assert_allclose(other.whitening_, model.whitening_, rtol=1e-9, atol=1e-12)


def test_labels_may_be_strings():
    X, y = labelled()
    model = SVDDecorrelator(covariance="within")
    expected = model.fit(X, y).transform(X)
    np.testing.assert_allclose(model.fit(X, np.array(list("abcdefg"))[y]).transform(X), expected)
