"""How well a recording is taken apart, with speakers in any order."""

import numpy as np
from sklearn.metrics.cluster import contingency_matrix

from anmf._core.checks import check_choice
from anmf.metrics import METRICS, pairwise, solve_permutation
from anmf.metrics.embedding import matched
from anmf.metrics.permutation import picked


def score_parts(reference, estimate, metric):
    """Mean of a metric over speakers, each beside the estimated one that fits it best.

    Parameters
    ----------
    reference : ndarray (n, n_speakers, d)
        True parts. Speakers whose parts are all zero don't count.
    estimate : ndarray (n, n_found, d)
        In any order. A speaker that was not found has zero parts.
    metric : str
        A name of `anmf.metrics.METRICS`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another name, or shapes that don't fit.
    """
    check_choice("metric", metric, METRICS)
    n, _, d = estimate.shape
    if reference.ndim != 3 or reference.shape[::2] != (n, d) or not reference.shape[1]:
        raise ValueError(
            f"y has shape {reference.shape}; score needs the true part of each speaker in each "
            f"segment, (n_segments, n_speakers, n_features) = ({n}, n_speakers, {d})"
        )
    reference = reference[:, np.any(reference != 0, axis=(0, 2)), :]
    if not reference.shape[1]:
        return np.nan
    missing = np.zeros((n, max(0, reference.shape[1] - estimate.shape[1]), d), estimate.dtype)
    estimate = np.concatenate([estimate, missing], axis=1)
    columns = [np.moveaxis(x, 1, 2).reshape(1, n * d, -1) for x in (reference, estimate)]
    scores = pairwise(METRICS[metric], *columns)[0]
    order = solve_permutation(scores)
    return float(scores[np.arange(len(order)), order].mean())


def score_labels(true, found):
    """Share of the segments (n,) given to the right speaker, in the order that fits best.

    Where `found` is −1, nobody was heard, which is never right.
    """
    if true.dtype.kind == "f" and not np.all(np.isfinite(true)):
        raise ValueError("y contains NaN or infinity; leave out segments of unknown speakers")
    heard = found >= 0
    table = contingency_matrix(true[heard], found[heard]).astype(np.float64)
    return float(picked(table, matched(table)).sum() / len(true))
