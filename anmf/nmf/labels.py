"""What `NMF_separation` is taught with: rows by source from labels or from true parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anmf._core.arrays import is_foreign, like, take_rows, to_host
from anmf.nmf.mixing import mix_at_random


@dataclass(frozen=True)
class Supervision:
    """Rows of each source (an empty array where there are none), mixtures, and true parts.

    Attributes
    ----------
    labels : ndarray (n_sources,)
        Name of each source.
    sources : list of array (n_s, m)
    mixtures : array (n, m) or None
    parts : array (n, n_sources, m) or None
        True parts of the mixtures, where known.
    """

    labels: Any
    sources: list
    mixtures: Any
    parts: Any = None


def read_labels(X, y, n_sources=None):
    """Sort rows by source.

    Parameters
    ----------
    X : array (n, m)
        Checked samples.
    y : array (n,) or (n, n_sources, m)
        Label of each row, −1 for a mixture; or the true parts of each row.
    n_sources : int or None
        None for as many as there are labels; more than that declares sources without rows.

    Returns
    -------
    Supervision

    Raises
    ------
    ValueError
        If `y` doesn't have one of the two forms, or no source has a row.
    """
    if y is None:
        raise ValueError(
            "NMF_separation requires y to be passed, but the target y is None: give the source of "
            "each row (-1 for a mixture), or the true parts"
        )
    y = y if is_foreign(y) else np.asarray(y)
    if y.ndim == 3:
        return _from_parts(X, y, n_sources)
    if y.ndim != 1 or y.shape[0] != X.shape[0]:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; expected ({X.shape[0]},), the source of each row "
            f"(-1 for a mixture), or ({X.shape[0]}, n_sources, {X.shape[1]}), the true parts"
        )
    y = to_host(y)
    if y.dtype.kind not in "fiu" or np.any(y != np.floor(y)) or np.any(y < -1):
        raise ValueError(
            f"Unknown label type: y (dtype {y.dtype}) must hold whole numbers: the source of each "
            "row, 0 or more, and -1 for a mixture"
        )
    labels = np.unique(y[y >= 0]).astype(int)
    if not len(labels):
        raise ValueError("y labels no row with a source; at least one source needs rows (y >= 0)")
    if n_sources is not None:
        if labels[-1] >= n_sources:
            raise ValueError(
                f"y holds the label {labels[-1]}, but there are n_sources={n_sources}; "
                f"labels must run from 0 to {n_sources - 1}"
            )
        labels = np.arange(n_sources)
    sources = [take_rows(X, np.flatnonzero(y == label)) for label in labels]
    rest = np.flatnonzero(y == -1)
    mixtures = take_rows(X, rest) if len(rest) else None
    _require_mixtures(labels, sources, mixtures)
    return Supervision(labels, sources, mixtures)


def _require_mixtures(labels, sources, mixtures):
    empty = [int(n) for n, rows in zip(labels, sources, strict=True) if not rows.shape[0]]
    if empty and mixtures is None:
        raise ValueError(
            f"y labels no row with the sources {empty}, and no mixture (y == -1) from which they "
            "could be learnt; add rows of either kind"
        )


def _from_parts(X, y, n_sources):
    n, m = X.shape
    if y.shape[0] != n or y.shape[2] != m or (n_sources or y.shape[1]) != y.shape[1]:
        expected = "n_sources" if n_sources is None else n_sources
        raise ValueError(
            f"y has shape {tuple(y.shape)}; the true parts of X need shape ({n}, {expected}, {m})"
        )
    parts = like(to_host(y), X)
    host = to_host(parts)
    if not np.all(np.isfinite(host)) or np.any(host < 0):
        raise ValueError("y: true parts must be finite and at least 0, as X")
    sources = [parts[:, s, :] for s in range(y.shape[1])]
    return Supervision(np.arange(y.shape[1]), sources, X, parts)


def labelled_mixtures(X, y, expected):
    """Mixtures of labelled rows and their parts, always the same ones for the same rows.

    Parameters
    ----------
    X : array (n, m)
        Checked samples.
    y : array (n,)
        Labels.
    expected : sequence of int
        The labels that must be there.

    Returns
    -------
    mixtures : array (n_mixtures, m)
        As many as the commonest source has rows.
    parts : array (n_mixtures, n_sources, m)
    """
    taught = read_labels(X, y)
    if list(taught.labels) != list(expected):
        raise ValueError(
            f"y holds the labels {list(taught.labels)}; to make mixtures, score needs rows of each "
            f"of {list(expected)} (in cross-validation use cv=StratifiedKFold(n_splits)), or the "
            "true parts as y"
        )
    rows = [to_host(source) for source in taught.sources]
    mixed = mix_at_random(rows, max(map(len, rows)), np.random.default_rng(0))
    return tuple(like(array, X) for array in mixed)
