"""How well speakers were told apart: named, verified, counted, and placed in time."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, like, namespace, to_host
from anmf._core.checks import check_count, check_real
from anmf._core.types import Array
from anmf.metrics.embedding import check_classes, check_finite, denominator, is_among_best, matched
from anmf.metrics.permutation import picked


class SpeakerError(NamedTuple):
    """Result of `speaker_error_rate`; ``rate = miss + false_alarm + confusion``.

    Parameters
    ----------
    rate : float
        Sum of the three below, as shares of the speakers' time; above 1 where much is made up.
    miss : float
        Share that no estimate covers.
    false_alarm : float
        Time of estimates where nobody speaks, over that of the speakers.
    confusion : float
        Share that was given to another speaker.
    permutation : ndarray of int, shape (K,)
        The estimate of each true speaker, −1 for none that shares a frame with it.

    Examples
    --------
    >>> speaker_error_rate([[1], [1], [0], [1]], [[1], [1], [1], [1]]).false_alarm == 1 / 3
    True
    """

    rate: float
    miss: float
    false_alarm: float
    confusion: float
    permutation: np.ndarray


def permutation_accuracy(
    y_true: ArrayLike, posteriors: ArrayLike, *, penalize_surplus: bool = False
) -> Array:
    """Share of the true speakers that the outputs of a de-mixer name: |true ∩ predicted| / K.

    Which output names which speaker has no influence.

    Parameters
    ----------
    y_true : array-like of int, shape (..., K)
        Classes of the speakers in each mixture.
    posteriors : array-like of shape (..., L, n_classes)
        Posterior, or any other score, of every class at each output. L may differ from K.
    penalize_surplus : bool, default False
        Whether to divide the share by max(K, L) / K.

    Returns
    -------
    array of shape (...)
        One value in [0, 1] a mixture.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite posteriors, unknown classes, and unequal leading axes.

    Examples
    --------
    >>> posteriors = [[[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]], [[0.1, 0.7, 0.2], [0.0, 0.6, 0.4]]]
    >>> permutation_accuracy([[0, 1], [1, 2]], posteriors)
    array([1. , 0.5])
    """
    return top_k_accuracy(y_true, posteriors, k=1, penalize_surplus=penalize_surplus)


def top_k_accuracy(
    y_true: ArrayLike, posteriors: ArrayLike, *, k: int = 5, penalize_surplus: bool = False
) -> Array:
    """Share of the true speakers among the k best classes of an output, one output a speaker.

    max over matchings π of (1/K) Σⱼ 1[y(j) is among the k best classes of output π(j)].

    Parameters
    ----------
    y_true : array-like of int, shape (..., K)
        Classes of the speakers in each mixture.
    posteriors : array-like of shape (..., L, n_classes)
        Posterior, or any other score, of every class at each output. L may differ from K.
    k : int, default 5
        Number of classes that an output may name.
    penalize_surplus : bool, default False
        Whether to divide the share by max(K, L) / K.

    Returns
    -------
    array of shape (...)
        One value in [0, 1] a mixture.

    Raises
    ------
    ValueError
        As by `permutation_accuracy`, and unless 1 ≤ k.

    Notes
    -----
    The matching is the one with most hits. An output may serve one speaker only: two speakers
    among the k best of the same output count once, unless another output has one of them too.

    Ties count against the output: a class is among the k best if fewer than k others have a score
    at least as high. So constant posteriors earn nothing for k < n_classes.

    Examples
    --------
    >>> posteriors = [[0.1, 0.7, 0.2], [0.0, 0.6, 0.4]]
    >>> [float(top_k_accuracy([1, 2], posteriors, k=k)) for k in (1, 2)]
    [0.5, 1.0]
    """
    check_count("k", k)
    scores = check_finite("posteriors", posteriors, "(..., n_outputs, n_classes)", 2)
    host = to_host(scores)
    classes = check_classes("y_true", y_true, host.shape[-1], "classes")
    if classes.shape[:-1] != host.shape[:-2]:
        raise ValueError(
            f"y_true and posteriors have shapes {classes.shape} and {host.shape}; expected "
            "(..., n_speakers) and (..., n_outputs, n_classes) with the same leading axes"
        )
    hits = is_among_best(host, classes, k)
    right = picked(hits, matched(hits)).sum(axis=-1)
    return like(right / denominator(hits.shape, penalize_surplus), scores)


def equal_error_rate(same: ArrayLike, scores: ArrayLike) -> tuple[float, float]:
    """Equal error rate of telling pairs of one speaker from pairs of two, and its threshold.

    With pairs accepted where score ≥ t, let FA(t) be the share of the different pairs that are
    accepted, and FR(t) that of the same pairs that are rejected: the rate at which FA = FR.

    Parameters
    ----------
    same : array-like of bool, shape (...)
        Whether a pair is of the same speaker; zeros and ones will do.
    scores : array-like of shape (...)
        Of the same shape; higher for the same speaker, such as cosines.

    Returns
    -------
    rate : float
        0 where a threshold tells all apart, above 0.5 where the scores mislead.
    threshold : float
        Score from which pairs are accepted at that rate.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite scores, unequal shapes, other labels than 0 and 1, and
        unless there are pairs of both kinds.

    Notes
    -----
    FA − FR falls in steps, one at each different score s. Where a step passes zero, the points
    before and after it are joined by a line (the ROC curve, as drawn), and the threshold is s: the
    rate is that of accepting the pairs of score s with some probability. Where FA = FR between two
    scores, the threshold is midway. Equal scores make one step, so the order of the pairs has no
    influence. The convex hull of the curve isn't taken. One sort: 𝒪(n log n), on the host.

    References
    ----------
    Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters, 2006.

    Examples
    --------
    >>> equal_error_rate([1, 1, 1, 0, 0], [1.0, 0.75, 0.5, 0.25, 0.0])
    (0.0, 0.375)
    >>> rate, threshold = equal_error_rate([1, 1, 1, 0, 0], [1.0, 0.75, 0.25, 0.5, 0.0])
    >>> round(rate, 3), threshold
    (0.333, 0.5)
    """
    scores = to_host(check_finite("scores", scores, "one score a pair", 0))
    same = to_host(same)
    if same.shape != scores.shape or not np.isin(same, (0, 1)).all() or same.min() == same.max():
        raise ValueError(
            f"same must hold a truth value for each of the scores, shape {scores.shape}, and pairs "
            f"of both kinds; got shape {same.shape} with the values {np.unique(same)[:5]}"
        )
    steps, place = np.unique(scores, return_inverse=True)
    own, place = same.ravel() == 1, place.ravel()
    n_same = np.bincount(place[own], minlength=len(steps))
    n_other = np.bincount(place[~own], minlength=len(steps))
    rejected = np.r_[0, np.cumsum(n_same)]  # point i: those below steps[i] are rejected
    accepted = n_other.sum() - np.r_[0, np.cumsum(n_other)]
    excess = accepted * n_same.sum() - rejected * n_other.sum()  # exact: integers
    i = int(np.flatnonzero(excess >= 0)[-1])
    ahead = float(excess[i] / (excess[i] - excess[i + 1]))
    rate = (accepted[i] + ahead * (accepted[i + 1] - accepted[i])) / n_other.sum()
    if excess[i] > 0:
        return float(rate), float(steps[i])
    low, high = float(steps[i - 1]), float(steps[i])
    middle = low + (high - low) / 2
    return float(rate), middle if middle > low else high


def counting_accuracy(true: ArrayLike, estimated: ArrayLike) -> tuple[float, float]:
    """Share of recordings whose speakers were counted right, and the mean absolute error.

    (1/n) Σ 1[K̂ᵢ = Kᵢ] and (1/n) Σ |K̂ᵢ − Kᵢ|.

    Parameters
    ----------
    true, estimated : array-like of int, shape (...)
        Numbers of speakers K and K̂, of the same shape.

    Returns
    -------
    accuracy : float
        In [0, 1].
    mean_absolute_error : float
        In speakers.

    Raises
    ------
    ValueError
        For empty or negative data, numbers that aren't integers, and unequal shapes.

    Examples
    --------
    >>> counting_accuracy([2, 3, 4, 5], [2, 3, 4, 3])
    (0.75, 0.5)
    """
    true, estimated = (np.asarray(to_host(x)) for x in (true, estimated))
    for name, x in (("true", true), ("estimated", estimated)):
        if x.dtype.kind not in "iu" or x.size == 0 or x.min() < 0:
            raise ValueError(f"{name}={x} must hold numbers of speakers: integers of at least 0")
    if true.shape != estimated.shape:
        raise ValueError(
            f"true and estimated have shapes {true.shape} and {estimated.shape}; expected one "
            "number a recording in both"
        )
    error = np.abs(estimated.astype(np.int64) - true.astype(np.int64))
    return float(np.mean(error == 0)), float(np.mean(error))


def speaker_error_rate(
    reference: ArrayLike, estimate: ArrayLike, *, threshold: float = 0.5
) -> SpeakerError:
    """Share of the speakers' time that was missed, made up, or given to another one.

    With R_t true and E_t estimated speakers active in frame t, C_t of them the same ones, as
    matched, (Σ max(0, R_t − E_t) + Σ max(0, E_t − R_t) + Σ (min(R_t, E_t) − C_t)) / Σ R_t:
    misses, false alarms and confusions.

    Parameters
    ----------
    reference : array-like of shape (n_frames, K)
        Who speaks when: truth values, or activities, active where above `threshold`. Any number of
        speakers may be active at once, or none.
    estimate : array-like of shape (n_frames, L)
        As found, in any order; L may differ from K. A column of zeros is nobody.
    threshold : float, default 0.5
        Of activities; arrays of truth values don't need it.

    Returns
    -------
    SpeakerError
        ``rate``, its parts ``miss``, ``false_alarm`` and ``confusion``, and ``permutation`` (K,).

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, shapes that don't fit, and a reference in which
        nobody speaks.

    Notes
    -----
    The matching is that of the longest time in common, which has the smallest rate: misses and
    false alarms don't depend on it. It is the diarization error rate with frames of equal weight,
    overlaps counted, and no collar around the changes of speaker.

    References
    ----------
    Fiscus, Ajot, Michel and Garofolo, "The Rich Transcription 2006 spring meeting recognition
    evaluation", MLMI 2006.

    Examples
    --------
    >>> true = [[1, 0], [1, 0], [1, 1], [0, 1]]
    >>> error = speaker_error_rate(true, [[0, 1], [1, 1], [0, 1], [0, 1]])
    >>> error.rate, error.miss, error.false_alarm, error.confusion
    (0.6, 0.2, 0.2, 0.2)
    >>> error.permutation
    array([ 1, -1])
    """
    check_real("threshold", threshold)
    reference = _activity("reference", reference, threshold)
    estimate = _activity("estimate", estimate, threshold)
    if reference.shape[0] != estimate.shape[0]:
        raise ValueError(
            f"reference and estimate have {reference.shape[0]} and {estimate.shape[0]} frames; "
            "expected the same frames in both: (n_frames, n_speakers)"
        )
    n_true, n_found = reference.sum(axis=1), estimate.sum(axis=1)
    total = n_true.sum()
    if total == 0:
        raise ValueError(
            f"reference has no active speaker in any frame (threshold={threshold}); its error rate "
            "is undefined; leave the recording out, or lower the threshold"
        )
    common = reference.T @ estimate
    permutation = matched(common)
    right, least = picked(common, permutation), np.minimum(n_true, n_found)
    parts = (n_true - least).sum(), (n_found - least).sum(), least.sum() - right.sum()
    rate, miss, false_alarm, confusion = (float(x / total) for x in (sum(parts), *parts))
    found = np.where(right > 0, permutation, -1)
    return SpeakerError(rate, miss, false_alarm, confusion, found)


def _activity(name: str, x: Any, threshold: float) -> np.ndarray:
    """1.0 where a speaker is active, else 0.0, on the host."""
    x = x if is_array(x) else np.asarray(x)
    truth = namespace(x).isdtype(x.dtype, "bool")
    x = to_host(check_finite(name, x, "(n_frames, n_speakers)", 2))
    if x.ndim != 2:
        raise ValueError(f"{name} has shape {x.shape}; expected (n_frames, n_speakers)")
    return (x > (0.5 if truth else threshold)).astype(np.float64)
