"""The estimator `NMF_separation`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold

from anmf import NMF_separation, stack_sources
from anmf.datasets import load_digit_mixtures
from anmf.metrics import psnr
from anmf.nmf import METHODS, methods, mix_at_random


@pytest.fixture(scope="module")
def digits():
    return load_digit_mixtures(random_state=0)


@pytest.fixture
def disjoint():
    """Two sources that live in different features: separation is exact."""
    rng = np.random.default_rng(0)
    a, b = np.zeros((30, 8)), np.zeros((25, 8))
    a[:, :4], b[:, 4:] = rng.gamma(1, size=(30, 4)), rng.gamma(1, size=(25, 4))
    return a, b


def test_disjoint_sources_are_separated_exactly(disjoint):
    X, y = stack_sources(disjoint)
    mixtures, parts = mix_at_random(disjoint, 40, np.random.default_rng(1))
    for method in METHODS:
        model = NMF_separation(4, method=method, random_state=0).fit(X, y)
        assert psnr(parts, model.separate(mixtures)).min() > 50


@pytest.mark.parametrize("method", ["nmf", "exemplar"])
def test_digits_come_apart(digits, method):
    """Far better than giving every source an equal share."""
    model = NMF_separation(32, method=method, random_state=0).fit(digits.X_train, digits.y_train)
    share = np.repeat(digits.X_test[:, None] / 2, 2, axis=1)
    assert model.score(digits.X_test, digits.parts_test) > psnr(digits.parts_test, share).mean() + 4


def test_default_sparsity_beats_none(digits):
    def quality(**options):
        model = NMF_separation(64, random_state=0, **options).fit(digits.X_train, digits.y_train)
        return model.score(digits.X_test, digits.parts_test)

    assert quality() > quality(alpha_H=0.0) + 2


def test_sparsity_follows_the_scale(digits):
    """'auto' is relative to the data, so scaling them scales the parts and nothing else."""
    small = NMF_separation(16, random_state=0).fit(digits.X_train, digits.y_train)
    large = NMF_separation(16, random_state=0).fit(1000 * digits.X_train, digits.y_train)
    np.testing.assert_allclose(large.alpha_H_, 1000 * small.alpha_H_)
    np.testing.assert_allclose(
        large.separate(1000 * digits.X_test), 1000 * small.separate(digits.X_test), atol=1e-3
    )
    lengths = np.linalg.norm(digits.X_train, axis=1)
    np.testing.assert_allclose(small.alpha_H_, 0.07 * lengths.mean())
    kl = NMF_separation(4, solver="mu", beta_loss=1, random_state=0)
    np.testing.assert_array_equal(kl.fit(digits.X_train, digits.y_train).alpha_H_, 0)


def test_sources_have_their_own_sizes_and_sparsity(disjoint):
    X, y = stack_sources(disjoint)
    model = NMF_separation([3, 2], alpha_H=[0.1, 0.1, 0.1, 0.0, 0.2], random_state=0).fit(X, y)
    assert [basis.shape for basis in model.bases_] == [(3, 8), (2, 8)]
    assert model.components_.shape == (5, 8)
    assert model.transform(X).shape == (55, 5)
    np.testing.assert_array_equal(model.alpha_H_, [0.1, 0.1, 0.1, 0.0, 0.2])
    assert list(model.get_feature_names_out()) == [f"nmf_separation{i}" for i in range(5)]


def test_bases_of_sources_are_independent(disjoint):
    """The basis of a source doesn't depend on the rows of the others."""
    a, b = disjoint
    init = [a[:3], b[:3]]
    one = NMF_separation(3, init=init, alpha_H=0.1).fit(*stack_sources([a, b]))
    two = NMF_separation(3, init=init, alpha_H=0.1).fit(*stack_sources([a, b[:10]]))
    np.testing.assert_allclose(one.bases_[0], two.bases_[0])
    assert not np.allclose(one.bases_[1], two.bases_[1])


