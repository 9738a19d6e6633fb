"""Metrics of speakers: against closed forms, all matchings, and scikit-learn's ROC curve."""

from itertools import permutations

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import roc_curve, top_k_accuracy_score
from sklearn.metrics.pairwise import cosine_similarity

from anmf._core.arrays import device, namespace, to_host
from anmf.metrics import (
    centred_cosine,
    counting_accuracy,
    equal_error_rate,
    identification_accuracy,
    pairwise,
    pairwise_cosine,
    permutation_accuracy,
    si_sdr,
    speaker_error_rate,
    top_k_accuracy,
)

seeds = st.integers(0, 2**32 - 1)
numbers = st.integers(1, 5)


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    return pytest.importorskip("torch").asarray(np.array(x))


every_library = pytest.mark.parametrize("library", [strict, torch])


def best_total(table):
    """Largest sum over one-to-one matchings of rows and columns, by trying all."""
    table = np.asarray(table, dtype=float)
    if table.shape[0] > table.shape[1]:
        table = table.T
    orders = permutations(range(table.shape[1]), len(table))
    return max(sum(table[i, j] for i, j in enumerate(order)) for order in orders)


# cosines


def test_pairwise_cosine_by_hand():
    """Seen from (1, 1): directions at 0°, 90°, and 45°, 225°, none."""
    reference = [[3.0, 1.0], [1.0, 2.0]]
    estimate = [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0], [-1.0, 1.0]]
    half = np.sqrt(0.5)
    # the zero vector counts as no answer, not as the direction of −μ
    expected = [[half, 0, 0, -1], [half, 0, 0, 0]]
    table = pairwise_cosine(reference, estimate, mean=[1.0, 1.0])
    np.testing.assert_allclose(table, expected, atol=1e-15)


def test_pairwise_cosine_against_scikit_learn():
    rng = np.random.default_rng(0)
    r, e, mean = rng.standard_normal((4, 20)), rng.standard_normal((7, 20)), rng.random(20)
    np.testing.assert_allclose(pairwise_cosine(r, e), cosine_similarity(r, e), atol=1e-14)
    expected = cosine_similarity(r - mean, e - mean)
    np.testing.assert_allclose(pairwise_cosine(r, e, mean=mean), expected, atol=1e-14)
    unit_r, unit_e = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (r, e))
    expected = cosine_similarity(unit_r - mean, unit_e - mean)
    found = pairwise_cosine(5 * r, 0.1 * e, mean=mean, normalize=True)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_cosine_agrees_with_si_sdr():
    """SI-SDR = 10 log10(c² / (1 − c²)) of the cosine c."""
    r, e = np.random.default_rng(0).standard_normal((2, 3, 30))
    c = pairwise_cosine(r, e)
    expected = 10 * np.log10(c**2 / (1 - c**2))
    np.testing.assert_allclose(pairwise(si_sdr, r, e, axis=-1), expected, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, seeds)
def test_centred_cosine_is_best_of_all_matchings(n_true, n_found, seed):
    rng = np.random.default_rng(seed)
    r, e, mean = rng.standard_normal((n_true, 4)), rng.standard_normal((n_found, 4)), rng.random(4)
    values, order = centred_cosine(r, e, mean=mean)
    table = pairwise_cosine(r, e, mean=mean)
    assert values.shape == order.shape == (n_true,) and order.dtype == np.int64
    assert values.sum() == pytest.approx(best_total(table), abs=1e-12)
    found = order >= 0
    assert found.sum() == len(set(order[found])) == min(n_true, n_found)
    np.testing.assert_array_equal(values[found], table[np.flatnonzero(found), order[found]])
    assert not values[~found].any()
    penalized = centred_cosine(r, e, mean=mean, penalize_surplus=True)[0]
    expected = values * n_true / max(n_true, n_found)
    np.testing.assert_allclose(penalized, expected, rtol=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.floats(1e-3, 1e3), seeds)
