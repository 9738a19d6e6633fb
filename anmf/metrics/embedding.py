"""How well the speakers of a recording were found, from their embeddings.

Estimates come in any order and number: K true speakers are matched with L estimated ones, one with
one, by the assignment of the largest total. A speaker left without an estimate counts as zero; what
surplus estimates cost is an option, `penalize_surplus`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, like, namespace, to_host
from anmf._core.types import Array
from anmf.metrics.permutation import picked, solve_permutation
from anmf.metrics.signals import as_arrays


def pairwise_cosine(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    normalize: bool = False,
) -> Array:
    """Cosine of every true embedding with every estimated one, seen from a background mean μ.

    cos(r, e) = ⟨r − μ, e − μ⟩ / (‖r − μ‖ ‖e − μ‖).

    Parameters
    ----------
    reference : array-like of shape (..., K, d)
        True embeddings. Integers become float64.
    estimate : array-like of shape (..., L, d)
        Estimated ones; L may differ from K.
    mean : array-like of shape (d,) or None, default None
        μ, the mean embedding of many other speakers. None for the origin.
    normalize : bool, default False
        Whether to bring reference and estimate to unit length before μ is subtracted. Set it where
        the lengths of the estimates are arbitrary, and μ is the mean of embeddings of unit length.

    Returns
    -------
    array of shape (..., K, L)
        In [−1, 1]. Zero for an estimate that has no direction: a zero vector, or μ itself.

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, for shapes that don't fit, and for a reference
        that has no direction.

    Examples
    --------
    >>> pairwise_cosine([[1.0, 0.0]], [[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]]).round(3)
    array([[1.   , 0.707, 0.   ]])
    >>> pairwise_cosine([[1.0, 0.0]], [[3.0, 0.0], [1.0, 1.0]], mean=[0.5, 0.5]).round(3)
    array([[0.832, 0.   ]])
    """
    r, e = as_arrays(reference, estimate)
    r = check_finite("reference", r, "(..., K, d), one embedding a row", 2)
    e = check_finite("estimate", e, "(..., L, d), one embedding a row", 2)
    _check_dimensions(r, e)
    r, known = _directions(r, mean, normalize)
    if not bool(namespace(r).all(known)):
        raise ValueError(
            "a true embedding (of reference, or inventory) has no direction: it is zero, or equal "
            "to mean; expected the embedding of a speaker in each row; leave such speakers out"
        )
    e, _ = _directions(e, mean, normalize)
    xp = namespace(r, e)
    return xp.clip(xp.matmul(r, xp.matrix_transpose(e)), -1.0, 1.0)


def centred_cosine(
    reference: ArrayLike,
    estimate: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    normalize: bool = False,
    penalize_surplus: bool = False,
) -> tuple[Array, Array]:
    """Cosine of each true embedding with its estimate, under the best matching of the two.

    cosⱼ = ⟨rⱼ − μ, e_π(j) − μ⟩ / (‖rⱼ − μ‖ ‖e_π(j) − μ‖), π the matching of largest Σⱼ cosⱼ.

    Parameters
    ----------
    reference : array-like of shape (..., K, d)
        Embeddings of the true speakers. Integers become float64.
    estimate : array-like of shape (..., L, d)
        Estimated ones, in any order; L may differ from K.
    mean : array-like of shape (d,) or None, default None
        μ, the mean embedding of many other speakers. None for the plain cosine.
    normalize : bool, default False
        Whether to bring all embeddings to unit length before μ is subtracted.
    penalize_surplus : bool, default False
        Whether to divide the values by max(K, L) / K.

    Returns
    -------
    values : array of shape (..., K)
        In the order of the references; 0 for a speaker without an estimate. Their mean is the
        score of the recording.
    permutation : array of int, shape (..., K)
        ``permutation[j]`` is the estimate of reference j, −1 for none.

    Raises
    ------
    ValueError
        As by `pairwise_cosine`.

    Notes
    -----
    Embeddings of speech share a large mean, so that the plain cosine between two *different*
    speakers is far above zero, and an estimate near the mean beats an honest one. Seen from the
    mean that gain is gone: speakers are about orthogonal, and the mean itself is worth nothing.

    Two estimates may share one direction, and cosines may be negative: all min(K, L) pairs are
    matched and counted, however bad.

    References
    ----------
    Garcia-Romero and Espy-Wilson, "Analysis of i-vector length normalization in speaker recognition
    systems", Interspeech 2011.

    Examples
    --------
    >>> true = [[2.0, 1.0], [1.0, 2.0]]
    >>> values, permutation = centred_cosine(true, [[1.0, 3.0], [5.0, 1.0]], mean=[1.0, 1.0])
    >>> values, permutation
    (array([1., 1.]), array([1, 0]))

    One speaker was not found:

    >>> centred_cosine(true, [[1.0, 3.0]], mean=[1.0, 1.0])
    (array([0., 1.]), array([-1,  0]))
    """
    table = pairwise_cosine(reference, estimate, mean=mean, normalize=normalize)
    permutation = matched(table)
    n_true, n_found = table.shape[-2:]
    values = picked(table, permutation)
    if penalize_surplus:
        values = values * (n_true / max(n_true, n_found))
    return values, like(permutation, table, dtype=namespace(table).int64)


def identification_accuracy(
    speakers: ArrayLike,
    estimate: ArrayLike,
    inventory: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    normalize: bool = False,
    penalize_surplus: bool = False,
) -> float:
    """Share of the true speakers whose estimate is nearest to them, of a whole inventory.

    (1/K) Σⱼ 1[cos(i_s(j), e_π(j)) > cos(iₙ, e_π(j)) for all n ≠ s(j)], where s(j) is the row of
    speaker j in the inventory, cos is that of `pairwise_cosine`, and π the matching of
    ``centred_cosine(inventory[speakers], estimate)``.

    Parameters
    ----------
    speakers : array-like of int, shape (K,)
        Rows of `inventory` that the true speakers have; each speaker once.
    estimate : array-like of shape (L, d)
        Estimated embeddings, in any order; L may differ from K.
    inventory : array-like of shape (n_inventory, d)
        One embedding for each speaker that could be named, the true ones among them.
    mean : array-like of shape (d,) or None, default None
        μ, the mean embedding of many other speakers. None for the plain cosine.
    normalize : bool, default False
        Whether to bring all embeddings to unit length before μ is subtracted.
    penalize_surplus : bool, default False
        Whether to divide the share by max(K, L) / K, so that nothing is won by proposing more
        speakers than there are.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        As by `pairwise_cosine`; for speakers that the inventory hasn't, and for repeated ones.

    Notes
    -----
    A speaker is matched before it is named. Where two estimates are nearest to the same speaker,
    one of them counts. A tie of two rows of the inventory names nobody, and neither does an
    estimate without direction.

    References
    ----------
    Shi and Hain, "Supervised speaker embedding de-mixing in two-speaker environment", IEEE Spoken
    Language Technology Workshop, 2021 (arXiv 2001.06397).

    Examples
    --------
    >>> inventory = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> estimate = [[0.1, 2.0, 0.0], [0.5, 0.0, 0.6]]
    >>> identification_accuracy([1, 0], estimate, inventory)
    0.5
    >>> estimate.append([9.0, 0.0, 1.0])
    >>> identification_accuracy([1, 0], estimate, inventory)
    1.0
    >>> round(identification_accuracy([1, 0], estimate, inventory, penalize_surplus=True), 3)
    0.667
    """
    known, found = as_arrays(inventory, estimate)
    for name, x in (("inventory", known), ("estimate", found)):
        if check_finite(name, x, "one embedding a row", 2).ndim != 2:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; expected one embedding a row, of one recording"
            )
    table = to_host(pairwise_cosine(known, found, mean=mean, normalize=normalize))
    speakers = check_classes("speakers", speakers, len(table), "rows of inventory")
    if speakers.ndim != 1 or len(set(speakers.tolist())) < len(speakers):
        raise ValueError(f"speakers={speakers.tolist()} must be a list of different rows")
    hits = is_among_best(table.T, speakers, 1)
    right = picked(hits, matched(table[speakers]))
    return float(right.sum() / denominator(hits.shape, penalize_surplus))


def check_finite(name, x, form, n_axes):
    """`x` as an array of real floating numbers, if they are finite and it has enough axes."""
    x = x if is_array(x) else np.asarray(x)
    xp = namespace(x)
    if x.ndim < n_axes or 0 in x.shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {form}, not empty")
    if xp.isdtype(x.dtype, "complex floating"):
        raise ValueError(f"{name} is complex ({x.dtype}); expected real numbers")
    if not xp.isdtype(x.dtype, "real floating"):
        return xp.astype(x, xp.float64)
    if not bool(xp.all(xp.isfinite(x))):
        raise ValueError(
            f"{name} contains NaN or infinity; expected finite numbers: drop such rows"
        )
    return x


def matched(table):
    """Column of each row in the matching of largest total (host, (..., K)); −1 for none."""
    table = to_host(table)
    n_rows, n_columns = table.shape[-2:]
    if n_rows <= n_columns:
        return solve_permutation(table)
    rows = solve_permutation(np.swapaxes(table, -1, -2))
    taken = rows[..., None, :] == np.arange(n_rows)[:, None]
    return np.where(taken.any(axis=-1), taken.argmax(axis=-1), -1)


def _check_dimensions(reference, estimate):
    shapes = tuple(reference.shape), tuple(estimate.shape)
    if shapes[0][-1] != shapes[1][-1] or shapes[0][:-2] != shapes[1][:-2]:
        raise ValueError(
            f"embeddings have shapes {shapes[0]} and {shapes[1]}; expected (..., K, d) and "
            "(..., L, d) with the same d and the same leading axes; take both of one embedder"
        )


def check_classes(name: str, values: Any, n_classes: int, kind: str) -> np.ndarray:
    """Host array of integers in [0, n_classes)."""
    classes = to_host(values)
    if classes.dtype.kind not in "iu" or classes.ndim < 1 or 0 in classes.shape:
        raise ValueError(f"{name} must be an array of integers, not empty; got {values!r}")
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError(
            f"{name} has values from {classes.min()} to {classes.max()}; expected {kind}, from 0 "
            f"to {n_classes - 1}"
        )
    return classes.astype(np.int64)


def _directions(x, mean, normalize):
    """Unit vectors of x − μ, zero where there is no direction, and where there is one."""
    xp = namespace(x)
    known = _largest(x, xp) > 0
    if normalize:
        x = _unit(x, xp)
    if mean is not None:
        centre = check_finite("mean", mean, "(d,), one number a dimension", 1)
        if tuple(centre.shape) != tuple(x.shape[-1:]):
            raise ValueError(f"mean has shape {tuple(centre.shape)}; expected {x.shape[-1:]}")
        centre = like(to_host(centre), x)
        rounding = 64 * float(xp.finfo(x.dtype).eps)
        limit = rounding * (_largest(x, xp) + _largest(centre, xp))
        x = x - centre
        known = known & (_largest(x, xp) > limit)
    return xp.where(known, _unit(x, xp), 0 * x), known


def _unit(x, xp):
    """Rows at unit length; the largest entry is divided out first, against overflow."""
    largest = _largest(x, xp)
    x = x / xp.where(largest > 0, largest, 1 + 0 * largest)
    length = xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))
    return x / xp.where(length > 0, length, 1 + 0 * length)


def _largest(x, xp):
    return xp.max(xp.abs(x), axis=-1, keepdims=True)


def is_among_best(scores, classes, k):
    """1.0 where class j is among the k best of output l, else 0.0: (..., K, L), on the host."""
    rows = []
    for j in range(classes.shape[-1]):
        own = np.take_along_axis(scores, classes[..., j, None, None], axis=-1)
        rows.append((scores >= own).sum(axis=-1) <= k)
    return np.stack(rows, axis=-2).astype(np.float64)


def denominator(shape, penalize_surplus):
    """What hits (..., K, L) are divided by."""
    n_true, n_found = shape[-2:]
    return max(n_true, n_found) if penalize_surplus else n_true