def test_labels_may_be_any_numbers(disjoint):
    X, y = stack_sources(disjoint)
    model = NMF_separation(3, random_state=0).fit(X, np.where(y == 0, 3, 8))
    np.testing.assert_array_equal(model.sources_, [3, 8])
    plain = NMF_separation(3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.separate(X), plain.separate(X))


def test_true_parts_teach_as_labels_do(disjoint):
    mixtures, parts = mix_at_random(disjoint, 40, np.random.default_rng(1))
    model = NMF_separation(4, random_state=0).fit(mixtures, parts)
    assert psnr(parts, model.separate(mixtures)).min() > 40


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_a_missing_source_is_learnt_from_mixtures(disjoint, solver):
    a, b = disjoint
    mixtures, parts = mix_at_random([a, b], 60, np.random.default_rng(1))
    X, y = stack_sources([a, np.zeros((0, 8))], mixtures=mixtures)
    model = NMF_separation(4, n_sources=2, solver=solver, max_iter=100, alpha_H=0.01,
                           random_state=0).fit(X, y)  # fmt: skip
    alone = NMF_separation(4, solver=solver, max_iter=100, alpha_H=0.01, random_state=0)
    alone.fit(a, np.zeros(30))
    np.testing.assert_allclose(model.bases_[0], alone.bases_[0])
    assert psnr(parts, model.separate(mixtures)).mean() > 20
    assert model.n_iter_ == len(model.objective_)
    # The order of the sources is that of the labels, not of the learning.
    X, y = stack_sources([np.zeros((0, 8)), a], mixtures=mixtures)
    swapped = NMF_separation(4, n_sources=2, solver=solver, max_iter=100, alpha_H=0.01,
                             random_state=0).fit(X, y)  # fmt: skip
    assert psnr(parts[:, ::-1], swapped.separate(mixtures)).mean() > 20


def test_early_stopping_keeps_the_best_iteration(digits):
    options = {"alpha_H": 0.0, "max_iter": 40, "random_state": 0}
    stopped = NMF_separation(32, early_stopping=True, n_iter_no_change=5, **options)
    stopped.fit(digits.X_train, digits.y_train)
    whole = NMF_separation(32, **options).fit(digits.X_train, digits.y_train)
    scores = stopped.validation_scores_
    assert stopped.n_iter_ == len(scores) == np.argmax(scores) + 6 < 40
    assert stopped.score(digits.X_test, digits.parts_test) > whole.score(
        digits.X_test, digits.parts_test
    )


def test_early_stopping_on_true_parts(digits):
    model = NMF_separation(8, early_stopping=True, max_iter=5, random_state=0)
    model.fit(digits.X_test, digits.parts_test)
    assert 1 <= len(model.validation_scores_) <= 5


