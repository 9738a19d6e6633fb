"""How good sources are that come in any order."""

import numpy as np

from anmf._core.checks import check_choice
from anmf.metrics import METRICS, pairwise, solve_permutation


def score_sources(reference, estimate, metric):
    """Mean of a metric over sources and channels, in the order of sources that fits best.

    Parameters
    ----------
    reference, estimate : array (n_times, n_sources) or (n_times, n_sources, n_channels)
    metric : str
        A name of `anmf.metrics.METRICS`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another name, or references of another shape than the estimates.
    """
    check_choice("metric", metric, METRICS)
    if np.shape(reference) != estimate.shape:
        raise ValueError(
            f"y has shape {np.shape(reference)}; score needs the true sources, (n_times, "
            f"n_sources) or (n_times, n_sources, n_channels), here {estimate.shape}"
        )
    reference, estimate = (
        np.moveaxis(np.reshape(x, (*np.shape(x)[:2], -1)), 2, 0) for x in (reference, estimate)
    )
    scores = pairwise(METRICS[metric], reference, estimate).mean(axis=0)
    order = solve_permutation(scores)
    return float(scores[np.arange(len(order)), order].mean())
