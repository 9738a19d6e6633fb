"""The objective never rises, and what is reported is what was minimised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf import NMF
from anmf.nmf import beta_divergence

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BETAS = st.sampled_from([2.0, 1.0, 0.0, 1.5, 0.5, 3.0, -0.5])


@st.composite
def factorisations(draw):
    """Data of any shape and dtype, and options in any combination."""
    n, m = draw(st.integers(1, 60)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.gamma(0.5, size=(n, 3)) @ rng.gamma(0.5, size=(3, m)) + 0.1 * rng.random((n, m))
    X *= 10.0 ** draw(st.integers(-4, 4))
    X[rng.random(X.shape) < draw(st.sampled_from([0, 0.3]))] = 0
    X = X.astype(draw(st.sampled_from(["float32", "float64"])))
    k = draw(st.integers(1, 8))
    scale = float(X.mean()) + 1e-9
    options = {
        "alpha_H": scale * draw(st.sampled_from([0, 0.01, 0.3, 3])),
        "alpha_W": scale * draw(st.sampled_from([0, 0.01, 0.3])),
        "init": "random" if k > n else draw(st.sampled_from(["exemplar", "random", "nndsvda"])),
    }
    if draw(st.booleans()):
        options["missing"] = "ignore"
        X[rng.random(X.shape) < 0.2] = np.nan
    weight = rng.random(n) + 1e-3 if draw(st.booleans()) else None
    return k, X, options, weight


@settings(max_examples=60, deadline=None)
@given(factorisations())
def test_hals_never_rises(case):
    k, X, options, weight = case
    model = NMF(k, max_iter=40, tol=0, random_state=0, **options).fit(X, sample_weight=weight)
    assert np.isfinite(model.objective_).all()
    assert (np.diff(model.objective_) <= 0).all()
    assert (model.components_ >= 0).all() and np.isfinite(model.components_).all()


@settings(max_examples=60, deadline=None)
@given(factorisations(), BETAS)
def test_mu_never_rises(case, beta):
    k, X, options, weight = case
    model = NMF(k, solver="mu", beta_loss=beta, max_iter=25, tol=0, random_state=0, **options)
    model.fit(X, sample_weight=weight)
    assert np.isfinite(model.objective_).all()
    assert (np.diff(model.objective_) <= 0).all()
    assert (model.components_ >= 0).all() and np.isfinite(model.components_).all()


@pytest.mark.parametrize(("solver", "beta"), [("hals", 2.0), ("mu", 2.0), ("mu", 1.0), ("mu", 0.0)])
@pytest.mark.parametrize("weighted", [False, True])
def test_reported_objective_is_the_documented_one(solver, beta, weighted):
    """The history holds the objective written in the docstring, at the factors of the state."""
    rng = np.random.default_rng(1)
    X = rng.gamma(1.0, size=(30, 3)) @ rng.gamma(1.0, size=(3, 12)) + 0.1
    weight = rng.random(30) if weighted else np.ones(30)
    alpha_h, alpha_w = np.array([0.02, 0.0, 0.01]), 0.003
    states = []
    model = NMF(3, solver=solver, beta_loss=beta, alpha_H=alpha_h, alpha_W=alpha_w, tol=0,
                max_iter=20, callback=lambda info: states.append(info.state))  # fmt: skip
    model.fit(X, sample_weight=weight)
    H, W = states[-1].activations, states[-1].components
    np.testing.assert_array_equal(W, model.components_)
    share = weight / weight.sum()
    fit = sum(
        s * beta_divergence(x[None], (h @ W)[None], beta, xp=np)
        for s, x, h in zip(share, X, H, strict=True)
    )
    expected = fit + share @ H @ alpha_h + alpha_w * W.sum()
    np.testing.assert_allclose(model.objective_[-1], expected, rtol=1e-10)


def test_components_have_unit_length():
    X = np.random.default_rng(0).random((40, 9))
    for options in ({}, {"alpha_H": 0.1}, {"solver": "mu", "beta_loss": 1}, {"batch_size": 10}):
        W = NMF(4, max_iter=20, random_state=0, **options).fit(X).components_
        np.testing.assert_allclose(np.linalg.norm(W, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("solver", "batch_size", "tolerance"),
    [("hals", None, 1e-6), ("hals", 50, 1e-3), ("mu", None, 1e-2), ("mu", 50, 3e-2)],
)
def test_exact_factors_are_found(solver, batch_size, tolerance):
    """Separable data of rank 3: the error goes to zero, on mini-batches too."""
    rng = np.random.default_rng(0)
    W = np.kron(np.eye(3), np.ones((1, 4))) / 2
    X = rng.gamma(1.0, size=(200, 3)) @ W
    model = NMF(3, solver=solver, batch_size=batch_size, tol=0, max_iter=300, random_state=2)
    H = model.fit_transform(X)
    assert np.linalg.norm(X - model.inverse_transform(H)) < tolerance * np.linalg.norm(X)