def test_centred_cosine_ignores_order_scale_and_place(order, scale, seed):
    rng = np.random.default_rng(seed)
    r = rng.standard_normal((4, 16))
    e, mean = r + 0.2 * rng.standard_normal(r.shape), rng.standard_normal(16)
    values, found = centred_cosine(r, e, mean=mean)
    again, place = centred_cosine(r, e[order], mean=mean)
    np.testing.assert_allclose(again, values, rtol=1e-12)
    np.testing.assert_array_equal(np.asarray(order)[place], found)
    scaled = centred_cosine(scale * r, scale * e, mean=scale * mean)[0]
    np.testing.assert_allclose(scaled, values, rtol=1e-9)
    moved = centred_cosine(r + 5, e + 5, mean=mean + 5)[0]
    np.testing.assert_allclose(moved, values, rtol=1e-9)
    each = mean + (e - mean) * rng.uniform(0.1, 10, (4, 1))
    np.testing.assert_allclose(centred_cosine(r, each, mean=mean)[0], values, rtol=1e-9)
    free = centred_cosine(r, e * rng.uniform(0.1, 10, (4, 1)), mean=mean / 8, normalize=True)[0]
    fixed = centred_cosine(r, e, mean=mean / 8, normalize=True)[0]
    np.testing.assert_allclose(free, fixed, rtol=1e-9)


def test_mean_is_worth_nothing_once_centred():
    """Where speakers share a mean, the plain cosine rewards an estimate without any speaker."""
    rng = np.random.default_rng(0)
    mean = np.full(64, 2.0)
    true = mean + rng.standard_normal((3, 64))
    blurred = np.tile(mean, (3, 1))
    assert centred_cosine(true, blurred)[0].min() > 0.85
    np.testing.assert_array_equal(centred_cosine(true, blurred, mean=mean)[0], 0)


def test_mean_up_to_rounding_has_no_direction():
    for dtype in (np.float32, np.float64):
        background = np.random.default_rng(0).standard_normal((500, 32)).astype(dtype) + 3
        mean, other = background.mean(axis=0), background[::-1].mean(axis=0)
        table = pairwise_cosine(background[:2], other[None], mean=mean)
        np.testing.assert_array_equal(table, 0)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_cosine_without_overflow(scale):
    values = centred_cosine(scale * np.eye(2), scale * np.array([[0.0, 3.0], [4.0, 3.0]]))[0]
    np.testing.assert_allclose(values, [0.8, 1.0], rtol=1e-14)


def test_centred_cosine_with_leading_axes():
    rng = np.random.default_rng(0)
    r, e = rng.standard_normal((2, 3, 4, 8)), rng.standard_normal((2, 3, 2, 8))
    values, order = centred_cosine(r, e, mean=r[0, 0, 0] / 2)
    for i in np.ndindex(2, 3):
        alone = centred_cosine(r[i], e[i], mean=r[0, 0, 0] / 2)
        np.testing.assert_allclose(values[i], alone[0], rtol=1e-12)
        np.testing.assert_array_equal(order[i], alone[1])


# identification


def test_identification_by_hand():
    inventory = np.eye(4)
    estimate = np.array([[0.0, 1.0, 0.2, 0.0], [0.3, 0.0, 0.0, 1.0]])
    assert identification_accuracy([1, 3], estimate, inventory) == 1
    assert identification_accuracy([3, 1], 7 * estimate[::-1], inventory) == 1
    assert identification_accuracy([1, 0], estimate, inventory) == 0.5
    assert identification_accuracy([2, 0], estimate, inventory) == 0
    assert identification_accuracy([1], estimate, inventory) == 1
    assert identification_accuracy([1], estimate, inventory, penalize_surplus=True) == 0.5
    three = identification_accuracy([0, 1, 3], estimate, inventory, penalize_surplus=True)
    assert three == pytest.approx(2 / 3)


def test_identification_counts_a_speaker_once():
    inventory = np.eye(3)
    estimate = [[1.0, 0.2, 0.0], [1.0, 0.1, 0.0]]
    assert identification_accuracy([0, 1], estimate, inventory) == 0.5


