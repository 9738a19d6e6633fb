"""Every estimator keeps the one contract."""

import numpy as np
import pytest
from contract import check_contract
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf import ANMF, NMF, NMF_separation

SETTINGS = [
    {},
    {"alpha_H": 0.1},
    {"batch_size": 7},
    {"solver": "mu", "beta_loss": "kullback-leibler"},
]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make_data(n, m, dtype, seed):
    rng = np.random.default_rng(seed)
    return (rng.gamma(0.5, size=(n, 4)) @ rng.gamma(0.5, size=(4, m))).astype(dtype)


@pytest.mark.parametrize("options", SETTINGS)
@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(4, 40),
    m=st.integers(1, 30),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_nmf_keeps_the_contract(options, n, m, dtype, seed):
    model = NMF(3, max_iter=15, random_state=0, **options)
    check_contract(model, make_data(n, m, dtype, seed), n_sources=2)


@pytest.mark.parametrize("options", [{}, {"alpha_H": 0.1}, {"batch_size": 7}, {"solver": "mu"}])
@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(4, 40),
    m=st.integers(1, 30),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_anmf_keeps_the_contract(options, n, m, dtype, seed):
    model = ANMF(2, max_iter=15, random_state=0, **options)
    y = np.where(np.arange(n) % 2, -1, 1)
    check_contract(model, make_data(n, m, dtype, seed), y, n_sources=2)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "anmf"},
        {"method": "anmf", "solver": "mu"},
        {"method": "dnmf"},
        {"method": "dnmf", "reconstruction": "tied", "n_estimators": 2},
        {"method": "anmf+dnmf"},
    ],
)
@settings(max_examples=6, deadline=None)
@given(
    n=st.integers(3, 20),
    m=st.integers(1, 30),
    n_sources=st.integers(2, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_taught_methods_keep_the_contract(options, n, m, n_sources, dtype, seed):
    X = make_data(n * n_sources, m, dtype, seed)
    y = np.repeat(np.arange(n_sources), n)
    model = NMF_separation(2, max_iter=6, random_state=0, **options)
    check_contract(model, X, y, n_sources=n_sources)


@pytest.mark.parametrize("options", [*SETTINGS, {"method": "exemplar"}, {"early_stopping": True}])
@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(3, 20),
    m=st.integers(1, 30),
    n_sources=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_nmf_separation_keeps_the_contract(options, n, m, n_sources, dtype, seed):
    X = make_data(n * n_sources, m, dtype, seed)
    y = np.repeat(np.arange(n_sources), n)
    model = NMF_separation(2, max_iter=10, random_state=0, **options)
    check_contract(model, X, y, n_sources=n_sources)


def test_without_wiener_parts_are_the_models_own():
    X, y = make_data(20, 8, "float64", 0), np.repeat([0, 1], 10)
    model = NMF_separation(3, wiener=False, random_state=0)
    model = check_contract(model, X, y, n_sources=2, consistent=False)
    model_sum = model.transform(X) @ model.components_
    np.testing.assert_allclose(model.separate(X).sum(axis=1), model_sum, rtol=1e-10)
