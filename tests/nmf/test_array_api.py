"""Estimators on arrays of other libraries: same library, dtype and device, same values."""

import array_api_strict
import numpy as np
import pytest

from anmf import ANMF, NMF, NMF_separation, stack_sources
from anmf._core.arrays import device, namespace, to_host

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    return pytest.importorskip("torch").asarray(np.array(x))


def cupy(x):
    library = pytest.importorskip("cupy")
    if not library.cuda.is_available():
        pytest.skip("no CUDA device")
    return library.asarray(x)


LIBRARIES = [strict, torch, pytest.param(cupy, marks=pytest.mark.gpu)]
OPTIONS = [
    {},
    {"alpha_H": 0.1, "alpha_W": 0.01},
    {"init": "random"},
    {"init": "nndsvda"},
    {"batch_size": 15},
    {"solver": "mu"},
    {"solver": "mu", "beta_loss": 1},
    {"solver": "mu", "beta_loss": 1, "alpha_H": 0.1},
    {"solver": "mu", "beta_loss": 0},
    {"solver": "mu", "beta_loss": 1.5, "batch_size": 15},
]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    low_rank = rng.gamma(0.5, size=(40, 6)) @ rng.gamma(0.5, size=(6, 25))
    return low_rank + rng.gamma(0.5, size=(40, 25))  # full rank: activations are unique


def assert_same(result, expected, like, rtol=1e-6):
    assert namespace(result) is namespace(like)
    assert device(result) == device(like)
    assert result.dtype == like.dtype
    np.testing.assert_allclose(to_host(result), expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("gaps", [False, True])
def test_nmf(library, options, gaps, X):
    options = {"max_iter": 10, "tol": 0, "random_state": 0, **options}
    if gaps:
        X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
        options["missing"] = "ignore"
    expected, model = NMF(4, **options).fit(X), NMF(4, **options)
    foreign = library(X)
    assert_same(model.fit(foreign).components_, expected.components_, foreign)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-6)
    assert_same(model.transform(foreign), expected.transform(X), foreign, rtol=1e-5)
    assert_same(model.separate(foreign), expected.separate(X), foreign, rtol=1e-5)
    H = model.fit_transform(foreign)
    assert_same(model.inverse_transform(H), expected.inverse_transform(to_host(H)), foreign)
    np.testing.assert_allclose(model.score(foreign), expected.score(X), rtol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nmf_other_parameters(library, X):
    lead, weight = np.random.default_rng(1).random((2, 25)), np.arange(40) % 3
    foreign = library(X)
    for options in ({"frozen": lead}, {"init": X[:4]}, {"init": X[:4], "frozen": 2}):
        expected = NMF(4, max_iter=5, tol=0, random_state=0, **options)
        expected.fit(X, sample_weight=weight)
        moved = {k: library(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        for given in (options, moved):
            model = NMF(4, max_iter=5, tol=0, random_state=0, **given)
            model.fit(foreign, sample_weight=library(weight.astype(float)))
            assert_same(model.components_, expected.components_, foreign)
    streamed, expected = NMF(4, random_state=0), NMF(4, random_state=0)
    for rows in (slice(0, 20), slice(20, 40)):
        streamed.partial_fit(library(X[rows]))
        expected.partial_fit(X[rows])
    assert_same(streamed.components_, expected.components_, foreign)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "exemplar"},
        {"early_stopping": True},
        {"solver": "mu", "beta_loss": 1},
        {"n_sources": 3},
        {"batch_size": 10},
        {"wiener": False},
    ],
    ids=str,
)
def test_nmf_separation(library, options, X):
    y = np.repeat([0, 1, -1], [15, 15, 10])
    options = {"max_iter": 8, "random_state": 0, **options}
    expected, model = NMF_separation(5, **options).fit(X, y), NMF_separation(5, **options)
    foreign = library(X)
    model.fit(foreign, library(y))
    assert_same(model.transform(foreign), expected.transform(X), foreign, rtol=1e-4)
    parts = model.separate(foreign)
    assert_same(parts, expected.separate(X), foreign, rtol=1e-4)
    if options.get("n_sources") is None:
        np.testing.assert_allclose(model.score(foreign, y), expected.score(X, y), rtol=1e-4)
    model.fit(foreign, parts)
    assert model.separate(foreign).shape == tuple(parts.shape)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "options",
    [
        {"alpha_H": 0.1, "alpha_W": 0.01},
        {"adversarial_weight": 2.0},
        {"batch_size": 15},
        {"solver": "mu", "batch_size": 8},
        {"solver": "mu", "batch_size": 8, "update_H": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("gaps", [False, True])
def test_anmf(library, options, gaps, X):
    options = {"max_iter": 6, "tol": 0, "random_state": 0, **options}
    y = np.repeat([1, -1, 1], [10, 20, 10])
    if gaps:
        X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
        options["missing"] = "ignore"
    expected, model = ANMF(4, **options).fit(X, y), ANMF(4, **options)
    foreign = library(X)
    assert_same(model.fit(foreign, library(y)).components_, expected.components_, foreign, 1e-5)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-5)
    assert_same(model.transform(foreign), expected.transform(X), foreign, rtol=1e-4)
    np.testing.assert_allclose(model.score(foreign, y), expected.score(X, y), rtol=1e-4)
    weight = np.arange(40.0) % 3
    model.partial_fit(foreign, library(y), library(weight))
    expected.partial_fit(X, y, weight)
    assert_same(model.components_, expected.components_, foreign, 1e-4)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "options",
    [
        {"method": "anmf"},
        {"method": "dnmf"},
        {"method": "dnmf", "reconstruction": "tied", "n_estimators": 2},
        {"method": "anmf+dnmf", "remix": False},
        {"method": "anmf+dnmf", "solver": "mu"},
        {"method": "anmf+dnmf", "solver": "mu", "update_H": True},
    ],
    ids=str,
)
def test_taught_methods(library, options, X):
    """Weak and strong data together."""
    parts = np.random.default_rng(2).random((8, 2, 25))
    taught = stack_sources([X[:12], X[12:24]], X[24:30], parts=parts)
    options = {"max_iter": 3, "warm_up": 2, "batch_size": 6, "random_state": 0, **options}
    expected, model = NMF_separation(3, **options).fit(*taught), NMF_separation(3, **options)
    foreign = library(taught[0])
    model.fit(foreign, library(taught[1]))
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-4)
    assert_same(model.components_, expected.components_, foreign, 1e-3)
    assert_same(model.separate(foreign), expected.separate(taught[0]), foreign, 1e-3)
    score = model.score(foreign, library(taught[1]))
    np.testing.assert_allclose(score, expected.score(*taught), rtol=1e-3)


