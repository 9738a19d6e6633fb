"""The estimator `ANMF`, its safeguarded solver and the published updates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from anmf import ANMF, NMF
from anmf.nmf import hals, safeguarded, stochastic_mu
from anmf.nmf.problem import make_problem
from anmf.nmf.updates import coordinate_sweeps

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def mixed_rows(n_true=40, n_adversarial=30, m=12, seed=0):
    """True rows of rank 4, adversarial rows of another rank 4, in random order."""
    rng = np.random.default_rng(seed)
    own = rng.gamma(0.5, size=(n_true, 4)) @ rng.gamma(0.5, size=(4, m))
    other = rng.gamma(0.5, size=(n_adversarial, 4)) @ rng.gamma(0.5, size=(4, m))
    order = rng.permutation(n_true + n_adversarial)
    X = np.concatenate([own, other])[order] + 0.01 * rng.random((len(order), m))
    return X, np.repeat([1, -1], [n_true, n_adversarial])[order]


def bilevel(model, X, y, weight=None):
    """The objective with activations at their optimum, from the definition."""
    weight = np.ones(len(X)) if weight is None else weight
    value = float(np.sum(model.alpha_W * np.sum(model.components_, axis=1)))
    for sign, rows in ((1.0, y != -1), (-model.adversarial_weight, y == -1)):
        H = model.transform(X[rows])
        error = 0.5 * np.sum((X[rows] - H @ model.components_) ** 2, axis=1)
        share = weight[rows] / weight[rows].sum()
        value += sign * float(share @ (error + model.alpha_H * H.sum(axis=1)))
    return value


@st.composite
def adversarial_cases(draw):
    n, n_adversarial = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    m, k = draw(st.integers(1, 25)), draw(st.integers(1, 6))
    X, y = mixed_rows(n, n_adversarial, m, draw(st.integers(0, 2**32 - 1)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X *= 10.0 ** draw(st.integers(-3, 3))
    X[rng.random(X.shape) < draw(st.sampled_from([0, 0.3]))] = 0
    X = X.astype(draw(st.sampled_from(["float32", "float64"])))
    scale = float(X.mean()) + 1e-9
    options = {
        "adversarial_weight": draw(st.sampled_from([0.0, 0.05, 0.5, 3.0, 100.0])),
        "alpha_H": scale * draw(st.sampled_from([0, 0.01, 0.3])),
        "alpha_W": scale * draw(st.sampled_from([0, 0.01])),
        "init": "random" if k > n else draw(st.sampled_from(["exemplar", "random"])),
    }
    if draw(st.booleans()):
        options["missing"] = "ignore"
        X[rng.random(X.shape) < 0.2] = np.nan
    weight = rng.random(len(X)) + 1e-3 if draw(st.booleans()) else None
    return k, X, y, options, weight


@settings(max_examples=60, deadline=None)
@given(adversarial_cases())
def test_safeguarded_never_rises(case):
    k, X, y, options, weight = case
    model = ANMF(k, max_iter=40, tol=0, random_state=0, **options).fit(X, y, weight)
    assert np.isfinite(model.objective_).all()
    assert (np.diff(model.objective_) <= 0).all()
    assert np.isfinite(model.components_).all() and (model.components_ >= 0).all()
    assert np.isfinite(model.separate(X)).all()


@pytest.mark.parametrize("tau", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_reported_objective_is_the_bilevel_one(tau, alpha):
    X, y = mixed_rows(200, 150)
    weight = np.random.default_rng(3).random(350)
    model = ANMF(5, adversarial_weight=tau, alpha_H=alpha, alpha_W=0.01, max_iter=60, tol=0,
                 random_state=0).fit(X, y, sample_weight=weight)  # fmt: skip
    exact = bilevel(model, X, y, weight)
    assert abs(model.objective_[-1] - exact) < 1e-3 * abs(exact) + 1e-4
    start = ANMF(5, adversarial_weight=tau, alpha_H=alpha, alpha_W=0.01, max_iter=1, tol=0,
                 random_state=0).fit(X, y, sample_weight=weight)  # fmt: skip
    assert exact < bilevel(start, X, y, weight)


def test_without_weight_it_is_nmf():
    X, y = mixed_rows()
    weight = np.random.default_rng(2).random(len(X))
    for options in ({}, {"alpha_H": 0.1}, {"batch_size": 11}):
        options = {"max_iter": 30, "tol": 0, "random_state": 0, **options}
        plain = NMF(4, **options).fit(X[y == 1], sample_weight=weight[y == 1])
        model = ANMF(4, adversarial_weight=0.0, **options).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(model.components_, plain.components_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(model.objective_, plain.objective_, rtol=1e-6)
    with pytest.warns(UserWarning, match="no adversarial rows"):
        alone = ANMF(4, **options).fit(X[y == 1], sample_weight=weight[y == 1])
    np.testing.assert_allclose(alone.components_, plain.components_)


def test_small_weights_approach_nmf():
    """The safeguarded steps themselves, not only the shortcut for zero, are continuous there."""
    X, y = mixed_rows()
    X = np.concatenate([X[y == 1], X[y == -1]])
    W = np.random.default_rng(1).random((4, 12))
    W /= np.linalg.norm(W, axis=1)[:, None]
    problem = make_problem(X, 4, n_adversarial=30, adversarial_weight=1e-12)
    plain = make_problem(X[:40], 4)
    state = safeguarded.start(problem, W)
    H = state.activations[:40]
    expected = hals.State(W, H, W, H, state.objective, plain.constant())
    for _ in range(5):
        state, expected = safeguarded.step(problem, state), hals.step(plain, expected)
        np.testing.assert_allclose(state.components, expected.components, rtol=1e-7, atol=1e-9)


def test_step_follows_the_slope_of_the_objective():
    """Danskin: Q W − P of true rows and tangent against differences of the bilevel objective."""
    X, y = mixed_rows(30, 20)
    X, tau = np.concatenate([X[y == 1], X[y == -1]]), 0.7
    rng = np.random.default_rng(1)
    W, direction = rng.random((3, 12)), rng.standard_normal((3, 12))
    problem = make_problem(X, 3, n_adversarial=20, adversarial_weight=tau, alpha_H=0.05)

    def activations(W):
        C = X @ W.T - 0.05
        return coordinate_sweeps(np.zeros_like(C), C, W @ W.T, 3000, xp=np)[0]

    def value(W):
        return problem.loss(activations(W), W) + problem.penalty(activations(W), W)

    (true, adversarial), H = problem.kinds(), activations(W)
    P, Q = hals.statistics(true, H[:30], W)
    P = P + safeguarded.tangent(adversarial, H[30:], W)
    slope = np.sum((Q @ W - P) * direction)
    numeric = (value(W + 1e-5 * direction) - value(W - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=1e-5)


def test_components_refuse_adversarial_rows():
    """The heavier the weight, the worse the fit of adversarial rows against that of the own."""
    X, y = mixed_rows(100, 100)
    scores = [
        ANMF(4, adversarial_weight=tau, tol=0, random_state=0).fit(X, y).score(X, y)
        for tau in (0.0, 0.1, 1.0)
    ]
    assert scores[0] < scores[1] < scores[2]
    model = ANMF(4, random_state=0).fit(X, y)
    own, other = (-model.score(X[y == label]) for label in (1, -1))
    np.testing.assert_allclose(model.score(X, y), other - own)


def transcribed_epoch(U, A, W, H, G, tau, mu_H, mu_W, order, order_adversarial, size, update_H):
    """One epoch of the published updates, in plain NumPy with rows as samples."""
    if not update_H:
        H = H * (U @ W.T) / (H @ W @ W.T + mu_H)
        G = G * (A @ W.T) / (G @ W @ W.T + mu_H)
    for b in range(len(U) // size):
        i = order[b * size : (b + 1) * size]
        j = order_adversarial[np.arange(b * size, (b + 1) * size) % len(A)]
        if update_H:
            H[i] = H[i] * (U[i] @ W.T) / (H[i] @ W @ W.T + mu_H)
            G[j] = G[j] * (A[j] @ W.T) / (G[j] @ W @ W.T + mu_H)
        h, g = H[i], G[j]
        above = h.T @ U[i] / size + tau * g.T @ g @ W / size
        W = W * above / (h.T @ h @ W / size + tau * g.T @ A[j] / size + mu_W)
    length = np.linalg.norm(W, axis=1, keepdims=True)
    return W / length, H * length.T, G * length.T


@pytest.mark.parametrize("update_H", [False, True])
def test_published_epoch(update_H):
    rng = np.random.default_rng(0)
    U, A = rng.random((30, 9)), rng.random((40, 9))
    W, H, G = rng.random((4, 9)), rng.random((30, 4)), rng.random((40, 4))
    tau, mu_H, mu_W = 0.3, 0.02, 0.01
    problem = make_problem(
        np.concatenate([U, A]), 4, alpha_H=mu_H, alpha_W=mu_W, n_adversarial=40,
        adversarial_weight=tau,
    )  # fmt: skip
    scheme = stochastic_mu.Scheme(np.random.default_rng(5), 10, 10, update_H)
    state = stochastic_mu.start(problem, W, np.concatenate([H, G]))
    state = stochastic_mu.step(problem, scheme, state)
    draws = np.random.default_rng(5)
    expected = transcribed_epoch(
        U, A, W, H, G, tau, mu_H, mu_W, draws.permutation(30), draws.permutation(40), 10, update_H
    )
    np.testing.assert_allclose(state.components, expected[0], rtol=1e-10)
    np.testing.assert_allclose(state.activations, np.concatenate(expected[1:]), rtol=1e-10)


def test_safeguarded_goes_lower_than_the_published_updates():
    X, y = mixed_rows(300, 200)
    for tau in (0.1, 0.5):
        options = {"adversarial_weight": tau, "tol": 0, "random_state": 0}
        published = ANMF(5, solver="mu", batch_size=50, max_iter=200, **options).fit(X, y)
        model = ANMF(5, max_iter=60, **options).fit(X, y)
        assert bilevel(model, X, y) < bilevel(published, X, y)


@pytest.mark.parametrize("solver", ["safeguarded", "mu"])
def test_streaming(solver):
    X, y = mixed_rows(400, 300)
    model = ANMF(5, adversarial_weight=0.1, solver=solver, random_state=0)
    for _ in range(5):
        for rows in np.array_split(np.arange(700), 7):
            model.partial_fit(X[rows], y[rows])
    assert model.n_iter_ == 35
    assert np.isfinite(model.components_).all()
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1)
    first = ANMF(5, adversarial_weight=0.1, solver=solver, random_state=0)
    first.partial_fit(X[:100], y[:100])
    assert bilevel(model, X, y) < bilevel(first, X, y)


def test_mini_batches_keep_both_kinds():
    X, y = mixed_rows(400, 300)
    full = ANMF(5, max_iter=40, tol=0, random_state=0).fit(X, y)
    batched = ANMF(5, max_iter=40, tol=0, batch_size=100, random_state=0).fit(X, y)
    own = np.mean(X[y == 1] ** 2)
    assert abs(bilevel(batched, X, y) - bilevel(full, X, y)) < 0.05 * own


@pytest.mark.parametrize("solver", ["safeguarded", "mu"])
def test_frozen_components_stay(solver):
    X, y = mixed_rows()
    lead = np.random.default_rng(1).random((2, 12))
    model = ANMF(4, frozen=lead, solver=solver, max_iter=10, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.components_[:2], lead)
    model.partial_fit(X, y)
    np.testing.assert_array_equal(model.components_[:2], lead)


def test_float32_and_sparse_and_pipeline():
    X, y = mixed_rows()
    X[X < 0.3] = 0
    for solver in ("safeguarded", "mu"):
        model = ANMF(4, solver=solver, max_iter=10, random_state=0)
        assert model.fit(X.astype(np.float32), y).components_.dtype == np.float32
        dense = model.fit(X, y).components_
        np.testing.assert_allclose(model.fit(sparse.csr_matrix(X), y).components_, dense)
        H = make_pipeline(Normalizer(), model).fit_transform(X, y)
        assert H.shape == (len(X), 4)


def test_callback_and_interruption():
    X, y = mixed_rows()
    seen = []

    def interrupt(info):
        seen.append(info.objective)
        if info.n_iter == 3:
            raise KeyboardInterrupt

    model = ANMF(4, callback=interrupt, random_state=0)
    with pytest.raises(KeyboardInterrupt, match="after 3 iterations"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.objective_, seen)
    assert model.transform(X).shape == (len(X), 4)


def test_weights_count_rows_of_their_kind():
    """An adversarial row of weight 2 counts as two; a row of weight 0 as none."""
    X, y = mixed_rows(30, 20)
    weight = np.ones(50)
    weight[np.flatnonzero(y == -1)[:5]], weight[np.flatnonzero(y == 1)[:3]] = 2, 0
    repeated = np.repeat(np.arange(50), weight.astype(int))
    init = X[y == 1][5:9]
    options = {"init": init, "max_iter": 30, "tol": 0}
    weighted = ANMF(4, **options).fit(X, y, sample_weight=weight)
    copied = ANMF(4, **options).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.components_, copied.components_, rtol=1e-4, atol=1e-6)


X8, Y8 = np.random.default_rng(0).random((8, 3)), np.repeat([0, -1], 4)
BAD = [
    ({}, np.full(8, -1), None, "marks all 8 rows as adversarial"),
    ({}, Y8[:7], None, r"y has shape \(7,\); expected one label for each of the 8 rows"),
    ({}, np.ones((8, 2)), None, r"y has shape \(8, 2\)"),
    ({}, Y8, np.ones(7), r"sample_weight has shape \(7,\)"),
    ({}, Y8, -np.ones(8), "sample_weight must be finite and at least 0"),
    ({}, Y8, (Y8 == -1) * 1.0, "sample_weight is zero for every row with y != -1"),
    ({"adversarial_weight": -0.1}, Y8, None, "adversarial_weight=-0.1 must be a number of at"),
    ({"adversarial_weight": np.inf}, Y8, None, "adversarial_weight=inf must be a number"),
    ({"adversarial_weight": "auto"}, Y8, None, "adversarial_weight='auto' must be a number"),
    ({"adversarial_batch_size": 0}, Y8, None, "adversarial_batch_size=0 must be an integer"),
    ({"solver": "hals"}, Y8, None, "solver='hals' must be one of"),
    ({"n_components": 5}, Y8, None, "n_components=5 must be at most the number of rows .4."),
]


@pytest.mark.parametrize(("options", "y", "weight", "message"), BAD)
def test_bad_input_is_refused(options, y, weight, message):
    with pytest.raises(ValueError, match=message):
        ANMF(**{"n_components": 2, **options}).fit(X8, y, sample_weight=weight)


def test_no_adversarial_weight_left_is_told():
    with pytest.warns(UserWarning, match="ANMF fits plain NMF"):
        ANMF(2, random_state=0).fit(X8, Y8, sample_weight=(Y8 == 0) * 1.0)
    ANMF(2, adversarial_weight=0.0, random_state=0).fit(X8)  # asked for, so no warning
