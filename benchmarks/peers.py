"""Other implementations of X ≈ H W under one signature: ``peer(X, H, W, n_iter) -> (H, W)``.

Each runs exactly `n_iter` iterations from the given start, without stopping by itself. Their
letters are scikit-learn's: what it calls W are our activations H.
"""

import warnings
from importlib.util import find_spec

import numpy as np
from sklearn.decomposition import MiniBatchNMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

EXACT = {"tol": 0, "init": "custom"}


def coordinate_descent(X, H, W, n_iter):
    """scikit-learn, ``solver='cd'``."""
    return _scikit_learn(X, H, W, n_iter, solver="cd")


def multiplicative(X, H, W, n_iter, beta_loss="frobenius"):
    """scikit-learn, ``solver='mu'``."""
    return _scikit_learn(X, H, W, n_iter, solver="mu", beta_loss=beta_loss)


def mini_batch(X, H, W, n_iter):
    """scikit-learn, `MiniBatchNMF`; an iteration is one pass over the rows."""
    model = MiniBatchNMF(len(W), max_iter=n_iter, max_no_improvement=None, random_state=0, **EXACT)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        H = model.fit_transform(X, W=H.copy(), H=W.copy())
    return H, model.components_


def nn_fac_hals(X, H, W, n_iter):
    """nn_fac, ``update_rule='hals'``."""
    from nn_fac.nmf import nmf

    options = {"n_iter_max": n_iter, "tol": -np.inf, "update_rule": "hals", "deterministic": True}
    return nmf(X, len(W), init="custom", U_0=H, V_0=W, **options)


def _scikit_learn(X, H, W, n_iter, **options):
    H, W = H.copy(), W.copy()  # it writes into the arrays of a given start
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        H, W, _ = non_negative_factorization(
            X, H, W, n_components=len(W), max_iter=n_iter, **EXACT, **options
        )
    return H, W


def installed_peers():
    """The peers that can be run here, by name; scikit-learn's coordinate descent comes first."""
    peers = {
        "scikit-learn cd": coordinate_descent,
        "scikit-learn mu": multiplicative,
        "scikit-learn MiniBatchNMF": mini_batch,
    }
    if find_spec("nn_fac"):
        peers["nn_fac hals"] = nn_fac_hals
    return peers


RESTARTED = (mini_batch,)
"""Peers whose run can't be continued from factors alone, because they remember earlier batches."""
