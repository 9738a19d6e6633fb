"""Folds for cross-validation that can be learnt from and scored: what each row is good for."""

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.extmath import row_norms

from anmf._core.arrays import take_rows, to_host
from anmf._core.checks import check_count, check_samples
from anmf.nmf.anmf import ANMF
from anmf.nmf.labels import read_labels
from anmf.nmf.parameters import declared_sources, mean_length


@dataclass(frozen=True)
class Rows:
    """What each row is good for.

    Attributes
    ----------
    teaches : ndarray of bool (n, n_groups)
        Whether a row tells of a source (for ANMF: is to be explained; is adversarial).
    names : list of str
        What to call such a row.
    paired : ndarray of bool (n,)
        Whether a row is a mixture whose parts are known.
    kinds : ndarray of int (n,)
        Every fold is to get its share of each.
    scale : float
        Mean length of the rows of the sources.
    fewest : int
        Rows of the smallest source.
    width : int
        Features m.
    """

    teaches: Any
    names: list
    paired: Any
    kinds: Any
    scale: float
    fewest: int
    width: int


def read_rows(model, X, y):
    """Sort rows by their use for a search.

    Parameters
    ----------
    model : NMF_separation, ANMF or another separator
    X : array (n, m)
    y : array (n,) or (n, n_sources, m)
        As in ``model.fit``.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        For data that the model doesn't take.
    """
    X = check_samples(
        clone(model), X, reset=True, missing=getattr(model, "missing", "error"),
        accept_sparse=isinstance(model, ANMF),
    )  # fmt: skip
    if isinstance(model, ANMF) and y is not None:
        return _read_adversarial(X, to_host(y))
    parameters = (getattr(model, name, None) for name in ("n_components", "n_sources"))
    taught = read_labels(X, y, declared_sources(*parameters))
    y, labels = to_host(y), taught.labels
    if y.ndim == 1:
        teaches, kinds = y[:, None] == labels, y
    else:
        teaches = (y > 0).any(axis=2)
        kinds = np.where(teaches.any(axis=1), teaches.argmax(axis=1), -1)
    paired = teaches.sum(axis=1) > 1
    kinds = np.where(paired, len(labels), kinds).astype(int)
    fewest = min(rows.shape[0] or X.shape[0] for rows in taught.sources)
    names = [f"row of source {label}" for label in labels]
    return Rows(teaches, names, paired, kinds, mean_length(taught), fewest, X.shape[1])


def _read_adversarial(X, y):
    if y.shape != (X.shape[0],):
        raise ValueError(
            f"y has shape {y.shape}; ANMF needs one label for each of the {X.shape[0]} rows of X, "
            "-1 for adversarial rows"
        )
    true, names = y != -1, ["row to explain (y != -1)", "adversarial row (y == -1)"]
    own = take_rows(X, np.flatnonzero(true))
    lengths = row_norms(own if sparse.issparse(own) else np.nan_to_num(to_host(own)))
    return Rows(
        np.stack([true, ~true], axis=1), names, np.zeros(len(y), dtype=bool),
        np.where(true, 0, -1), float(lengths.mean()) if len(lengths) else 0.0, len(lengths),
        X.shape[1],
    )  # fmt: skip


def make_folds(rows, X, y, cv, scored, random_state):
    """Training and test rows of every fold, made once so that all candidates get the same.

    Parameters
    ----------
    rows : Rows
    X, y : arrays
        For a splitter.
    cv : int, splitter, iterable of (train, test) or None
        A number (None for 3) makes shuffled folds with equal shares of each kind of row.
    scored : bool
        Whether the test rows must allow for a comparison of parts.
    random_state : int, RandomState or None

    Returns
    -------
    list of (ndarray, ndarray)

    Raises
    ------
    ValueError
        For a fold that lacks a source, and if there are too few rows for so many folds.
    """
    if cv is None or isinstance(cv, Integral):
        n_folds = 3 if cv is None else cv
        check_count("cv", n_folds, minimum=2)
        if scored:
            _check_counts(rows, n_folds)
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=random_state)
        with warnings.catch_warnings():
            # Kinds that no fold needs may be rare.
            warnings.filterwarnings("ignore", message="The least populated class")
            folds = list(splitter.split(rows.kinds, rows.kinds))
    else:
        folds = list(check_cv(cv).split(X, y if np.ndim(y) == 1 else rows.kinds))
    for number, (train, test) in enumerate(folds):
        _check_fold(rows, train, test, scored, f"fold {number} of cv")
    return folds


def _check_counts(rows, n_folds):
    """Raise unless every fold can have what its score needs."""
    if rows.paired.any():
        counts = {"mixture with known parts": rows.paired.sum()}
    else:
        counts = dict(zip(rows.names, rows.teaches.sum(axis=0), strict=True))
    for name, count in counts.items():
        if count < n_folds:
            raise ValueError(
                f"{n_folds} folds need at least {n_folds} of each kind of row that the score needs,"
                f" and y has {count} of this: {name}; lower cv, add rows, give true parts of at "
                "least as many mixtures (anmf.stack_sources), or pass a callable as scoring"
            )


def _check_fold(rows, train, test, scored, which):
    """Raise unless all that can be learnt is among the rows to train on, and scored by the rest."""
    for name, known, taught in zip(
        rows.names, rows.teaches.any(axis=0), rows.teaches[train].any(axis=0), strict=True
    ):
        if known and not taught:
            raise ValueError(
                f"{which} has no {name} to train on; use cv=StratifiedKFold(n_splits), fewer "
                "folds, or more rows"
            )
    if not scored or rows.paired[test].any():
        return
    if rows.paired.any():
        raise ValueError(
            f"{which} has no mixture with known parts to score; use cv=StratifiedKFold(n_splits)"
        )
    for name, tested in zip(rows.names, rows.teaches[test].any(axis=0), strict=True):
        if not tested:
            raise ValueError(
                f"{which} has no {name} to score; use cv=StratifiedKFold(n_splits), or a callable "
                "as scoring"
            )