@pytest.mark.parametrize("library", LIBRARIES)
def test_float32_stays(library, X):
    foreign = library(X.astype(np.float32))
    for model in (NMF(4, random_state=0), NMF(4, solver="mu", beta_loss=1, random_state=0)):
        assert model.fit_transform(foreign).dtype == foreign.dtype == model.components_.dtype


@pytest.mark.parametrize("library", LIBRARIES)
def test_fitted_on_numpy_works_elsewhere(library, X):
    model = NMF(4, random_state=0).fit(X)
    assert_same(model.transform(library(X)), model.transform(X), library(X), rtol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (-np.ones((4, 3)), "Negative values in data passed to NMF"),
        (np.full((4, 3), np.nan), "contains NaN or infinity"),
        (np.full((4, 3), np.inf), "contains NaN or infinity"),
        (np.ones(5), "Expected 2D array, got 1D array"),
        (np.ones((0, 3)), "is empty"),
        (np.ones((3, 3), complex), "Complex data not supported"),
    ],
)
def test_bad_data_are_refused(library, data, message):
    with pytest.raises(ValueError, match=message):
        NMF(2).fit(library(data))


@pytest.mark.parametrize("library", LIBRARIES)
def test_integers_become_float64(library):
    data = library(np.random.default_rng(0).integers(0, 9, (10, 4)))
    assert NMF(2, random_state=0).fit_transform(data).dtype == namespace(data).float64
