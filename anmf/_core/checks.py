"""The front door: what enters an estimator is checked here, before any work starts."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from anmf._core.arrays import is_foreign, like, namespace, to_host


def check_samples(estimator, X, *, reset, missing="error", accept_sparse=False):
    """Validate non-negative samples (n, m) and bring them to float32 or float64.

    NumPy arrays, lists, data frames and sparse matrices go through scikit-learn's
    ``validate_data``; arrays of another array-API library keep their library and device.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose ``n_features_in_`` is set (`reset`) or compared.
    X : array-like or sparse matrix (n, m)
    reset : bool
        True in ``fit``.
    missing : {'error', 'ignore'}
        Whether NaN is an error or marks a missing entry.
    accept_sparse : bool
        Whether SciPy's sparse matrices may pass (as CSR).

    Returns
    -------
    X : array or CSR matrix (n, m)

    Raises
    ------
    ValueError
        For wrong shape or type, NaN or infinity, negative values, or too few samples.
    """
    if is_foreign(X):
        X = check_foreign(estimator, X, reset=reset, missing=missing)
    else:
        X = validate_data(
            estimator,
            X,
            reset=reset,
            accept_sparse="csr" if accept_sparse else False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if missing == "ignore" else True,
            ensure_min_samples=1,
        )
    values = X.data if sparse.issparse(X) else X
    if values.shape[0] and _smallest(values, missing) < 0:
        raise ValueError(
            f"Negative values in data passed to {type(estimator).__name__} (input X): entries must "
            "be at least 0; take magnitudes, or scale with sklearn.preprocessing.MinMaxScaler"
        )
    return X


def _smallest(values, missing):
    xp = namespace(values)
    if missing == "ignore":
        values = xp.where(xp.isnan(values), 0, values)
    return float(xp.min(values))


def check_foreign(estimator, X, *, reset, missing="error"):
    """Validate samples (n, m) that are an array of another library than NumPy.

    Parameters
    ----------
    estimator : BaseEstimator
    X : array
    reset : bool
    missing : {'error', 'ignore'}
        As in `check_samples`.

    Returns
    -------
    array (n, m)
        float32 or float64, in its library and on its device.

    Raises
    ------
    ValueError
        For wrong shape or type, NaN or infinity.
    """
    xp, name = namespace(X), type(estimator).__name__
    check_table("X", X, name)
    if 0 in X.shape:
        raise ValueError(
            f"X of {name} is empty: shape {tuple(X.shape)}; it needs a row and a column"
        )
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported by {name}; take magnitudes or real parts")
    if X.dtype not in (xp.float32, xp.float64):
        X = xp.astype(X, xp.float64)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    finite = ~xp.isinf(X) if missing == "ignore" else xp.isfinite(X)
    if not bool(xp.all(finite)):
        marked = ", or mark missing entries by NaN and set missing='ignore'"
        raise ValueError(
            f"Input X of {name} contains NaN or infinity; drop or impute those rows"
            + marked * hasattr(estimator, "missing")
        )
    return X


def check_table(name, X, owner):
    """Raise unless `X` has two axes."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array with shape {tuple(X.shape)} for {name} of "
            f"{owner}; reshape it to (n_samples, n_features)"
        )


def check_choice(name, value, choices):
    """Raise unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {sorted(choices)}")


def check_count(name, value, *, minimum=1, optional=False):
    """Raise unless `value` is an integer of at least `minimum` (or None where `optional`)."""
    if optional and value is None:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        hint = " or None" if optional else ""
        raise ValueError(f"{name}={value!r} must be an integer of at least {minimum}{hint}")


def check_real(name, value, *, minimum=0.0, maximum=np.inf):
    """Raise unless `value` is a finite number in [minimum, maximum]."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or not minimum <= value <= maximum:
        upper = "" if maximum == np.inf else f" and at most {maximum}"
        raise ValueError(f"{name}={value!r} must be a number of at least {minimum}{upper}")


def check_penalty(name, value, n_components):
    """Strength of a penalty as a host array (n_components,), from a number or one a component."""
    strength = to_host(value) if not isinstance(value, str) else np.asarray(value)
    numeric = strength.dtype.kind in "fiu" and strength.ndim <= 1
    if not numeric or (strength.ndim == 1 and len(strength) != n_components):
        raise ValueError(
            f"{name}={value!r} must be a number or one number for each of the {n_components} "
            "components"
        )
    if not np.all(np.isfinite(strength)) or np.any(strength < 0):
        raise ValueError(f"{name}={value!r} must be finite and at least 0")
    return np.broadcast_to(strength.astype(np.float64), (n_components,))


def check_weights(sample_weight, n_samples):
    """Host array (n,) of finite, non-negative weights with a positive sum; None stays None."""
    if sample_weight is None:
        return None
    weight = to_host(sample_weight).astype(np.float64)
    if weight.ndim == 0:
        weight = np.full(n_samples, float(weight))
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight has shape {weight.shape}; expected one weight for each of the "
            f"{n_samples} rows of X: ({n_samples},)"
        )
    if not np.all(np.isfinite(weight)) or np.any(weight < 0):
        raise ValueError("sample_weight must be finite and at least 0; drop rows to ignore them")
    if not weight.sum() > 0:
        raise ValueError("sample_weight is zero for every row; at least one must be positive")
    return weight


def check_components(name, W, n_features, reference):
    """Components given by the user, in the library, device and dtype of `reference`."""
    W = like(to_host(W), reference)
    if W.ndim != 2 or W.shape[1] != n_features:
        raise ValueError(
            f"{name} has shape {tuple(W.shape)}; expected (n_components, {n_features}), "
            "one row a component"
        )
    host = to_host(W)
    if not np.all(np.isfinite(host)) or np.any(host < 0):
        raise ValueError(f"{name} must be finite and at least 0")
    return W