def test_identification_needs_an_answer():
    """Ties and estimates without direction name nobody."""
    inventory, mean = np.eye(3), np.full(3, 1 / 3)
    assert identification_accuracy([0], [[1.0, 1.0, 0.0]], inventory) == 0
    assert identification_accuracy([0], [[0.0, 0.0, 0.0]], inventory) == 0
    assert identification_accuracy([0], [mean], inventory, mean=mean) == 0


@settings(max_examples=40, deadline=None)
@given(numbers, numbers, seeds)
def test_identification_against_loop(n_true, n_found, seed):
    rng = np.random.default_rng(seed)
    inventory, mean = rng.standard_normal((9, 5)), 0.3 * rng.standard_normal(5)
    speakers = rng.permutation(9)[:n_true]
    estimate = inventory[rng.permutation(9)[:n_found]] + rng.standard_normal((n_found, 5))
    estimate[0] = inventory[speakers[0]]
    nearest = cosine_similarity(estimate - mean, inventory - mean).argmax(axis=1)
    order = centred_cosine(inventory[speakers], estimate, mean=mean)[1]
    right = sum(j >= 0 and nearest[j] == s for s, j in zip(speakers, order, strict=True))
    found = identification_accuracy(speakers, estimate, inventory, mean=mean)
    assert found == pytest.approx(right / n_true)
    again = identification_accuracy(speakers[::-1], estimate[::-1], inventory, mean=mean)
    assert again == pytest.approx(found)
    penalized = identification_accuracy(
        speakers, estimate, inventory, mean=mean, penalize_surplus=True
    )
    assert penalized == pytest.approx(found / (max(n_true, n_found) / n_true))


def test_centring_identifies_what_the_plain_cosine_does_not():
    """Far from the origin, the longest speaker is nearest to all; seen from the mean, none is."""
    inventory = np.array([[10.0, 11.0], [11.0, 10.0], [10.2, 10.2]])
    estimate = [[10.0, 10.3]]
    assert identification_accuracy([0], estimate, inventory) == 0
    assert identification_accuracy([0], estimate, inventory, mean=[10.0, 10.0]) == 1


# posteriors


def test_permutation_accuracy_by_hand():
    """|true ∩ predicted| / n_speakers."""
    posteriors = np.eye(5)[[[3, 1], [1, 1], [0, 4]]]
    y = [[1, 3], [1, 3], [1, 3]]
    np.testing.assert_array_equal(permutation_accuracy(y, posteriors), [1, 0.5, 0])
    assert permutation_accuracy(y[0], posteriors[0]) == 1
    assert permutation_accuracy([3], posteriors[0]) == 1
    assert permutation_accuracy([3], posteriors[0], penalize_surplus=True) == 0.5
    thirds = permutation_accuracy([3, 1, 0], posteriors[0], penalize_surplus=True)
    assert thirds == pytest.approx(2 / 3)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, seeds)
def test_permutation_accuracy_is_an_intersection(n_true, n_found, seed):
    rng = np.random.default_rng(seed)
    posteriors = rng.dirichlet(np.ones(6), (4, n_found))
    y = np.argsort(rng.random((4, 6)), axis=1)[:, :n_true]
    predicted = posteriors.argmax(axis=-1)
    expected = [len(set(t) & set(p)) / n_true for t, p in zip(y, predicted, strict=True)]
    np.testing.assert_allclose(permutation_accuracy(y, posteriors), expected)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, st.integers(1, 6), seeds)
def test_top_k_is_best_of_all_matchings(n_true, n_found, k, seed):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n_found, 6))
    y = rng.permutation(6)[:n_true]
    best = np.argsort(-logits, axis=1)[:, :k]
    hits = [[c in named for named in best] for c in y]
    value = top_k_accuracy(y, logits, k=k)
    assert value == pytest.approx(best_total(hits) / n_true)
    order = rng.permutation(n_found)
    assert top_k_accuracy(y[::-1], 3 * logits[order] + 1, k=k) == value
    assert top_k_accuracy(y, logits, k=k + 1) >= value


