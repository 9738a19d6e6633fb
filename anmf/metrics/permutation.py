"""Which estimate belongs to which reference.

Blind methods return sources in an order of their own. The best order is that of the largest total
of a metric: an assignment problem, solved in polynomial time for any number of sources.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from anmf._core.arrays import is_array, like, namespace, to_host
from anmf._core.types import Array
from anmf.metrics.signals import as_arrays, check_orientation


def pairwise(
    metric: Callable[..., Array],
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    axis: int = -2,
    **options: Any,
) -> Array:
    """Metric of every reference with every estimate.

    Parameters
    ----------
    metric : callable
        ``metric(reference, estimate, axis=axis, **options)`` of arrays that broadcast, such as
        `anmf.metrics.si_sdr`.
    reference : array-like of shape (..., n_times, n_sources)
        True signals; (..., n_sources, n_features) for axis −1.
    estimate : array-like of shape (..., n_times, n_estimates)
        Estimated signals, in any number; (..., n_estimates, n_features) for axis −1.
    axis : int, default -2
        Axis of time, or of features: −2 for waveforms, −1 for parts (..., n_sources, n_features).
    **options
        Passed to `metric`, such as ``zero_mean`` or ``clamp_db``.

    Returns
    -------
    array of shape (..., n_sources, n_estimates)
        In row j, column k, the metric of reference j and estimate k.

    Raises
    ------
    ValueError
        For data that `metric` refuses, or with more sources than samples (wrong orientation).

    Notes
    -----
    One call of `metric` a reference, with all estimates at once: no more memory than one metric of
    the estimates takes.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.metrics import si_sdr
    >>> reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> pairwise(si_sdr, reference, np.array([[0.1, 1.0], [1.0, 0.1]])).round(6)
    array([[-20.,  20.],
           [ 20., -20.]])
    """
    s, estimates = as_arrays(reference, estimate)
    axis = _time_axis(axis, s.ndim)
    for name, x in (("reference", s), ("estimate", estimates)):
        check_orientation(name, x, axis)
    if axis == -2:
        singles = (s[..., j : j + 1] for j in range(s.shape[-1]))
    else:
        singles = (s[..., j : j + 1, :] for j in range(s.shape[-2]))
    rows = [metric(single, estimates, axis=axis, **options) for single in singles]
    return namespace(rows[0]).stack(rows, axis=-2)


def solve_permutation(pairwise: ArrayLike) -> Array:
    """Assignment of estimates to references with the largest total.

    Parameters
    ----------
    pairwise : array-like of shape (..., n_sources, n_estimates)
        Quality of each pair, higher is better; at least as many estimates as sources. +∞ is taken
        before all else; −∞ and NaN are avoided where possible. The row of a silent reference, NaN
        throughout, has no influence on the others.

    Returns
    -------
    array of int, shape (..., n_sources)
        ``permutation[j]`` is the estimate of reference j, so ``estimate[:, permutation]`` is in
        the order of the references.

    Raises
    ------
    ValueError
        For a wrong shape, or fewer estimates than sources.

    Notes
    -----
    Solved on the host by SciPy, for 16 sources in some microseconds, where trying all orders would
    take years.

    References
    ----------
    Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace
    and Electronic Systems, 2016.

    Examples
    --------
    >>> solve_permutation([[3.0, 20.0], [12.0, 15.0]])
    array([1, 0])
    """
    quality = to_host(pairwise).astype(np.float64)
    if quality.ndim < 2 or 0 in quality.shape or quality.shape[-2] > quality.shape[-1]:
        raise ValueError(
            f"pairwise has shape {quality.shape}; expected (..., n_sources, n_estimates) with at "
            "least one source and as many estimates; pass the metric of every pair"
        )
    best = np.empty(quality.shape[:-1], dtype=np.int64)
    for place in np.ndindex(quality.shape[:-2]):
        best[place] = linear_sum_assignment(_finite(quality[place]), maximize=True)[1]
    return like(best, pairwise, dtype=namespace(pairwise).int64) if is_array(pairwise) else best


def permutation_invariant(metric: Callable[..., Array]) -> Callable[..., tuple[Array, Array]]:
    """Version of a metric that puts the estimates in the best order first.

    Parameters
    ----------
    metric : callable
        ``metric(reference, estimate, axis=axis, **options)`` of arrays that broadcast, higher is
        better, such as `anmf.metrics.si_sdr`.

    Returns
    -------
    callable
        ``best(reference, estimate, *, axis=-2, **options)``, of the arguments of `pairwise`. It
        returns the values in the order of the references (..., n_sources), and the permutation
        (..., n_sources): ``permutation[j]`` is the estimate of reference j. Their mean is the
        largest that any order reaches.

    References
    ----------
    Yu, Kolbæk, Tan and Jensen, "Permutation invariant training of deep models for
    speaker-independent multi-talker speech separation", ICASSP 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.metrics import si_sdr
    >>> reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> estimate = np.array([[0.1, 1.0], [1.0, 0.1]])
    >>> values, permutation = permutation_invariant(si_sdr)(reference, estimate)
    >>> values.round(6), permutation
    (array([20., 20.]), array([1, 0]))
    """
    return partial(_in_best_order, metric)


def picked(values, permutation):
    """Entry ``[j, permutation[j]]`` of every row j: (..., n, k) and (..., n) make (..., n)."""
    xp = namespace(values)
    chosen = to_host(permutation)[..., None] == np.arange(values.shape[-1])
    return xp.sum(xp.where(like(chosen, values, dtype=xp.bool), values, 0), axis=-1)


def _in_best_order(metric, reference, estimate, *, axis=-2, **options):
    values = pairwise(metric, reference, estimate, axis=axis, **options)
    permutation = solve_permutation(values)
    return picked(values, permutation), permutation


def _time_axis(axis, n_axes):
    """`axis` counted from the end, if it is one of the last two."""
    from_end = axis - n_axes if axis >= 0 else axis
    if from_end not in (-1, -2):
        raise ValueError(
            f"axis={axis} must be −2 for waveforms (..., n_times, n_sources) or −1 for parts "
            "(..., n_sources, n_features); move the axes with numpy.moveaxis"
        )
    return from_end


def _finite(quality):
    """Infinities as numbers that no total of the others outweighs; NaN counts as −∞."""
    finite = np.isfinite(quality)
    if finite.all():
        return quality
    low, high = (quality[finite].min(), quality[finite].max()) if finite.any() else (0.0, 0.0)
    margin = len(quality) * (high - low + 1)
    return np.nan_to_num(quality, nan=low - margin, posinf=high + margin, neginf=low - margin)