def test_labels_suffice_for_cross_validation(digits):
    X, y = digits.X_train, digits.y_train
    search = GridSearchCV(
        NMF_separation(16, max_iter=10, random_state=0),
        {"alpha_H": [0.0, "auto", 5.0]},
        cv=StratifiedKFold(3),
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["alpha_H"] == "auto"
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(set(scores)) == 3
    parts = RandomizedSearchCV(
        NMF_separation(8, max_iter=5, random_state=0), {"n_components": [4, 8]}, n_iter=2, cv=2
    ).fit(digits.X_test, digits.parts_test)
    assert np.isfinite(parts.best_score_)


def test_score_takes_any_metric(digits):
    model = NMF_separation(8, random_state=0).fit(digits.X_train, digits.y_train)
    test, train = (digits.X_test, digits.parts_test), (digits.X_train, digits.y_train)
    values = {m: model.score(*test, m) for m in ("psnr", "snr", "si_sdr")}
    assert len(set(values.values())) == 3
    model.set_params(metric="snr")
    assert model.score(*test) == values["snr"]
    assert model.score(*train) == model.score(*train)


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_frozen_and_anchored_bases(disjoint, solver):
    """A given basis stays and needs no rows; an anchor holds another near its start."""
    a, b = disjoint
    mixtures, _ = mix_at_random([a, b], 60, np.random.default_rng(1))
    y = np.full(60, -1)
    init = [a[:3], b[:2] + 0.3]
    start = init[1] / np.linalg.norm(init[1], axis=1)[:, None]
    moved = []
    for anchor in (0.0, 1.0, [0.0, 100.0]):
        model = NMF_separation(init=init, frozen=[True, False], anchor=anchor, solver=solver,
                               alpha_H=0.01).fit(mixtures, y)  # fmt: skip
        np.testing.assert_array_equal(model.bases_[0], init[0])
        assert (np.diff(model.objective_) <= 0).all()
        moved.append(np.linalg.norm(model.bases_[1] - start))
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 0.1 * moved[0]


def test_frozen_beside_learnt_bases(disjoint):
    a, b = disjoint
    X, y = stack_sources([a, b])
    model = NMF_separation(init=[a[:3], b[:4]], frozen=[True, False], method="nmf").fit(X, y)
    np.testing.assert_array_equal(model.bases_[0], a[:3])
    assert model.bases_[1].shape == (4, 8)
    both = NMF_separation(init=[a[:3], b[:4]], frozen=[True, True]).fit(X, y)
    np.testing.assert_array_equal(both.components_, np.concatenate([a[:3], b[:4]]))
    assert both.separate(X).shape == (55, 2, 8)


def test_data_frames_keep_their_names(digits):
    X = pd.DataFrame(digits.X_train).rename(columns=str)
    model = NMF_separation(4, max_iter=2, random_state=0).fit(X, digits.y_train)
    assert np.isfinite(model.score(X, digits.y_train))
    assert list(model.feature_names_in_[:2]) == ["0", "1"]


def test_missing_entries_are_separated(disjoint):
    X, y = stack_sources(disjoint)
    mixtures, _ = mix_at_random(disjoint, 20, np.random.default_rng(1))
    gaps = np.random.default_rng(2).random(mixtures.shape) < 0.1
    model = NMF_separation(4, missing="ignore", random_state=0).fit(X, y)
    parts = model.separate(np.where(gaps, np.nan, mixtures))
    assert np.isfinite(parts).all()
    np.testing.assert_allclose(parts.sum(axis=1)[~gaps], mixtures[~gaps])


def test_a_method_plugs_in(disjoint, monkeypatch):
    """A new entry of the registry is all that a new method takes."""
    X, y = stack_sources(disjoint)

    def first_rows(task):
        bases = [rows[:k] for rows, k in zip(task.sources, task.n_components, strict=True)]
        return lambda: methods.Fixed(bases), lambda state: state

    monkeypatch.setitem(METHODS, "first rows", first_rows)
    model = NMF_separation(2, method="first rows").fit(X, y)
    np.testing.assert_array_equal(model.components_, np.concatenate([X[:2], X[30:32]]))
    assert model.separate(X).shape == (55, 2, 8)


def test_interruption_keeps_the_bases(disjoint):
    X, y = stack_sources(disjoint)

    def interrupt(info):
        if info.n_iter == 2:
            raise KeyboardInterrupt

    model = NMF_separation(3, callback=interrupt, random_state=0)
    with pytest.raises(KeyboardInterrupt, match="after 2 iterations"):
        model.fit(X, y)
    assert model.separate(X).shape == (55, 2, 8)


def test_stack_sources_takes_columns(disjoint):
    a, b = disjoint
    X, y = stack_sources([a, b], mixtures=a[:4])
    np.testing.assert_array_equal(y, np.repeat([0, 1, -1], [30, 25, 4]))
    columns, labels = stack_sources([a.T, b.T], mixtures=a[:4].T, columns=True)
    np.testing.assert_array_equal(columns, X)
    np.testing.assert_array_equal(labels, y)
    with pytest.raises(ValueError, match=r"\[7, 8\] features.*columns=True"):
        stack_sources([a, b[:, :7]])
    with pytest.raises(ValueError, match=r"sources\[1\] has shape \(8,\)"):
        stack_sources([a, b[0]])


X8, Y8 = np.ones((8, 3)), np.repeat([0, 1], 4)
BAD = [
    ({}, None, "requires y to be passed"),
    ({}, Y8[:7], r"y has shape \(7,\); expected \(8,\)"),
    ({}, np.ones((8, 2)), r"y has shape \(8, 2\)"),
    ({}, np.ones((8, 2, 4)), r"need shape \(8, n_sources, 3\)"),
    ({}, -np.ones((8, 2, 3)), "true parts must be finite and at least 0"),
    ({}, Y8 + 0.5, "whole numbers"),
    ({}, Y8 - 3, "whole numbers"),
    ({}, np.array(list("aabbccdd")), "whole numbers"),
    ({}, np.full(8, -1), "labels no row with a source"),
    ({"n_sources": 3}, Y8, r"no row with the sources \[2\], and no mixture"),
    ({"n_sources": 1}, Y8, "the label 1, but there are n_sources=1"),
    ({"n_components": [2]}, Y8, "the label 1, but there are n_sources=1"),
    ({"n_components": [2, 2, 2], "n_sources": 2}, Y8, "gives 3 sizes for n_sources=2"),
    ({"n_components": 5}, Y8, "n_components=5 must be at most the number of rows .4."),
    ({"n_components": 5, "method": "exemplar"}, Y8, "number of rows of source 0"),
    ({"n_components": 0}, Y8, "n_components=0 must be an integer"),
    ({"method": "magic"}, Y8, "method='magic' must be one of"),
    ({"metric": "pesqq"}, Y8, "metric='pesqq' must be one of"),
    ({"alpha_H": "some"}, Y8, "alpha_H='some' must be a number"),
    ({"alpha_H": [1.0, 2.0]}, Y8, "one number for each of the 4 components"),
    ({"solver": "cd"}, Y8, "solver='cd' must be one of"),
    ({"init": [X8[:2]]}, Y8, "init has 1 arrays; expected a name, or one array"),
    ({"init": "svd"}, Y8, "init='svd' must be one of"),
    ({"validation_fraction": 2.0}, Y8, "validation_fraction=2.0 must be"),
    ({"frozen": [True]}, Y8, "frozen=.True. marks bases of init"),
    ({"frozen": [1, 0], "n_sources": 2}, Y8, "must be None or one bool"),
    ({"frozen": [True, False], "init": "random"}, Y8, "pass init as a list of one array"),
    ({"frozen": [True, False], "init": [X8[:1], X8[:2]]}, Y8, "init.0. has 1 rows"),
    ({"frozen": [True, False], "init": [X8[:2, :2], X8[:2]]}, Y8, "init has shape"),
    ({"anchor": -1.0}, Y8, "anchor=-1.0 must be a number"),
    ({"n_sources": 3, "early_stopping": True}, np.repeat([0, 1, -1], [3, 3, 2]), "rows of every"),
    ({"early_stopping": True, "n_components": 1}, np.array([0] * 7 + [1]), "at least 2 of each"),
]


@pytest.mark.parametrize(("options", "y", "message"), BAD)
def test_bad_input_is_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        NMF_separation(**{"n_components": 2, **options}).fit(X8, y)


def test_score_says_what_it_needs(disjoint):
    X, y = stack_sources(disjoint)
    model = NMF_separation(2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="needs rows of each of"):
        model.score(X[:30], y[:30])
    with pytest.raises(ValueError, match="true parts of every mixture"):
        model.score(X, np.ones((55, 3, 8)))
