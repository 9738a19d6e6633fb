"""The estimator `NMF`: what it accepts, what it promises, what it refuses."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.decomposition import non_negative_factorization
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from anmf import NMF

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, size=(60, 5)) @ rng.gamma(0.5, size=(5, 18)) + 0.05 * rng.random((60, 18))


@pytest.mark.parametrize("beta", [2, 1, 0, 0.5, 3])
def test_multiplicative_iterates_are_scikit_learns(X, beta):
    """Same start, same number of updates: the same model H W, iteration by iteration."""
    from anmf.nmf import mu

    init = np.random.default_rng(1).random((5, 18)) + 0.1
    states = []
    model = NMF(5, solver="mu", beta_loss=beta, init=init, max_iter=6, tol=0)
    model.set_params(callback=lambda info: states.append(info.state)).fit(X)
    start = mu.first_activations(model._problem(X), init / np.linalg.norm(init, axis=1)[:, None])
    _, W, _ = non_negative_factorization(
        X, start, init / np.linalg.norm(init, axis=1)[:, None], n_components=5, init="custom",
        solver="mu", beta_loss=float(beta), max_iter=6, tol=0,
    )  # fmt: skip
    unit = W / np.linalg.norm(W, axis=1)[:, None]
    np.testing.assert_allclose(states[-1].components, unit, rtol=1e-9, atol=1e-12)


def test_fit_transform_is_fit_then_transform(X):
    for options in ({}, {"alpha_H": 0.1}, {"solver": "mu", "beta_loss": 1}):
        model = NMF(5, random_state=0, **options)
        np.testing.assert_allclose(model.fit_transform(X), model.fit(X).transform(X), rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"alpha_H": 0.2}, {"solver": "mu", "beta_loss": 1}])
def test_transform_treats_every_row_by_itself(X, options):
    model = NMF(5, random_state=0, **options).fit(X)
    together = model.transform(X)
    alone = np.concatenate([model.transform(x[None]) for x in X])
    np.testing.assert_allclose(together, alone, rtol=1e-7, atol=1e-12)


def test_transform_is_the_penalised_optimum(X):
    """Optimality conditions of ½‖x − h W‖² + α|h|: slope 0 where active, not negative elsewhere."""
    model = NMF(5, alpha_H=[0.0, 0.1, 0.2, 0.3, 0.4], random_state=0).fit(X)
    H = model.transform(X)
    slope = (H @ model.components_ - X) @ model.components_.T + model.alpha_H
    size = np.abs(X @ model.components_.T).max()
    assert np.abs(slope[H > 0]).max() < 1e-3 * size
    assert slope[H == 0].min() > -1e-3 * size


def test_sparsity_makes_sparse_and_shrinkage_shrinks(X):
    def zeros(**options):
        model = NMF(5, random_state=0, **options).fit(X)
        return np.mean(model.transform(X) == 0), np.mean(model.components_ < 1e-9)

    plain, sparse_h, sparse_w = zeros(), zeros(alpha_H=1.0), zeros(alpha_W=0.3)
    assert sparse_h[0] > plain[0] + 0.1
    assert sparse_w[1] > plain[1] + 0.1


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_a_weight_counts_like_a_repetition(X, solver):
    weight = np.arange(60) % 3
    options = {"solver": solver, "max_iter": 30, "tol": 0, "random_state": 0}
    weighted = NMF(4, **options).fit(X, sample_weight=weight)
    repeated = NMF(4, **options).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-9)


@pytest.mark.parametrize(("solver", "beta"), [("hals", 2), ("mu", 2), ("mu", 1), ("mu", 0)])
def test_missing_entries_are_completed(X, solver, beta):
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, size=(80, 2)) @ rng.gamma(1.0, size=(2, 15)) + 0.1
    gaps = rng.random(X.shape) < 0.2
    model = NMF(3, solver=solver, beta_loss=beta, missing="ignore", max_iter=2000, tol=1e-9,
                random_state=0)  # fmt: skip
    H = model.fit_transform(np.where(gaps, np.nan, X))
    completed = model.inverse_transform(H)
    mean = np.broadcast_to(X.mean(axis=0), X.shape)
    error, naive = (np.linalg.norm((X - guess)[gaps]) for guess in (completed, mean))
    assert error < 0.25 * naive


def test_missing_entries_have_no_say(X):
    """A row with gaps gets the optimum over its known entries; a row of gaps gets nothing."""
    gaps = np.random.default_rng(0).random(X.shape) < 0.2
    model = NMF(4, missing="ignore", random_state=0).fit(np.where(gaps, np.nan, X))
    H, W = model.transform(np.where(gaps, np.nan, X)), model.components_
    for x, h, gap in zip(X, H, gaps, strict=True):
        expected, _ = nnls(W[:, ~gap].T, x[~gap])
        np.testing.assert_allclose(h @ W[:, ~gap], expected @ W[:, ~gap], atol=1e-3 * x.max())
    np.testing.assert_array_equal(model.transform(np.full((1, 18), np.nan)), 0)


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_frozen_components_stay(X, solver):
    lead = np.random.default_rng(0).random((2, 18))
    model = NMF(5, solver=solver, frozen=lead, alpha_H=0.1, random_state=0).fit(X)
    np.testing.assert_array_equal(model.components_[:2], lead)
    np.testing.assert_allclose(np.linalg.norm(model.components_[2:], axis=1), 1)
    start = np.random.default_rng(1).random((5, 18))
    mask = np.array([True, False, True, False, False])
    for frozen, rows in ((mask, [0, 2]), (2, [0, 1])):
        model = NMF(5, solver=solver, init=start, frozen=frozen).fit(X)
        np.testing.assert_array_equal(model.components_[rows], start[rows])
        assert not np.allclose(model.components_[3], start[3] / np.linalg.norm(start[3]))
    everything = NMF(2, solver=solver, frozen=lead).fit(X)
    np.testing.assert_array_equal(everything.components_, lead)


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_sparse_matrices_give_the_dense_result(X, solver):
    X[np.median(X) > X] = 0
    dense, csr = (NMF(4, solver=solver, random_state=0) for _ in range(2))
    dense.fit(X)
    csr.fit(sparse.csr_matrix(X))
    np.testing.assert_allclose(dense.components_, csr.components_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        dense.transform(X), csr.transform(sparse.csr_array(X)), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(dense.score(X), csr.score(sparse.csr_matrix(X)), rtol=1e-6)
    for options in ({"batch_size": 20}, {"init": "nndsvda"}, {"init": "random"}, {"alpha_H": 0.1}):
        other = NMF(4, solver=solver, max_iter=5, random_state=0, **options)
        assert np.isfinite(other.fit_transform(sparse.csr_matrix(X))).all()
    with pytest.raises((TypeError, ValueError), match=r"[Ss]parse"):
        NMF(4, solver="mu", beta_loss=1).fit(sparse.csr_matrix(X))
    with pytest.raises((TypeError, ValueError), match=r"[Ss]parse"):
        NMF(4, missing="ignore").fit(sparse.csr_matrix(X))


@pytest.mark.parametrize("options", [{}, {"solver": "mu", "beta_loss": 1}])
def test_partial_fit_learns_a_stream(X, options):
    model = NMF(5, random_state=0, **options)
    for epoch in range(30):
        for batch in np.split(np.random.default_rng(epoch).permutation(X), 3):
            model.partial_fit(batch)
    whole = NMF(5, random_state=0, max_iter=300, **options).fit(X)
    assert model.n_iter_ == 90 == len(model.objective_)
    assert model.score(X) > 2 * whole.score(X) and model.score(X) > model.objective_[0] * -0.5
    before, n_iter = whole.components_, whole.n_iter_  # a fitted model goes on from where it is
    assert whole.partial_fit(X).n_iter_ == n_iter + 1 == len(whole.objective_)
    np.testing.assert_allclose(np.sum(before * whole.components_, axis=1), 1, atol=0.05)


def test_parts_are_explained_and_rest(X):
    model = NMF(3, random_state=0).fit(X)
    parts = model.separate(X)
    H, W = model.transform(X), model.components_
    np.testing.assert_allclose(parts[:, 0], np.minimum(X, H @ W))
    np.testing.assert_allclose(parts.sum(axis=1), X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(X, dtype):
    model = NMF(3, random_state=0)
    H = model.fit_transform(X.astype(dtype))
    assert H.dtype == model.components_.dtype == model.separate(X.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16", "bool"])
def test_other_numbers_become_float64(X, dtype):
    assert NMF(2, random_state=0).fit_transform(X.astype(dtype)).dtype == np.float64


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_unusual_layouts_give_the_same(X, solver, tmp_path):
    expected = NMF(3, solver=solver, random_state=0).fit(X)
    mapped = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=X.dtype, shape=X.shape)
    mapped[:] = X
    mapped.flush()
    frozen = X.copy()
    frozen.flags.writeable = False
    read_only = np.load(tmp_path / "X.npy", mmap_mode="r")
    for other in (np.asfortranarray(X), frozen, read_only, X.repeat(2, axis=1)[:, ::2], X.tolist()):
        model = NMF(3, solver=solver, random_state=0).fit(other)
        np.testing.assert_allclose(model.components_, expected.components_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("solver", ["hals", "mu"])
@pytest.mark.parametrize(
    "data",
    [
        np.ones((1, 7)),
        np.ones((7, 1)),
        np.ones((1, 1)),
        np.full((6, 4), 3.0),
        np.zeros((6, 4)),
        np.pad(np.random.default_rng(0).random((6, 4)), 2),
    ],
    ids=["one row", "one column", "one entry", "constant", "zeros", "zero rows and columns"],
)
def test_degenerate_data_work(solver, data):
    for options in ({}, {"alpha_H": 0.1, "alpha_W": 0.01}, {"beta_loss": 1}, {"batch_size": 2}):
        if solver == "hals" and "beta_loss" in options:
            continue
        model = NMF(solver=solver, random_state=0, **options)
        H = model.fit_transform(data)
        assert np.isfinite(H).all() and np.isfinite(model.components_).all()
        if not options and solver == "hals":
            np.testing.assert_allclose(model.inverse_transform(H), data, atol=1e-2)


BAD_DATA = {
    "Negative values in data passed to NMF": -np.ones((4, 3)),
    "NaN": np.array([[1.0, np.nan], [1, 2]]),
    "infinity": np.array([[1.0, np.inf], [1, 2]]),
    "Expected 2D array": np.ones(5),
    "0 sample": np.ones((0, 3)),
    "0 feature": np.ones((3, 0)),
    "Complex data not supported": np.ones((3, 3), complex),
}


@pytest.mark.parametrize("message", BAD_DATA)
def test_bad_data_are_refused(message):
    with pytest.raises(ValueError, match=message):
        NMF(1).fit(BAD_DATA[message])


BAD_OPTIONS = [
    ({"n_components": 9}, "n_components=9 must be at most the number of rows .6. for init='exemp"),
    ({"n_components": 0}, "n_components=0 must be an integer of at least 1"),
    ({"n_components": 2.0}, "n_components=2.0 must be an integer"),
    ({"solver": "cd"}, "solver='cd' must be one of"),
    ({"beta_loss": "euclid"}, "beta_loss='euclid' must be a number or one of"),
    ({"beta_loss": 1}, "use solver='mu'"),
    ({"init": "svd"}, "init='svd' must be one of"),
    ({"init": np.ones((2, 3))}, "init has shape .2, 3.; expected .n_components, 4."),
    ({"init": np.ones((3, 4))}, "init has 3 rows; expected 2"),
    ({"init": -np.ones((2, 4))}, "init must be finite and at least 0"),
    ({"alpha_H": -1.0}, "alpha_H=-1.0 must be finite and at least 0"),
    ({"alpha_H": [1, 2, 3]}, "one number for each of the 2 components"),
    ({"alpha_W": "auto"}, "alpha_W='auto' must be a number"),
    ({"frozen": 1}, "frozen=1 marks rows of an array init, but init='exemplar'"),
    ({"frozen": 3, "init": np.ones((2, 4))}, "frozen=3 must be a number of leading rows of at mo"),
    ({"frozen": [True], "init": np.ones((2, 4))}, "a bool mask of shape .2,."),
    ({"frozen": np.ones((3, 4))}, "n_components=2 must be at least the number of frozen rows .3."),
    ({"frozen": np.ones((1, 5))}, "frozen has shape .1, 5.; expected .n_components, 4."),
    ({"missing": "drop"}, "missing='drop' must be one of"),
    ({"batch_size": 0}, "batch_size=0 must be an integer of at least 1 or None"),
    ({"forget_factor": 1.5}, "forget_factor=1.5 must be a number of at least 0.0 and at most 1.0"),
    ({"max_iter": -1}, "max_iter=-1 must be an integer of at least 1"),
    ({"tol": -1e-3}, "tol=-0.001 must be a number of at least 0"),
    ({"callback": 3}, "callback=3 must be callable"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NMF(**{"n_components": 2, **options}).fit(np.ones((6, 4)))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(5), r"sample_weight has shape \(5,\)"),
        (-np.ones(6), "at least 0"),
        (np.zeros(6), "zero for every row"),
        (np.full(6, np.nan), "finite"),
    ],
)
def test_bad_weights_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        NMF(2).fit(np.ones((6, 4)), sample_weight=weight)


@pytest.mark.parametrize("beta", [0, -1])
def test_zeros_are_raised_where_the_loss_is_infinite(X, beta):
    X[:, :3] = 0
    model = NMF(3, solver="mu", beta_loss=beta, random_state=0).fit(X)
    assert np.isfinite(model.objective_).all() and (np.diff(model.objective_) <= 0).all()


def test_wrong_shapes_after_fit(X):
    model = NMF(3, random_state=0).fit(X)
    with pytest.raises(ValueError, match="17 features"):
        model.transform(X[:, :17])
    with pytest.raises(ValueError, match=r"\(n_samples, 3\)"):
        model.inverse_transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match="true parts of every mixture"):
        model.score(X, np.ones((60, 3, 18)))


def test_convergence_is_reported(X):
    with pytest.warns(ConvergenceWarning, match="max_iter=2 ended NMF.fit before tol=1e-06"):
        NMF(3, max_iter=2, tol=1e-6).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert NMF(3, max_iter=2, tol=0).fit(X).n_iter_ == 2
        assert NMF(3, max_iter=500, tol=1e-3).fit(X).n_iter_ < 100


def test_callback_sees_and_stops(X):
    seen = []

    def callback(info):
        seen.append((info.n_iter, info.objective, info.state.components.shape))
        return info.n_iter == 4

    model = NMF(3, tol=0, callback=callback).fit(X)
    assert model.n_iter_ == 4 and [n for n, *_ in seen] == [1, 2, 3, 4]
    np.testing.assert_array_equal([value for _, value, _ in seen], model.objective_)
    assert seen[0][2] == (3, 18)


def test_interruption_keeps_the_model(X):
    def interrupt(info):
        if info.n_iter == 3:
            raise KeyboardInterrupt

    model = NMF(3, tol=0, callback=interrupt, random_state=0)
    with pytest.raises(KeyboardInterrupt, match="after 3 iterations"):
        model.fit(X)
    expected = NMF(3, tol=0, max_iter=3, random_state=0).fit(X)
    np.testing.assert_array_equal(model.components_, expected.components_)
    assert model.n_iter_ == 3


def test_progress_bar(X, capsys):
    NMF(3, verbose=1, max_iter=3, tol=0).fit(X)
    assert "NMF" in capsys.readouterr().err


def test_names_and_pandas_output(X):
    pipeline = make_pipeline(MinMaxScaler(), NMF(3, random_state=0)).set_output(transform="pandas")
    table = pipeline.fit_transform(X)
    assert list(table.columns) == ["nmf0", "nmf1", "nmf2"]


def test_global_random_state_is_left_alone(X):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    one = NMF(3, random_state=np.random.RandomState(3)).fit(X).components_
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    two = NMF(3, random_state=np.random.RandomState(3)).fit(X).components_
    np.testing.assert_array_equal(one, two)
