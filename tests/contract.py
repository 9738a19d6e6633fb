"""One test of the contract that any estimator of the package can be put through."""

import pickle

import numpy as np
from sklearn.base import clone


def check_contract(estimator, X, y=None, *, n_sources, consistent=True):
    """Fit `estimator` to (X, y) and hold ``separate`` to everything that is promised of it.

    Parameters
    ----------
    estimator : SeparatorMixin
        With `random_state` set.
    X : ndarray (n, m)
    y : ndarray, optional
    n_sources : int
        Parts expected.
    consistent : bool
        Whether the parts must sum to the mixture.
    """
    before = X.copy(), None if y is None else y.copy()
    X.flags.writeable = False
    model = clone(estimator).fit(X, y)
    parts = model.separate(X)

    assert parts.shape == (X.shape[0], n_sources, X.shape[1])
    assert parts.dtype == X.dtype
    assert np.isfinite(parts).all() and (parts >= 0).all()
    if consistent:
        precision = np.finfo(X.dtype).eps * max(1.0, float(X.max()))
        np.testing.assert_allclose(parts.sum(axis=1), X, rtol=1e-5, atol=20 * precision)

    np.testing.assert_array_equal(X, before[0])
    if y is not None:
        np.testing.assert_array_equal(y, before[1])

    tolerance = 1e3 * np.finfo(X.dtype).eps  # products may round by where arrays lie in memory
    close = {"rtol": tolerance, "atol": tolerance * float(X.max())}
    np.testing.assert_allclose(clone(estimator).fit_separate(X, y), parts, **close)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copied.separate(X), parts, **close)
    assert clone(model).get_params().keys() == estimator.get_params().keys()
    assert model.n_features_in_ == X.shape[1]
    assert len(model.objective_) == model.n_iter_
    score = model.score(X, parts)
    assert np.isnan(score) or score > 60  # its own output scores as (nearly) perfect
    return model
