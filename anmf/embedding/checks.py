"""What enters the estimators of embeddings is checked here."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import validate_data

from anmf._core.arrays import is_foreign
from anmf._core.checks import check_choice, check_count, check_foreign, check_real
from anmf.embedding.rank import RANK_RULES


def check_embeddings(estimator, X, *, reset):
    """Validate real embeddings of any sign (n, d) and bring them to float32 or float64.

    NumPy arrays, lists and data frames go through scikit-learn's ``validate_data``; arrays of
    another array-API library keep their library and device.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose ``n_features_in_`` is set (`reset`) or compared.
    X : array-like (n, d)
    reset : bool
        True in ``fit``.

    Returns
    -------
    X : array (n, d)

    Raises
    ------
    ValueError
        For wrong shape or type, NaN or infinity, or no rows.
    """
    if not is_foreign(X):
        return validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32])
    return check_foreign(estimator, X, reset=reset)


def check_n_components(value, n_features):
    """Raise unless `value` is a number of components, a share of energy, a rule's name or None."""
    if value is None:
        return
    if isinstance(value, str):
        check_choice("n_components", value, RANK_RULES)
    elif isinstance(value, Integral):
        check_count("n_components", value)
        if value > n_features:
            raise ValueError(
                f"n_components={value} must be at most the number of features ({n_features}); "
                "use None for all"
            )
    elif not isinstance(value, Real) or not 0 < value <= 1:
        raise ValueError(
            f"n_components={value!r} must be a number of components (int), a share of the energy "
            f"(float above 0 and at most 1), one of {sorted(RANK_RULES)}, or None"
        )


def check_shrinkage(value):
    """Raise unless `value` is 'ledoit-wolf', None or a number in [0, 1]."""
    if isinstance(value, str):
        check_choice("shrinkage", value, ("ledoit-wolf",))
    elif value is not None:
        check_real("shrinkage", value, maximum=1.0)


def check_n_speakers(value, rules):
    """Raise unless `value` is a number of speakers, the name of a rule to count them, or None."""
    if isinstance(value, str):
        check_choice("n_speakers", value, rules)
    elif value is not None:
        check_count("n_speakers", value)