@pytest.mark.parametrize("k", [1, 3])
def test_top_k_of_one_speaker_against_scikit_learn(k):
    rng = np.random.default_rng(0)
    logits, y = rng.standard_normal((200, 8)), rng.integers(0, 8, 200)
    expected = top_k_accuracy_score(y, logits, k=k, labels=range(8))
    assert top_k_accuracy(y[:, None], logits[:, None], k=k).mean() == pytest.approx(expected)


def test_top_k_ties_and_ends():
    constant = np.full((2, 4), 0.25)
    assert [float(top_k_accuracy([0, 3], constant, k=k)) for k in (1, 3, 4, 9)] == [0, 0, 1, 1]
    # both speakers are among the best two of one output, which serves one of them
    logits = [[9.0, 8.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0]]
    assert top_k_accuracy([0, 1], logits, k=2) == 0.5
    assert top_k_accuracy([0, 1], logits, k=3) == 1


# equal error rate


def test_equal_error_rate_by_hand():
    assert equal_error_rate([True, True, False], [3.0, 2.0, 1.0]) == (0.0, 1.5)
    assert equal_error_rate([0, 0, 1], [3.0, 2.0, 1.0])[0] == 1
    assert equal_error_rate([0, 1, 0, 1], [5.0, 5.0, 5.0, 5.0]) == (0.5, 5.0)
    # FA and FR are 1/2 between the scores 1 and 2
    assert equal_error_rate([1, 0, 1, 0], [0.0, 1.0, 2.0, 3.0]) == (0.5, 1.5)
    # at the tie 2, (FA, FR) goes from (2/3, 0) to (0, 1/2): 2/3 (1 − w) = w / 2, w = 4/7
    rate, threshold = equal_error_rate([1, 1, 0, 0, 0], [3.0, 2.0, 2.0, 2.0, 1.0])
    assert rate == pytest.approx(2 / 7) and threshold == 2


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 60), st.integers(1, 30), seeds)
def test_equal_error_rate_against_roc_curve(n, n_values, seed):
    """Where the line 1 − x meets the ROC curve; few values make many ties."""
    rng = np.random.default_rng(seed)
    same = np.r_[True, False, rng.random(n - 2) < 0.4]
    scores = rng.integers(0, n_values, n) + 3.0 * same * (seed % 2)
    rate, threshold = equal_error_rate(same, scores)
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    below = np.flatnonzero(fpr + tpr <= 1)[-1]
    start, end = (np.array([fpr[i], tpr[i]]) for i in (below, min(below + 1, len(fpr) - 1)))
    gain = (end - start).sum()
    expected = start[0] + (1 - start.sum()) * ((end - start)[0] / gain if gain else 0)
    assert rate == pytest.approx(expected, abs=1e-12)
    # at the threshold the two rates enclose the equal one
    far = [np.mean(scores[~same] >= threshold), np.mean(scores[~same] > threshold)]
    frr = [np.mean(scores[same] < threshold), np.mean(scores[same] <= threshold)]
    assert far[1] - 1e-12 <= rate <= far[0] + 1e-12
    assert frr[0] - 1e-12 <= rate <= frr[1] + 1e-12


def test_equal_error_rate_against_root_of_interpolated_curve():
    rng = np.random.default_rng(0)
    same = rng.random(3000) < 0.3
    scores = rng.standard_normal(3000) + 1.5 * same
    fpr, tpr, _ = roc_curve(same, scores)
    root = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1, xtol=1e-14)
    assert equal_error_rate(same, scores)[0] == pytest.approx(root, abs=1e-10)


def test_equal_error_rate_of_two_normals():
    """Φ(−d/2) at the threshold d/2."""
    n = np.arange(1, 20001) / 20001
    scores = np.r_[norm.ppf(n) + 2, norm.ppf(n)]
    rate, threshold = equal_error_rate(np.arange(40000) < 20000, scores)
    assert rate == pytest.approx(norm.cdf(-1), abs=1e-4)
    assert threshold == pytest.approx(1, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), seeds)
