"""Scorers in scikit-learn's model selection."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from anmf import NMF_separation
from anmf.datasets import load_digit_mixtures
from anmf.metrics import (
    mean_score,
    psnr_scorer,
    sd_sdr_scorer,
    sdr,
    sdr_scorer,
    separation_scorer,
    si_sdr,
    si_sdr_scorer,
    snr_scorer,
    stoi,
)

SCORERS = {
    "psnr": psnr_scorer,
    "snr": snr_scorer,
    "si_sdr": si_sdr_scorer,
    "sd_sdr": sd_sdr_scorer,
}


class Leaky(BaseEstimator):
    """Knows the truth: mixtures are coded as (source 0) + 1j (source 1)."""

    def __init__(self, leak=0.0, order=(0, 1)):
        self.leak = leak
        self.order = order

    def fit(self, X, y=None):
        return self

    def separate(self, X):
        parts = np.stack([X.real, X.imag], axis=1)
        return (parts + self.leak * parts[:, ::-1])[:, list(self.order)]


@pytest.fixture(scope="module")
def digits():
    return load_digit_mixtures(n_mixtures=40, random_state=0)


@pytest.fixture
def waveforms():
    y = np.random.default_rng(0).standard_normal((3000, 2))
    return y[:, 0] + 1j * y[:, 1], y


@pytest.mark.parametrize("name", SCORERS)
def test_is_the_mean_over_parts(name, digits):
    model = NMF_separation(8, max_iter=5, random_state=0).fit(digits.X_train, digits.y_train)
    expected = mean_score(name, digits.parts_test, model.separate(digits.X_test))
    scorer = SCORERS[name]
    assert scorer(model, digits.X_test, digits.parts_test) == pytest.approx(expected)
    labels = digits.X_train, digits.y_train
    assert scorer(model, *labels) == model.score(*labels, metric=name)
    scaled = make_pipeline(FunctionTransformer(lambda X: 2 * X), model)
    assert scorer(scaled, digits.X_test / 2, digits.parts_test) == pytest.approx(expected)
    pickle.loads(pickle.dumps(scorer))


def test_silent_parts_do_not_count(digits):
    model = NMF_separation(8, max_iter=5, random_state=0).fit(digits.X_train, digits.y_train)
    X, y = np.concatenate([digits.X_test, digits.X_test]), digits.parts_test
    with_silence = np.concatenate([y, 0 * y])
    expected = psnr_scorer(model, digits.X_test, y)
    assert psnr_scorer(model, X, with_silence) == pytest.approx(expected)


def test_grid_search(digits):
    grid = {"n_components": [2, 16]}
    model = NMF_separation(max_iter=5, random_state=0)
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    for scorer in SCORERS.values():
        search = GridSearchCV(model, grid, scoring=scorer, cv=folds, error_score="raise")
        assert search.fit(digits.X_train, digits.y_train).best_params_ == {"n_components": 16}
    model.set_params(n_components=4)
    scores = cross_validate(model, digits.X_train, digits.y_train, scoring=SCORERS, cv=folds)
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORERS)


def test_waveforms(waveforms):
    search = GridSearchCV(Leaky(), {"leak": [0.5, 0.1, 0.3]}, cv=KFold(2), error_score="raise",
                          scoring=si_sdr_scorer)  # fmt: skip
    search.fit(*waveforms)
    assert search.best_params_ == {"leak": 0.1}
    assert search.best_score_ == pytest.approx(20, abs=0.5)
    search.set_params(scoring=sdr_scorer).fit(*waveforms)
    assert search.best_params_ == {"leak": 0.1}
    X, y = waveforms
    expected = sdr(y, Leaky(0.1).separate(X)).mean()
    assert sdr_scorer(Leaky(0.1, order=(1, 0)), X, y) == pytest.approx(expected)


def test_any_order(waveforms):
    swapped = Leaky(0.1, order=(1, 0))
    assert si_sdr_scorer(swapped, *waveforms) < -15
    scorer = pickle.loads(pickle.dumps(separation_scorer(si_sdr, permute=True)))
    assert scorer(swapped, *waveforms) == pytest.approx(20, abs=0.5)
    limited = separation_scorer(si_sdr, permute=True, clamp_db=10)
    assert limited(swapped, *waveforms) == 10


def test_images_at_microphones(waveforms):
    class Images(Leaky):
        def separate(self, X):
            return super().separate(X)[:, :, None] * np.array([1.0, -0.5])

    X, y = waveforms
    images = y[:, :, None] * np.array([1.0, -0.5])
    scorer = separation_scorer(si_sdr, axis=0)
    assert scorer(Images(0.1), X, images) == pytest.approx(20, abs=0.5)
    assert sdr_scorer(Images(0.1), X, images) == pytest.approx(20, abs=0.8)


def test_any_order_of_each_row(digits):
    model = NMF_separation(8, max_iter=5, random_state=0).fit(digits.X_train, digits.y_train)
    y = digits.parts_test.copy()
    expected = si_sdr_scorer(model, digits.X_test, y)
    y[::2] = y[::2, ::-1]
    found = separation_scorer(si_sdr, permute=True)(model, digits.X_test, y)
    assert found >= expected > si_sdr_scorer(model, digits.X_test, y)


def test_bad_arguments_are_refused(waveforms, digits):
    X, y = waveforms
    with pytest.raises(ValueError, match=r"y has shape \(3000, 3\); expected the true parts"):
        si_sdr_scorer(Leaky(), X, np.ones((3000, 3)))
    for scorer in (sdr_scorer, separation_scorer(si_sdr, clamp_db=9), separation_scorer(stoi)):
        with pytest.raises(ValueError, match="labels work with the scorers of"):
            scorer(NMF_separation(), digits.X_train, digits.y_train)
    with pytest.raises(ValueError, match="labels work with the scorers of"):
        si_sdr_scorer(Leaky(), X, y[:, 0])
    with pytest.raises(ValueError, match="has no `separate`"):
        si_sdr_scorer(BaseEstimator(), X, y)
    with pytest.raises(ValueError, match="axis=1 must be"):
        separation_scorer(si_sdr, axis=1)
