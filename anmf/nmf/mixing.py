"""Rows of several sources: stacked with labels, or summed to mixtures whose parts are known."""

import numpy as np


def mix_at_random(sources, n_mixtures, rng, weights=None):
    """Sum rows drawn at random, one from each source.

    Parameters
    ----------
    sources : sequence of array (n_s, m)
        Rows of each source.
    n_mixtures : int
    rng : numpy.random.Generator
    weights : sequence of float, optional
        Gain of each source; 1 when not given.

    Returns
    -------
    mixtures : array (n_mixtures, m)
    parts : array (n_mixtures, n_sources, m)
        Weighted rows; they sum to the mixtures.
    """
    weights = [1.0] * len(sources) if weights is None else weights
    drawn = [_draw(len(rows), n_mixtures, rng) for rows in sources]
    parts = np.stack(
        [rows[i] * rows.dtype.type(w) for rows, i, w in zip(sources, drawn, weights, strict=True)],
        axis=1,
    )
    return parts.sum(axis=1), parts


def _draw(n_rows, n_draws, rng):
    """Indices of rows, every row used equally often: shuffled passes rather than coin throws."""
    passes = -(-n_draws // n_rows)
    return np.concatenate([rng.permutation(n_rows) for _ in range(passes)])[:n_draws]


def stack_sources(sources, mixtures=None, columns=False):
    """Turn one array a source into the ``X, y`` that estimators take.

    Parameters
    ----------
    sources : sequence of array (n_s, m)
        Samples of each source. An empty array (0, m) stands for a source without samples.
    mixtures : array (n, m), optional
        Samples of mixtures, labelled −1.
    columns : bool
        True when samples are columns, (m, n_s), as in the papers.

    Returns
    -------
    X : array (sum n_s + n, m)
    y : array of int (sum n_s + n,)
        Index of the source of each row, −1 for a mixture.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = stack_sources([np.ones((2, 3)), np.zeros((1, 3))], mixtures=np.full((1, 3), 5.0))
    >>> y
    array([ 0,  0,  1, -1])
    """
    blocks = [np.asarray(rows) for rows in sources]
    labels = list(range(len(blocks)))
    if mixtures is not None:
        blocks.append(np.asarray(mixtures))
        labels.append(-1)
    for block, label in zip(blocks, labels, strict=True):
        if block.ndim != 2:
            name = "mixtures" if label == -1 else f"sources[{label}]"
            raise ValueError(
                f"{name} has shape {block.shape}; expected two dimensions, samples by features"
            )
    blocks = [block.T for block in blocks] if columns else blocks
    widths = sorted({block.shape[1] for block in blocks})
    if len(widths) != 1:
        axis = "rows" if columns else "columns"
        raise ValueError(
            f"sources and mixtures have {widths} features; all need the same number of {axis}"
            + ("" if columns else " (samples are rows; columns=True when they are columns)")
        )
    y = np.repeat(labels, [len(block) for block in blocks])
    return np.concatenate(blocks, axis=0), y
