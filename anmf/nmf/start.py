"""Where a fit starts: `n_components`, `init` and `frozen` resolved together."""

import numpy as np
from scipy import sparse

from anmf._core.arrays import is_array, namespace, to_host, total
from anmf._core.checks import check_choice, check_components, check_count
from anmf.nmf.init import INITS, check_draw, draw_components
from anmf.nmf.updates import unit_rows


def start_components(X, n_components, init, frozen, rng, weight=None):
    """Initial components, and which of them are frozen.

    Parameters
    ----------
    X : array or sparse matrix (n, m)
        Checked samples; NaN marks missing entries.
    n_components : int or None
        None for m, or for as many rows as `init` has.
    init : str or array
        A name of `INITS`, or the rows that `frozen` doesn't give.
    frozen : None, int, bool array (k,) or array (f, m)
    rng : numpy.random.Generator
    weight : ndarray (n,), optional

    Returns
    -------
    W : array (k, m)
        Free rows at unit length, frozen rows as given.
    frozen : ndarray of bool (k,)
    """
    check_count("n_components", n_components, optional=True)
    X = _completed(X)
    reference = X.data if sparse.issparse(X) else X
    if np.ndim(frozen) == 2:
        lead = check_components("frozen", frozen, X.shape[1], reference)
        k = n_components or max(X.shape[1], lead.shape[0])
        if k < lead.shape[0]:
            raise ValueError(
                f"n_components={k} must be at least the number of frozen rows ({lead.shape[0]}); "
                "it counts frozen and free components together"
            )
        if k == lead.shape[0]:
            return lead, np.ones(k, dtype=bool)
        rest = _rows(X, k - lead.shape[0], init, rng, weight, reference)
        W = namespace(lead).concat([lead, rest], axis=0)
        return W, np.arange(k) < lead.shape[0]
    if n_components is None:
        n_components = X.shape[1] if isinstance(init, str) else len(init)
    elif isinstance(init, str):
        check_draw(init, n_components, X.shape[0])
    mask = _frozen_mask(frozen, n_components, init)
    W = _rows(X, n_components, init, rng, weight, reference)
    if mask.any():
        given = check_components("init", init, X.shape[1], reference)
        W = _choose(mask, given, W)
    return W, mask


def _rows(X, n_rows, init, rng, weight, reference):
    """Rows by name, or those given, at unit length."""
    if not is_array(init) and not isinstance(init, (list, tuple)):
        check_choice("init", init, INITS)
        return draw_components(X, n_rows, init, rng, weight)
    W = check_components("init", init, X.shape[1], reference)
    if W.shape[0] != n_rows:
        raise ValueError(
            f"init has {W.shape[0]} rows; expected {n_rows}, one for each component"
            " (without the frozen rows when `frozen` holds them)"
        )
    return unit_rows(W, xp=namespace(W))[0]


def _frozen_mask(frozen, k, init):
    """Mask (k,) from None, a count of leading rows, or a mask."""
    if frozen is None:
        return np.zeros(k, dtype=bool)
    if np.ndim(frozen) == 0:
        check_count("frozen", frozen, minimum=0)
        mask = np.arange(k) < frozen
        valid = frozen <= k
    else:
        mask = to_host(frozen)
        valid = mask.shape == (k,) and mask.dtype == bool
    if not valid:
        raise ValueError(
            f"frozen={frozen!r} must be a number of leading rows of at most n_components={k}, "
            f"a bool mask of shape ({k},), or the rows themselves"
        )
    if mask.any() and isinstance(init, str):
        raise ValueError(
            f"frozen={frozen!r} marks rows of an array init, but init={init!r}; pass init as an "
            "array of all components, or the frozen rows themselves as frozen"
        )
    return mask


def _choose(mask, given, W):
    xp = namespace(W)
    pick = [given if fixed else W for fixed in mask]
    return xp.concat([rows[t : t + 1, :] for t, rows in enumerate(pick)], axis=0)


def _completed(X):
    """X with missing entries replaced by the mean of their column (0 where nothing is known)."""
    if sparse.issparse(X):
        return X
    xp = namespace(X)
    if not np.isnan(total(X, xp)):
        return X
    missing = xp.isnan(X)
    known = xp.where(missing, 0, X)
    count = xp.sum(xp.astype(~missing, X.dtype), axis=0)
    mean = xp.sum(known, axis=0) / xp.where(count > 0, count, 1)
    return xp.where(missing, mean[None, :], X)
