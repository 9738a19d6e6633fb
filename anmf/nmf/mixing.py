"""Rows of several sources: stacked with labels, or summed to mixtures whose parts are known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def mix_at_random(
    sources: Sequence[np.ndarray],
    n_mixtures: int,
    rng: np.random.Generator,
    weights: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum rows drawn at random, one from each source.

    Parameters
    ----------
    sources : sequence of ndarray of shape (n_s, m)
        Rows of each source.
    n_mixtures : int
        Mixtures to make.
    rng : numpy.random.Generator
        What draws the rows; the rows of a source are all used equally often.
    weights : sequence of float or None, default None
        Gain of each source; None for 1.

    Returns
    -------
    mixtures : ndarray of shape (n_mixtures, m)
        Sums of the parts.
    parts : ndarray of shape (n_mixtures, n_sources, m)
        Weighted rows; they sum to the mixtures.

    Examples
    --------
    >>> import numpy as np
    >>> sources = [np.ones((2, 3)), np.full((4, 3), 2.0)]
    >>> mixtures, parts = mix_at_random(sources, 5, np.random.default_rng(0), weights=[1.0, 0.5])
    >>> mixtures.shape, parts.shape, mixtures[0]
    ((5, 3), (5, 2, 3), array([2., 2., 2.]))
    """
    weights = [1.0] * len(sources) if weights is None else weights
    drawn = [draw_rows(len(rows), n_mixtures, rng) for rows in sources]
    parts = np.stack(
        [rows[i] * rows.dtype.type(w) for rows, i, w in zip(sources, drawn, weights, strict=True)],
        axis=1,
    )
    return parts.sum(axis=1), parts


def draw_rows(n_rows, n_draws, rng):
    """Host indices of rows, all used equally often: shuffled passes rather than coin throws."""
    passes = -(-n_draws // n_rows)
    return np.concatenate([rng.permutation(n_rows) for _ in range(passes)])[:n_draws]


def stack_sources(
    sources: Sequence[ArrayLike],
    mixtures: ArrayLike | None = None,
    columns: bool = False,
    *,
    parts: ArrayLike | None = None,
    paired: ArrayLike | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn one array a source, and what is known of mixtures, into the ``X, y`` of estimators.

    Parameters
    ----------
    sources : sequence of array-like of shape (n_s, m)
        Samples of each source. An empty array (0, m) stands for a source without samples.
    mixtures : array-like of shape (n, m) or None, default None
        Samples of mixtures whose parts aren't known.
    columns : bool, default False
        True when samples are columns, (m, n_s), as in the papers; parts are (m, n_sources, n) then.
    parts : array-like of shape (n, n_sources, m) or None, default None
        True parts of further mixtures (strong supervision).
    paired : array-like of shape (n, m) or None, default None
        The mixtures of `parts`; their sum when not given. They need not sum to it exactly (the
        magnitudes of audio don't).

    Returns
    -------
    X : ndarray of shape (n_rows, m)
        Rows of the sources, then `mixtures`, then `paired`.
    y : ndarray of int, shape (n_rows,), or ndarray of shape (n_rows, n_sources, m) with `parts`
        Index of the source of each row, −1 for a mixture. Or the parts of each row: for a row of a
        single source all others are zero, for a mixture of unknown parts all are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = stack_sources([np.ones((2, 3)), np.zeros((1, 3))], mixtures=np.full((1, 3), 5.0))
    >>> y
    array([ 0,  0,  1, -1])
    >>> X, y = stack_sources([np.ones((2, 3)), np.ones((1, 3))], parts=np.ones((4, 2, 3)))
    >>> X.shape, y.shape
    ((7, 3), (7, 2, 3))
    """
    blocks = [np.asarray(rows) for rows in sources]
    labels = list(range(len(blocks)))
    if mixtures is not None:
        blocks.append(np.asarray(mixtures))
        labels.append(-1)
    _check_blocks(blocks, labels)
    blocks = [block.T for block in blocks] if columns else blocks
    widths = sorted({block.shape[1] for block in blocks})
    if len(widths) != 1:
        axis = "rows" if columns else "columns"
        raise ValueError(
            f"sources and mixtures have {widths} features; all need the same number of {axis}"
            + ("" if columns else " (samples are rows; columns=True when they are columns)")
        )
    X, y = np.concatenate(blocks), np.repeat(labels, [len(block) for block in blocks])
    if parts is None:
        if paired is not None:
            raise ValueError("paired holds the mixtures of `parts`; pass parts too")
        return X, y
    parts, paired = _known_parts(parts, paired, len(sources), widths[0], columns)
    strong = np.concatenate([_weak_parts(X, y, len(sources)), parts])
    return np.concatenate([X, paired]), strong


def _check_blocks(blocks, labels):
    for block, label in zip(blocks, labels, strict=True):
        if block.ndim != 2:
            name = "mixtures" if label == -1 else f"sources[{label}]"
            raise ValueError(
                f"{name} has shape {block.shape}; expected two dimensions, samples by features"
            )


def _known_parts(parts, paired, n_sources, width, columns):
    """Parts (n, n_sources, m) and their mixtures (n, m), checked."""
    parts = np.asarray(parts)
    parts = parts.T if columns else parts
    if parts.ndim != 3 or parts.shape[1:] != (n_sources, width):
        form = "(m, n_sources, n)" if columns else "(n, n_sources, m)"
        raise ValueError(
            f"parts has shape {np.shape(parts.T if columns else parts)}; expected {form} with "
            f"n_sources={n_sources} and m={width}"
        )
    if paired is None:
        return parts, parts.sum(axis=1)
    paired = np.asarray(paired).T if columns else np.asarray(paired)
    if paired.shape != (len(parts), width):
        raise ValueError(
            f"paired has {paired.shape} samples by features; parts need ({len(parts)}, {width})"
        )
    return parts, paired


def _weak_parts(X, y, n_sources):
    """Labels as parts: (n, n_sources, m), the row itself at its source, NaN for a mixture."""
    parts = np.zeros((len(X), n_sources, X.shape[1]), np.result_type(X.dtype, np.float32))
    parts[y == -1] = np.nan
    own = np.flatnonzero(y >= 0)
    parts[own, y[own]] = X[own]
    return parts
