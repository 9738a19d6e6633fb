"""What `SVDDecorrelator` refuses."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from anmf.embedding import SVDDecorrelator
from tests.embedding.data import LIBRARIES, labelled

X, Y = labelled(20, 6, 4)


@pytest.mark.parametrize(
    ("options", "data", "y", "message"),
    [
        ({}, np.ones((5, 3)), None, "rows are all the same"),
        ({}, np.full((7, 3), 0.1, np.float32), None, "rows are all the same"),
        ({}, X[:1], None, "n_samples = 1"),
        ({}, np.where(X > 4, np.nan, X), None, "NaN"),
        ({}, np.where(X > 4, np.inf, X), None, "infinity"),
        ({}, X[0], None, "2D array"),
        ({"n_components": 6}, X[:4], None, r"n_components=6 must be at most the rank .*\(3, of 4"),
        ({"n_components": 6}, X * [1, 1, 1, 1, 1, 0], None, "at most the rank"),
        ({"n_components": 7}, X, None, r"at most the number of features \(6\)"),
        ({"n_components": 0}, X, None, "n_components=0"),
        ({"n_components": True}, X, None, "n_components=True"),
        ({"n_components": 1.5}, X, None, "n_components=1.5"),
        ({"n_components": "mle"}, X, None, "n_components='mle' must be one of"),
        ({"n_components": [2]}, X, None, "n_components="),
        ({"whitening": "ica"}, X, None, "whitening='ica' must be one of"),
        ({"covariance": "between"}, X, None, "covariance='between' must be one of"),
        ({"svd_solver": "arpack"}, X, None, "svd_solver='arpack' must be one of"),
        ({"svd_solver": "randomized"}, X, None, "n_components=None must be an int"),
        ({"shrinkage": "oas"}, X, None, "shrinkage='oas' must be one of"),
        ({"shrinkage": 1.1}, X, None, "shrinkage=1.1 must be a number"),
        ({"ridge": -1.0}, X, None, "ridge=-1.0 must be a number"),
        ({"random_state": "a"}, X, None, "random_state='a'"),
        ({"covariance": "within"}, X, None, "requires y to be passed"),
        ({"covariance": "within"}, X, Y[:5], r"y has shape \(5,\)"),
        ({"covariance": "within"}, X, np.ones((20, 2)), r"y has shape \(20, 2\)"),
        ({"covariance": "within"}, X, np.full(20, np.nan), "y contains NaN"),
        ({"covariance": "within"}, X, np.arange(20), "needs a class with two rows"),
        ({"covariance": "within", "shrinkage": None}, X, [0, 0, 2, 2, *range(4, 20)],
         "has rank 2, below the 6 components"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(options, data, y, message):
    with pytest.raises(ValueError, match=message):
        SVDDecorrelator(**options).fit(data, y)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full((4, 3), np.nan), "contains NaN or infinity"),
        (np.ones(5), "Expected 2D array, got 1D array"),
        (np.ones((0, 3)), "is empty"),
        (np.ones((3, 3), complex), "Complex data not supported"),
        (np.ones((3, 3)), "rows are all the same"),
    ],
)
def test_bad_data_of_other_libraries_are_refused(library, data, message):
    with pytest.raises(ValueError, match=message):
        SVDDecorrelator().fit(library(data))


def test_what_streaming_refuses_and_waits_for():
    X, y = labelled()
    with pytest.raises(ValueError, match="can't be streamed with covariance='within'"):
        SVDDecorrelator(covariance="within").partial_fit(X, y)
    with pytest.raises(ValueError, match="call fit, which starts anew"):
        SVDDecorrelator().fit(X).set_params(covariance="within", shrinkage=0.1).partial_fit(X, y)
    model = SVDDecorrelator(5).partial_fit(X[:1])
    with pytest.raises(NotFittedError, match="too few to decorrelate"):
        model.transform(X)
    assert model.partial_fit(X[1:3]).n_components_ == 2
    assert model.partial_fit(X[3:50]).n_components_ == 5
    with pytest.raises(ValueError, match="X has 7 features"):
        model.partial_fit(X[:, :7])
    model = SVDDecorrelator(covariance="within", shrinkage=None).partial_fit(X[:7], y[:7])
    with pytest.raises(NotFittedError):
        model.transform(X)
    assert model.partial_fit(X[7:], y[7:]).transform(X).shape == (200, 8)
    for method in (SVDDecorrelator().transform, SVDDecorrelator().inverse_transform):
        with pytest.raises(NotFittedError):
            method(X)
    with pytest.raises(ValueError, match=r"shape \(n_samples, 8\)"):
        model.inverse_transform(X[:, :5])


def test_a_refused_fit_leaves_the_estimator_as_it_was():
    model = SVDDecorrelator()
    with pytest.raises(ValueError, match="all the same"):
        model.fit(np.ones((5, 3)))
    with pytest.raises(NotFittedError):
        model.transform(np.ones((5, 3)))
    model.partial_fit(np.ones((5, 3)))
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError):
        model.get_feature_names_out()
