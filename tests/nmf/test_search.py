"""Random search for the parameters of a separation, and scikit-learn's searches as they are."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer

from anmf import ANMF, NMF, NMF_separation, stack_sources
from anmf.datasets import load_digit_mixtures
from anmf.metrics import si_sdr
from anmf.nmf import search_space, tune

METHODS = ["nmf", "anmf", "dnmf"]


@pytest.fixture(scope="module")
def digits():
    return load_digit_mixtures((3, 8), n_mixtures=60, random_state=0)


@pytest.fixture(scope="module")
def mixed(digits):
    """Rows of each source, mixtures of unknown parts, and 20 with known parts."""
    X, y = digits.X_train, digits.y_train
    sources = [X[y == s][:30] for s in (0, 1)]
    return stack_sources(sources, digits.X_test[:10], parts=digits.parts_test[10:30])


def small(method="nmf", **options):
    options = {"n_components": 6, "max_iter": 4, "random_state": 0, **options}
    if "dnmf" in method:
        options.setdefault("warm_up", 2)
    return NMF_separation(method=method, **options)


def quick(X, y, *, estimator=None, **options):
    options = {"n_iter": 3, "random_state": 0, "verbose": 0, **options}
    return tune(estimator or small(), X, y, **options)


def mean_si_sdr(estimator, X, y):
    """A user's own scorer, which needs true parts."""
    return float(np.mean(si_sdr(y, estimator.separate(X))))


def separable_score(estimator, X, y):
    """A user's own scorer, which needs no parts."""
    return -float(np.square(X - estimator.separate(X).sum(axis=1)).mean())


def same_results(one, other):
    assert set(one.cv_results_) == set(other.cv_results_)
    for key in one.cv_results_:
        if "score" in key and "time" not in key:  # rounding depends on where arrays lie
            np.testing.assert_allclose(one.cv_results_[key], other.cv_results_[key], rtol=1e-6)
        elif "time" not in key:
            np.testing.assert_array_equal(one.cv_results_[key], other.cv_results_[key])
    assert one.best_params_ == other.best_params_
    np.testing.assert_allclose(one.best_score_, other.best_score_, rtol=1e-6)


@pytest.mark.parametrize("verbose", [0, 1])
def test_results_are_those_of_scikit_learn(digits, verbose):
    X, y = digits.X_train, digits.y_train
    space = search_space(small("anmf"), X, y)
    plain = RandomizedSearchCV(
        small("anmf"), space, n_iter=5, random_state=0, return_train_score=True,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    ).fit(X, y)  # fmt: skip
    ours = quick(X, y, estimator=small("anmf"), n_iter=5, verbose=verbose, return_train_score=True)
    same_results(ours, plain)
    found, expected = (search.best_estimator_.separate(digits.X_test) for search in (ours, plain))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_folds_of_true_parts_are_those_of_scikit_learn(digits):
    X, y, values = digits.X_test, digits.parts_test, {"alpha_H": [0.0, 0.1, 0.5]}
    plain = RandomizedSearchCV(
        small(), values, n_iter=3, random_state=1, cv=KFold(4, shuffle=True, random_state=1)
    ).fit(X, y)
    folds = KFold(4, shuffle=True, random_state=1)
    same_results(quick(X, y, param_distributions=values, cv=folds, random_state=1), plain)


def test_jobs_change_nothing(digits):
    X, y = digits.X_train, digits.y_train
    one = quick(X, y, n_iter=4)
    same_results(quick(X, y, n_iter=4, n_jobs=2, verbose=1), one)


