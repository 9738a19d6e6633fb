"""What `NMF_separation` is taught with: rows of single sources, mixtures, true parts of some."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from anmf._core.arrays import is_foreign, like, namespace, take_rows, to_host
from anmf.nmf.mixing import mix_at_random


@dataclass(frozen=True)
class Supervision:
    """Weak data (rows of single sources, mixtures) and strong data (mixtures with their parts).

    Attributes
    ----------
    labels : ndarray (n_sources,)
        Name of each source.
    isolated : list of array (n_s, m)
        Rows of each source alone (an empty array where there are none).
    unknown : array (n, m) or None
        Mixtures whose parts aren't known.
    paired : array (n, m) or None
        Mixtures whose parts are.
    parts : array (n, n_sources, m) or None
        The parts of `paired`.
    """

    labels: Any
    isolated: list
    unknown: Any = None
    paired: Any = None
    parts: Any = None

    @cached_property
    def sources(self):
        """All rows of each source, alone or in a mixture, without those that are zero."""
        if self.parts is None:
            return self.isolated
        xp, whole = namespace(self.parts), []
        for s, alone in enumerate(self.isolated):
            part = self.parts[:, s, :]
            sounding = np.flatnonzero(to_host(xp.any(part > 0, axis=1)))
            part = part if len(sounding) == part.shape[0] else take_rows(part, sounding)
            whole.append(xp.concat([alone, part], axis=0) if alone.shape[0] else part)
        return whole

    @cached_property
    def mixtures(self):
        """All mixtures, or None."""
        known = [X for X in (self.unknown, self.paired) if X is not None]
        return namespace(*known).concat(known, axis=0) if len(known) == 2 else (known or [None])[0]


def read_labels(X, y, n_sources=None, given=()):
    """Sort rows by what is known of them.

    Parameters
    ----------
    X : array (n, m)
        Checked samples.
    y : array (n,) or (n, n_sources, m)
        Label of each row, −1 for a mixture; or the true parts of each row: where all but one are
        zero, the row is taken for a sample of that source; NaN throughout where they are unknown.
    n_sources : int or None
        None for as many as there are labels; more than that declares sources without rows.
    given : sequence of int
        Sources whose basis is known already, and which need no rows.

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
        return _from_parts(X, y, n_sources, given)
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
    if not len(labels) and not given:
        raise ValueError("y labels no row with a source; at least one source needs rows (y >= 0)")
    if n_sources is not None:
        if len(labels) and labels[-1] >= n_sources:
            raise ValueError(
                f"y holds the label {labels[-1]}, but there are n_sources={n_sources}; "
                f"labels must run from 0 to {n_sources - 1}"
            )
        labels = np.arange(n_sources)
    sources = [take_rows(X, np.flatnonzero(y == label)) for label in labels]
    rest = np.flatnonzero(y == -1)
    mixtures = X if len(rest) == X.shape[0] else take_rows(X, rest)
    taught = Supervision(labels, sources, mixtures if len(rest) else None)
    _require_mixtures(taught, given)
    return taught


def _require_mixtures(taught, given):
    rows = [source.shape[0] for source in taught.sources]
    empty = [int(taught.labels[s]) for s, n in enumerate(rows) if not n and s not in given]
    if len(empty) == len(taught.labels):
        raise ValueError("y: the true parts of every row are zero or unknown; no source has a row")
    if empty and taught.mixtures is None:
        raise ValueError(
            f"y labels no row with the sources {empty}, and no mixture (y == -1) from which they "
            "could be learnt; add rows of either kind"
        )


def _from_parts(X, y, n_sources, given):
    n, m = X.shape
    if y.shape[0] != n or y.shape[2] != m or (n_sources or y.shape[1]) != y.shape[1]:
        expected = "n_sources" if n_sources is None else n_sources
        raise ValueError(
            f"y has shape {tuple(y.shape)}; the true parts of X need shape ({n}, {expected}, {m})"
        )
    host = to_host(y)
    unknown = np.isnan(host).all(axis=(1, 2))
    if not np.all(np.isfinite(host[~unknown])) or np.any(host[~unknown] < 0):
        raise ValueError(
            "y: true parts must be finite and at least 0, as X; a mixture whose parts are unknown "
            "has NaN throughout"
        )
    sounding = ~unknown[:, None] & (host > 0).any(axis=2)
    mixed = np.flatnonzero(sounding.sum(axis=1) > 1)
    alone = [sounding[:, s] & (sounding.sum(axis=1) == 1) for s in range(y.shape[1])]
    taught = Supervision(
        np.arange(y.shape[1]),
        [like(host[rows, s], X) for s, rows in enumerate(alone)],
        take_rows(X, np.flatnonzero(unknown)) if unknown.any() else None,
        take_rows(X, mixed) if len(mixed) else None,
        like(host[mixed], X) if len(mixed) else None,
    )
    _require_mixtures(taught, given)
    return taught


def known_mixtures(X, y, expected):
    """Mixtures whose parts are known, for scoring: always the same ones for the same rows.

    Parameters
    ----------
    X : array (n, m)
        Checked samples.
    y : array (n,) or (n, n_sources, m)
        As in `read_labels`. Of true parts, the rows with several of them serve, or where there are
        none, all whose parts are known. With labels, rows of single sources are mixed, as many
        times as the commonest source has rows.
    expected : sequence of int
        The labels that must be there.

    Returns
    -------
    mixtures : array (n_mixtures, m)
    parts : array (n_mixtures, n_sources, m)
    """
    if np.ndim(y) == 3:
        host = to_host(y)
        known = ~np.isnan(host).all(axis=(1, 2))
        mixed = known & ((host > 0).any(axis=2).sum(axis=1) > 1)
        rows = np.flatnonzero(mixed if mixed.any() else known)
        return take_rows(X, rows), like(host[rows], X)
    taught = read_labels(X, y)
    if list(taught.labels) != list(expected):
        raise ValueError(
            f"y holds the labels {[int(n) for n in taught.labels]}; to make mixtures, score needs "
            f"rows of each of {[int(n) for n in expected]} (in cross-validation use "
            "cv=StratifiedKFold(n_splits)), or the true parts as y"
        )
    rows = [to_host(source) for source in taught.isolated]
    mixed = mix_at_random(rows, max(map(len, rows)), np.random.default_rng(0))
    return tuple(like(array, X) for array in mixed)
