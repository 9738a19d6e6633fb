"""Mixtures whose parts are known, from rows of several sources."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import random_generator, to_host
from anmf._core.checks import check_count
from anmf._core.types import RandomState
from anmf.nmf.mixing import mix_at_random

_KEPT_TYPES = tuple(np.dtype(name) for name in ("float32", "float64", "complex64", "complex128"))


def make_mixtures(
    sources: Sequence[ArrayLike],
    weights: Sequence[float] | None = None,
    n_mixtures: int = 100,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of rows drawn at random, one from each source, and their true parts.

    Parameters
    ----------
    sources : sequence of array of shape (n_s, m)
        Rows of each source, at least one. Integers become float64; float32 stays.
    weights : sequence of float (n_sources,) or None, default None
        Gain of each source; 1 / n_sources each when not given.
    n_mixtures : int, default 100
        How many to make, at least 1.
    random_state : int, Generator, RandomState or None, default None
        Seed of the draw. All rows of a source are used equally often.

    Returns
    -------
    X : ndarray of shape (n_mixtures, m)
        Mixtures, ``y.sum(axis=1)``.
    y : ndarray of shape (n_mixtures, n_sources, m)
        Parts: the rows drawn, times their weights.

    Raises
    ------
    ValueError
        For sources that are empty, not two-dimensional, not finite or of different widths; for
        weights that are too few, too many, negative or not finite; for `n_mixtures` below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.datasets import make_mixtures
    >>> X, y = make_mixtures([np.eye(3), np.ones((2, 3))], n_mixtures=5, random_state=0)
    >>> X.shape, y.shape
    ((5, 3), (5, 2, 3))
    >>> bool(np.all(X == y.sum(axis=1)))
    True
    """
    rows = check_sources(sources)
    weights = check_gains(weights, len(rows))
    check_count("n_mixtures", n_mixtures)
    return mix_at_random(rows, n_mixtures, random_generator(random_state), weights)


def check_sources(sources):
    """Sources as floating-point arrays (n_s, m) of one type and width, or a ValueError.

    Parameters
    ----------
    sources : sequence of array (n_s, m)

    Returns
    -------
    list of ndarray (n_s, m)
    """
    if not np.iterable(sources) or isinstance(sources, str):
        raise ValueError(
            f"sources={sources!r} must be a sequence of arrays (n_rows, n_features), one a source"
        )
    arrays = [_check_source(rows, f"sources[{s}]") for s, rows in enumerate(sources)]
    if not arrays:
        raise ValueError("sources is empty; pass at least one array (n_rows, n_features)")
    widths = [rows.shape[1] for rows in arrays]
    if len(set(widths)) > 1:
        raise ValueError(
            f"sources have {widths} features; all need the same number of columns (rows are "
            "samples: transpose arrays that hold samples in columns)"
        )
    dtype = np.result_type(*arrays)
    return [rows.astype(dtype, copy=False) for rows in arrays]


def check_gains(weights, n_sources):
    """One finite, non-negative gain a source, 1 / n_sources each for None, or a ValueError.

    Parameters
    ----------
    weights : sequence of float (n_sources,) or None
    n_sources : int

    Returns
    -------
    list of float
    """
    if weights is None:
        return [1.0 / n_sources] * n_sources
    gains = np.asarray(weights) if np.iterable(weights) else np.asarray([])
    if gains.dtype.kind not in "fiu" or gains.shape != (n_sources,):
        raise ValueError(
            f"weights={weights!r} must be a sequence of {n_sources} numbers, one for each source; "
            f"leave it out for 1/{n_sources} each"
        )
    if not np.all(np.isfinite(gains)) or np.any(gains < 0):
        raise ValueError(f"weights={weights!r} must be finite and at least 0")
    return gains.astype(np.float64).tolist()


def _check_source(rows, name):
    try:
        rows = to_host(rows)
    except ValueError as error:
        raise ValueError(f"{name} isn't an array with rows of equal length: {error}") from error
    if rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}; expected two dimensions (n_rows, n_features): reshape "
            "images to rows, and wrap a single array in a list"
        )
    if 0 in rows.shape:
        raise ValueError(f"{name} is empty: shape {rows.shape}; it needs a row and a column")
    if rows.dtype.kind not in "biufc":
        raise ValueError(f"{name} has dtype {rows.dtype}; expected numbers")
    if rows.dtype not in _KEPT_TYPES:
        rows = rows.astype(np.float64)
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{name} contains NaN or infinity; drop or repair those rows")
    return rows
