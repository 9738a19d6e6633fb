"""How good sources are that come in any order."""

import warnings

import numpy as np

from anmf._core.checks import check_choice
from anmf.metrics import METRICS, pairwise, solve_permutation
from anmf.metrics.snr import mean_defined


def score_sources(reference, estimate, metric):
    """Mean of a metric over references and channels, each beside the source that fits it best.

    References that are silent, everywhere or at some channel, don't count there.

    Parameters
    ----------
    reference : array (n_times, n_references) or (n_times, n_references, n_channels)
        At most as many as there are sources.
    estimate : ndarray (n_times, n_sources) or (n_times, n_sources, n_channels)
    metric : str
        A name of `anmf.metrics.METRICS`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another name, or references that don't fit the estimates.
    """
    check_choice("metric", metric, METRICS)
    shape = reference.shape
    fits = shape[:1] + shape[2:] == estimate.shape[:1] + estimate.shape[2:]
    if not fits or not 1 <= shape[1] <= estimate.shape[1]:
        raise ValueError(
            f"y has shape {shape}; score needs true sources, (n_times, n_sources) or (n_times, "
            f"n_sources, n_channels), of which some may be left out: {estimate.shape}"
        )
    with warnings.catch_warnings():  # of references that are silent: they don't count
        warnings.simplefilter("ignore", RuntimeWarning)
        scores = pairwise(METRICS[metric], _channels_first(reference), _channels_first(estimate))
        scores = np.nanmean(scores, axis=0)
    order = solve_permutation(scores)
    return mean_defined(scores[np.arange(len(order)), order])


def _channels_first(x):
    """Axes (n_channels, n_times, n_sources); one channel, if there is no axis of channels."""
    return np.moveaxis(np.reshape(x, (*x.shape[:2], -1)), 2, 0)