def test_equal_error_rate_invariances(n, seed):
    rng = np.random.default_rng(seed)
    same = np.r_[True, False, rng.random(n - 2) < 0.5]
    scores = rng.integers(0, 12, n).astype(float)
    rate, threshold = equal_error_rate(same, scores)
    order = rng.permutation(n)
    assert equal_error_rate(same[order], scores[order]) == (rate, threshold)
    assert equal_error_rate(same, 4 * scores - 8) == (rate, 4 * threshold - 8)
    assert equal_error_rate(same, scores**3)[0] == rate
    mirrored = equal_error_rate(~same, -scores)
    assert mirrored == (pytest.approx(rate), -threshold)
    assert equal_error_rate(np.tile(same, 3), np.tile(scores, 3))[0] == pytest.approx(rate)
    assert equal_error_rate(~same, scores)[0] == pytest.approx(1 - rate)


def test_equal_error_rate_of_a_table():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 5)
    x = np.eye(4)[y] + 0.1 * rng.standard_normal((20, 4))
    same = y[:, None] == y
    rate, threshold = equal_error_rate(same, pairwise_cosine(x, x))
    assert rate == 0 and 0.3 < threshold < 0.9


# counts


def test_counting_accuracy():
    assert counting_accuracy([2, 3, 4], [2, 3, 4]) == (1.0, 0.0)
    assert counting_accuracy([[2, 3], [4, 5]], [[1, 3], [7, 5]]) == (0.5, 1.0)
    assert counting_accuracy(np.uint8([2]), np.uint8([5])) == (0.0, 3.0)


# frames


def brute_force_error(reference, estimate):
    """Smallest rate over all one-to-one mappings, frame by frame; empty columns fill both up."""
    n = reference.shape[1] + estimate.shape[1]
    r, e = np.zeros((2, len(reference), n), dtype=bool)
    r[:, : reference.shape[1]], e[:, : estimate.shape[1]] = reference, estimate
    rates = []
    for order in permutations(range(n)):
        right = (r & e[:, order]).sum(axis=1)
        rates.append((np.maximum(r.sum(axis=1), e.sum(axis=1)) - right).sum() / r.sum())
    return min(rates)