def test_all_candidates_get_the_same_folds(digits):
    """Even where the splitter draws new ones each time."""
    search = quick(
        digits.X_train, digits.y_train, cv=StratifiedKFold(3, shuffle=True), verbose=1,
        param_distributions=[{"alpha_H": [0.1], "max_iter": [4]}, {"alpha_H": [0.1]}], n_iter=2,
    )  # fmt: skip
    one, other = (search.cv_results_[f"split{i}_test_score"] for i in (0, 1))
    np.testing.assert_allclose([one[0], other[0]], [one[1], other[1]], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scoring", [None, mean_si_sdr])
def test_scikit_learns_searches_take_labels_and_parts(digits, method, scoring):
    model, grid = small(method), {"alpha_H": [0.05, 0.2]}
    strong = (digits.X_test, digits.parts_test)
    weak = (digits.X_train, digits.y_train)
    cases = [(*strong, KFold(2))] if scoring else [(*strong, 2), (*weak, StratifiedKFold(2))]
    for X, y, cv in cases:
        options = {"cv": cv, "scoring": scoring, "error_score": "raise"}
        searches = [
            GridSearchCV(model, grid, **options).fit(X, y),
            RandomizedSearchCV(model, grid, n_iter=2, random_state=0, **options).fit(X, y),
        ]
        scores = [np.sort(search.cv_results_["mean_test_score"]) for search in searches]
        assert np.isfinite(scores[0]).all()
        np.testing.assert_allclose(*scores, rtol=1e-6)
        assert searches[0].best_estimator_.separate(X).shape == (len(X), 2, 64)


@pytest.mark.parametrize("method", ["nmf", "exemplar", "anmf", "dnmf", "anmf+dnmf"])
def test_every_method_has_a_search_space(digits, mixed, method):
    """It yields models for each form of supervision."""
    data = (digits.X_train, digits.y_train), (digits.X_test, digits.parts_test), mixed
    expected = {
        "nmf": set(),
        "exemplar": set(),
        "anmf": {"adversarial_weight"},
        "dnmf": {"learning_rate"},
        "anmf+dnmf": {"adversarial_weight", "data_weight", "learning_rate"},
    }[method]
    for X, y in data:
        search = quick(X, y, estimator=small(method, n_components=None), n_iter=2)
        assert set(search.best_params_) == expected | {"alpha_H", "n_components"}
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.best_estimator_.separate(X).shape == (len(X), 2, 64)


def test_search_space_follows_the_data_and_the_estimator(digits):
    X, y = digits.X_train, digits.y_train
    length = np.linalg.norm(X, axis=1).mean()

    def ends(model, X=X):
        return np.array(search_space(model, X, y)["alpha_H"].support())

    np.testing.assert_allclose(ends(small()), [0.005 * length, 0.3 * length])
    np.testing.assert_allclose(ends(small("dnmf")), 0.012 / 0.07 * ends(small()))
    np.testing.assert_allclose(ends(small(), 10 * X), 10 * ends(small()))
    kl = small(solver="mu", beta_loss=1)
    np.testing.assert_allclose(ends(kl), [0.005 * 8, 0.3 * 8])
    np.testing.assert_allclose(ends(kl, 10 * X), ends(kl))
    assert "n_components" not in search_space(small(), X, y)
    space = search_space(small(n_components=None), X, y)
    assert space["n_components"] == [8, 16, 32, None]
    many = np.tile(X, (3, 1)), np.tile(y, 3)
    space = search_space(small(n_components=None), *many)
    assert space["n_components"] == [8, 16, 32, 64, 128]
    assert "learning_rate" not in search_space(small("dnmf", solver="mu"), X, y)
    assert "n_components" not in search_space(small(n_components=None, init=[X[:2]] * 2), X, y)


def test_weak_and_strong_supervision_together(mixed):
    X, y = mixed
    search = quick(X, y, cv=4)
    paired = np.arange(len(X)) >= 70
    for train, test in search.cv:
        assert paired[test].sum() == 5 and paired[train].sum() == 15
        for source in (slice(0, 30), slice(30, 60)):
            assert 7 <= np.isin(test, np.arange(len(X))[source]).sum() <= 8
        assert 2 <= np.isin(test, np.arange(60, 70)).sum() <= 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_missing_source_is_scored_on_known_mixtures(digits):
    """Semi-supervised: no row of source 1 alone, but mixtures with parts."""
    own = digits.X_train[digits.y_train == 0][:30]
    X, y = stack_sources([own, np.zeros((0, 64))], parts=digits.parts_test[:12])
    assert np.isfinite(quick(X, y).best_score_)
    X, y = stack_sources([own, np.zeros((0, 64))], digits.X_test[:12])
    model = small(n_sources=2)
    with pytest.raises(ValueError, match=r"has 0 of this: row of source 1; .*true parts"):
        quick(X, y, estimator=model)
    assert np.isfinite(quick(X, y, estimator=model, scoring=separable_score).best_score_)


def test_scoring(digits):
    X, y = digits.X_test, digits.parts_test
    named = quick(X, y, scoring="si_sdr")
    same_results(quick(X, y, estimator=small(metric="si_sdr")), named)
    own = quick(X, y, scoring=mean_si_sdr)
    np.testing.assert_allclose(own.best_score_, named.best_score_)
    assert named.score(X, y) == named.best_estimator_.score(X, y, "si_sdr")
    assert named.best_score_ != quick(X, y, scoring="psnr").best_score_


def test_several_scores(digits):
    def scores(estimator, X, y):
        return {name: estimator.score(X, y, name) for name in ("psnr", "snr")}

    search = quick(digits.X_train, digits.y_train, scoring=scores, refit="snr", verbose=1)
    assert {"mean_test_psnr", "mean_test_snr"} <= set(search.cv_results_)
    assert search.best_score_ == search.cv_results_["mean_test_snr"].max()


def test_pipelines(digits):
    """Rows arrive scaled at the last step, and so does the scale of the search space."""
    X, y = 100 * digits.X_train, digits.y_train
    for first in (MinMaxScaler(clip=True), Normalizer()):
        pipe = make_pipeline(first, small())
        search = quick(X, y, estimator=pipe)
        assert set(search.best_params_) == {"nmf_separation__alpha_H"}
        lengths = np.linalg.norm(first.fit_transform(X), axis=1)
        ends = search_space(pipe, X, y)["nmf_separation__alpha_H"].support()
        np.testing.assert_allclose(ends, [0.005 * lengths.mean(), 0.3 * lengths.mean()])
        scaled = search.best_estimator_[:-1].transform(X)
        assert search.best_estimator_[-1].separate(scaled).shape == (len(X), 2, 64)
        same_results(quick(X, y, estimator=pipe, scoring="psnr"), search)
        grid = GridSearchCV(
            pipe, {"nmf_separation__alpha_H": [0.01, 0.1]}, cv=StratifiedKFold(2)
        ).fit(X, y)
        assert np.isfinite(grid.best_score_)
    one = quick(X, y, estimator=make_pipeline(small()), scoring="psnr")
    assert one.best_score_ == quick(X, y).best_score_


def test_anmf_is_tuned_by_its_own_score(digits):
    X, y = digits.X_train, np.where(digits.y_train == 0, 7, -1)
    model = ANMF(6, max_iter=4, tol=0, random_state=0)
    search = quick(X, y, estimator=model)
    assert set(search.best_params_) == {"alpha_H"}
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    plain = RandomizedSearchCV(
        model, search.param_distributions, n_iter=3, cv=folds, random_state=0
    )
    same_results(search, plain.fit(X, y))
    length = np.linalg.norm(X[y == 7], axis=1).mean()
    np.testing.assert_allclose(
        search.param_distributions["alpha_H"].support(), [0.005 * length, 0.3 * length]
    )


def test_other_separators_bring_their_own_space(digits):
    X, y = digits.X_test, digits.parts_test
    model = NMF(6, max_iter=4, tol=0, random_state=0)
    search = quick(X, y, estimator=model, param_distributions={"alpha_H": loguniform(0.01, 1)})
    assert np.isfinite(search.best_score_)
    with pytest.raises(ValueError, match="NMF has no search space of its own"):
        quick(X, y, estimator=model)


def test_tuning_beats_a_poor_start(digits):
    X, y, held = digits.X_train, digits.y_train, (digits.X_test, digits.parts_test)
    poor = small(n_components=16, max_iter=20, alpha_H=0.0)
    search = quick(X, y, estimator=poor, n_iter=8)
    assert search.score(*held) > poor.fit(X, y).score(*held) + 1
    assert poor.alpha_H == 0.0


def test_progress_bar(digits, capsys):
    X, y = digits.X_train, digits.y_train
    quick(X, y, verbose=0)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
    search = quick(X, y, verbose=1)
    captured = capsys.readouterr()
    assert "3/3" in captured.err and f"best={search.best_score_:.4g}" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("verbose", [0, 1])
def test_failures_end_the_search_or_get_a_score(digits, verbose):
    X, y = digits.X_train, digits.y_train
    sizes = {"n_components": [6, 200]}
    options = {"estimator": small("exemplar"), "param_distributions": sizes, "n_iter": 2}
    with pytest.raises(ValueError, match="n_components=200 must be at most"):
        quick(X, y, verbose=verbose, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = quick(X, y, verbose=verbose, error_score=np.nan, **options)
    assert search.best_params_ == {"n_components": 6}
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1


@pytest.mark.parametrize("verbose", [0, 1])
def test_interruption_passes_through(digits, verbose):
    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(digits.X_train, digits.y_train, scoring=interrupt, verbose=verbose)


def test_search_pickles(digits):
    for scoring in (None, "snr"):
        search = quick(digits.X_train, digits.y_train, scoring=scoring)
        copy = pickle.loads(pickle.dumps(search))
        same_results(copy, search)
        assert copy.score(digits.X_test, digits.parts_test) == search.score(
            digits.X_test, digits.parts_test
        )


def test_folds_may_be_given(digits):
    X, y = digits.X_train, digits.y_train
    groups = np.arange(len(X)) // 2
    search = quick(X, y, cv=list(GroupKFold(3).split(X, y, groups)))
    for train, test in search.cv:
        assert not set(groups[train]) & set(groups[test])
    strong = quick(digits.X_test, digits.parts_test, cv=StratifiedKFold(3))
    assert len(strong.cv) == 3


X12, Y12 = np.random.default_rng(0).random((12, 3)) + 0.1, np.repeat([0, 1], 6)
RARE = np.array([0] * 10 + [1] * 2)
PARTS = np.stack([X12 / 2, X12 / 2], axis=1)
SOLE = PARTS.copy()
SOLE[:11] = np.stack([X12, 0 * X12], axis=1)[:11]
BAD = [
    ({"n_iter": 0}, Y12, "n_iter=0 must be an integer of at least 1"),
    ({"n_iter": 2.5}, Y12, "n_iter=2.5 must be an integer"),
    ({"scoring": "accuracy"}, Y12, r"scoring .*='accuracy' must be one of \['psnr'"),
    ({"scoring": ["psnr"]}, Y12, "must be one of"),
    ({}, None, "requires y to be passed"),
    ({}, Y12[:7], r"y has shape \(7,\); expected \(12,\)"),
    ({}, RARE, "3 folds need at least 3 .* has 2 of this: row of source 1; lower cv"),
    ({}, SOLE, "has 1 of this: mixture with known parts"),
    ({"cv": 1}, Y12, "cv=1 must be an integer of at least 2"),
    ({"cv": 7}, Y12, "7 folds need at least 7"),
    ({"cv": KFold(2)}, Y12, r"fold 0 of cv has no row of source 0 to train on; use cv=Strat"),
    ({"cv": [(np.arange(12), np.arange(6))]}, Y12, "fold 0 of cv has no row of source 1 to score"),
    ({"cv": [(np.arange(12), np.arange(6))]}, SOLE, "has no mixture with known parts to score"),
    ({"cv": "five"}, Y12, "cv"),
    ({"error_score": "what"}, Y12, "error_score"),
    ({"estimator": MinMaxScaler()}, Y12, r"estimator=MinMaxScaler\(\) has no `separate`"),
    ({"estimator": make_pipeline(small(), MinMaxScaler())}, Y12, "has no `separate`"),
    ({"estimator": NMF_separation}, Y12, "expected an instance"),
    ({"estimator": small("magic")}, Y12, "method='magic' must be one of"),
    ({"estimator": ANMF(2)}, Y12, "has 0 of this: adversarial row"),
    ({"estimator": ANMF(2)}, np.full(12, -1), "has 0 of this: row to explain"),
    ({"estimator": ANMF(2)}, PARTS, r"y has shape \(12, 2, 3\); ANMF needs one label"),
    ({"estimator": ANMF(2), "scoring": "psnr"}, Y12 - 1, "compares parts, which ANMF doesn't get"),
    ({"param_distributions": {"alpha": [1, 2, 3]}}, Y12, "Invalid parameter 'alpha'"),
]


@pytest.mark.parametrize(("options", "y", "message"), BAD)
def test_bad_input_is_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        quick(X12, y, **{"estimator": small(n_components=2), **options})


def test_rare_rows_that_no_fold_needs_are_no_reason_to_warn(mixed):
    X, y = mixed
    keep = np.r_[0:5, 30:35, 60, 70:90]  # a single mixture of unknown parts
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(quick(X[keep], y[keep], cv=10).best_score_)