def test_speaker_error_by_hand():
    """Six frames: right, missed, made up, confused, one of two missed, silence."""
    reference = np.array([[1, 0], [1, 0], [0, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    estimate = np.array([[0, 1], [0, 0], [0, 1], [0, 1], [0, 1], [0, 0]], dtype=bool)
    error = speaker_error_rate(reference, estimate)
    assert error[:4] == (0.8, 0.4, 0.2, 0.2)
    np.testing.assert_array_equal(error.permutation, [1, -1])
    perfect = speaker_error_rate(reference, reference[:, ::-1])
    assert perfect[:4] == (0, 0, 0, 0) and list(perfect.permutation) == [1, 0]
    nobody = speaker_error_rate(reference, np.zeros((6, 1)))
    assert nobody[:4] == (1, 1, 0, 0) and list(nobody.permutation) == [-1, -1]
    everybody = speaker_error_rate(reference, np.ones((6, 3)))
    # 18 estimated, 5 true: 13 too many; one column is right 3 times, another twice
    assert everybody[:4] == (2.6, 0, 2.6, 0)


def test_speaker_split_in_two():
    reference = np.ones((10, 1))
    estimate = np.arange(10)[:, None] < 6
    error = speaker_error_rate(reference, np.hstack([estimate, ~estimate]))
    assert error[:4] == (0.4, 0, 0, 0.4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), seeds)
def test_speaker_error_is_best_of_all_mappings(n_true, n_found, seed):
    rng = np.random.default_rng(seed)
    reference, estimate = rng.random((30, n_true)) < 0.5, rng.random((30, n_found)) < 0.5
    reference[0, 0] = True
    error = speaker_error_rate(reference, estimate)
    assert error.rate == pytest.approx(brute_force_error(reference, estimate))
    assert error.rate == pytest.approx(error.miss + error.false_alarm + error.confusion)
    assert min(error[:4]) >= 0
    again = speaker_error_rate(reference[::-1, ::-1], estimate[::-1, ::-1])
    assert again[:4] == pytest.approx(error[:4])
    twice = speaker_error_rate(np.tile(reference, (2, 1)), np.tile(estimate, (2, 1)))
    assert twice[:4] == pytest.approx(error[:4])
    wider = np.hstack([estimate, np.zeros((30, 1))])
    assert speaker_error_rate(reference, wider)[:4] == pytest.approx(error[:4])


def test_speaker_error_threshold():
    reference, activity = np.eye(3, dtype=bool), np.eye(3) * 0.3
    assert speaker_error_rate(reference, activity).rate == 1
    assert speaker_error_rate(reference, activity, threshold=0.2).rate == 0
    assert speaker_error_rate(reference, 5 * activity, threshold=1.4).rate == 0
    assert speaker_error_rate(reference, activity, threshold=0.3).rate == 1  # above, not at


# other libraries


@every_library
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_libraries(library, dtype):
    rng = np.random.default_rng(0)
    r, e, mean = rng.random((3, 8)).astype(dtype), rng.random((2, 8)).astype(dtype), rng.random(8)
    x = library(r)
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    for given_mean in (None, mean, library(mean)):
        host_mean = None if given_mean is None else mean
        values, order = centred_cosine(x, library(e), mean=given_mean, normalize=True)
        expected = centred_cosine(r, e, mean=host_mean, normalize=True)
        for found in (values, order):
            assert namespace(found) is namespace(x) and device(found) == device(x)
        assert values.dtype == x.dtype and expected[0].dtype == dtype
        np.testing.assert_allclose(to_host(values), expected[0], atol=tolerance)
        np.testing.assert_array_equal(to_host(order), expected[1])
    assert identification_accuracy([2, 0], library(r[[0, 2]]), x, mean=mean) == 1
    assert identification_accuracy(library(np.array([2, 0])), r[[0, 2]], x) == 1
    top = top_k_accuracy([[1, 7]], library(e[None]), k=3)
    assert namespace(top) is namespace(x) and device(top) == device(x) and top.dtype == x.dtype
    assert to_host(top) == pytest.approx(top_k_accuracy([[1, 7]], e[None], k=3))
    same = np.eye(2, 3, dtype=bool)
    table = pairwise_cosine(e, r)
    expected = equal_error_rate(same, table)
    assert equal_error_rate(library(same), library(table)) == expected
    assert counting_accuracy(library(np.array([1, 2])), [1, 3]) == (0.5, 0.5)
    error = speaker_error_rate(library(same.T), same[::-1].T.astype(dtype))
    assert error[:4] == (0, 0, 0, 0) and list(error.permutation) == [1, 0]


# bad input


@pytest.mark.parametrize("function", [pairwise_cosine, centred_cosine])
def test_bad_embeddings_are_refused(function):
    x = np.random.default_rng(0).standard_normal((3, 5))
    cases = [
        (x * np.nan, x, {}, "reference contains NaN"),
        (x, x + np.inf, {}, "estimate contains NaN or infinity"),
        (x[:0], x, {}, r"reference has shape \(0, 5\)"),
        (x, x[:0], {}, r"estimate has shape \(0, 5\)"),
        (x, x[0], {}, r"estimate has shape \(5,\)"),
        (x, x[:, :4], {}, r"\(3, 5\) and \(3, 4\); expected .* same d"),
        (x[None], x, {}, "same leading axes"),
        (x + 1j, x, {}, "reference is complex"),
        (x, x, {"mean": x}, r"mean has shape \(3, 5\)"),
        (x, x, {"mean": x[0, :4]}, r"mean has shape \(4,\)"),
        (x, x, {"mean": x[0] * np.nan}, "mean contains NaN"),
        (x * [[1], [0], [1]], x, {}, "no direction: it is zero"),
        (x, x, {"mean": x[1]}, "or equal to mean"),
    ]
    with np.errstate(all="ignore"):
        for reference, estimate, options, message in cases:
            with pytest.raises(ValueError, match=message):
                function(reference, estimate, **options)


def test_bad_inventory_is_refused():
    x = np.eye(3)
    for speakers, message in (
        ([3], "from 0 to 2"),
        ([-1], "from 0 to 2"),
        ([0, 0], "different rows"),
        ([[0]], "different rows"),
        ([], "array of integers"),
        ([0.0], "array of integers"),
    ):
        with pytest.raises(ValueError, match=message):
            identification_accuracy(speakers, x, x)
    with pytest.raises(ValueError, match="inventory has shape"):
        identification_accuracy([0], x[None], x[None])
    with pytest.raises(ValueError, match="inventory contains NaN"):
        identification_accuracy([0], x, x * np.nan)
    with pytest.raises(ValueError, match="no direction"):
        identification_accuracy([0], x, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="same d"):
        identification_accuracy([0], x[:, :2], x)


def test_bad_posteriors_are_refused():
    p = np.random.default_rng(0).random((4, 2, 6))
    y = np.zeros((4, 2), dtype=int)
    for labels, posteriors, message in (
        (y, p * np.nan, "posteriors contains NaN"),
        (y, p[:0], r"posteriors has shape \(0, 2, 6\)"),
        (y[:3], p, r"\(3, 2\) and \(4, 2, 6\)"),
        (y + 6, p, "y_true has values from 6 to 6; expected classes, from 0 to 5"),
        (y - 1, p, "from 0 to 5"),
        (y + 0.5, p, "array of integers"),
        (0, p[0], "array of integers"),
    ):
        for metric in (permutation_accuracy, top_k_accuracy):
            with pytest.raises(ValueError, match=message):
                metric(labels, posteriors)
    for k in (0, 1.5, True):
        with pytest.raises(ValueError, match="k="):
            top_k_accuracy(y, p, k=k)


def test_bad_scores_are_refused():
    for same, scores, message in (
        ([0, 1], [0.1, np.nan], "scores contains NaN"),
        ([0, 1], [0.1, np.inf], "scores contains NaN or infinity"),
        ([], [], "scores has shape"),
        ([0, 1, 1], [0.1, 0.2], "same must hold"),
        ([0, 2], [0.1, 0.2], "same must hold"),
        ([1, 1], [0.1, 0.2], "pairs of both kinds"),
        ([False, False], [0.1, 0.2], "pairs of both kinds"),
        ([0, 1], [1j, 1.0], "complex"),
    ):
        with pytest.raises(ValueError, match=message):
            equal_error_rate(same, scores)


def test_bad_counts_are_refused():
    for true, estimated, message in (
        ([1, 2], [1], r"\(2,\) and \(1,\)"),
        ([], [], "true="),
        ([1.5], [1], "true="),
        ([1], [-1], "estimated="),
        ([1], [np.nan], "estimated="),
    ):
        with pytest.raises(ValueError, match=message):
            counting_accuracy(true, estimated)


def test_bad_activities_are_refused():
    a = np.ones((5, 2))
    for reference, estimate, options, message in (
        (a, a[:4], {}, "5 and 4 frames"),
        (a * np.nan, a, {}, "reference contains NaN"),
        (a, a[:, :0], {}, r"estimate has shape \(5, 0\)"),
        (a[:, 0], a, {}, r"reference has shape \(5,\)"),
        (a[None], a, {}, r"reference has shape \(1, 5, 2\)"),
        (a, a + 1j, {}, "estimate is complex"),
        (0 * a, a, {}, "no active speaker"),
        (a, a, {"threshold": -1}, "threshold=-1"),
        (a, a, {"threshold": 2}, "no active speaker"),
    ):
        with pytest.raises(ValueError, match=message):
            speaker_error_rate(reference, estimate, **options)
