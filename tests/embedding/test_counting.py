"""How many speakers: the threshold is calibrated, planted numbers are counted."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_curve
from sklearn.metrics.pairwise import cosine_similarity

from anmf.embedding import SVDDecorrelator
from anmf.embedding.counting import COUNTING_RULES, by_rank, calibrate, count
from anmf.embedding.rank import RANK_RULES
from tests.embedding.data import KINDS, assert_same, background, fitted, planted, recording


def speakers(n_speakers, n_each=10, d=20, noise=0.3, seed=0):
    """Rows about orthogonal directions, and their speakers."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0][:n_speakers]
    y = np.repeat(np.arange(n_speakers), n_each)
    return axes[y] + noise / np.sqrt(d) * rng.standard_normal((len(y), d)), y


def rng(seed=0):
    return np.random.default_rng(seed)


def test_threshold_lies_where_windows_of_one_speaker_and_of_two_part():
    """Planted: cosine c for the same speaker, −c/2 and less for others."""
    y = np.repeat(np.arange(3), 4)
    angles = 2 * np.pi / 3 * y + np.tile([0.0, 0.1, 0.2, 0.3], 3)
    X = np.column_stack([np.cos(angles), np.sin(angles)]) * np.arange(1, 13)[:, None]
    expected = (np.cos(0.3) + np.cos(2 * np.pi / 3 - 0.3)) / 2
    assert calibrate(X, y, rng()) == pytest.approx(expected)
    assert calibrate(X * 1e-6, np.array(list("abc"))[y], rng()) == pytest.approx(expected)


@pytest.mark.parametrize("noise", [1.0, 2.0, 3.0])
def test_at_the_threshold_both_errors_are_equally_frequent(noise):
    X, y = speakers(12, noise=noise)
    first, second = np.triu_indices(len(X), 1)
    same, scores = y[first] == y[second], cosine_similarity(X)[first, second]
    threshold = calibrate(X, y, rng())
    missed, accepted = np.mean(scores[same] < threshold), np.mean(scores[~same] > threshold)
    assert missed == pytest.approx(accepted, abs=0.003)
    false, true, thresholds = roc_curve(same, scores)
    assert threshold == pytest.approx(thresholds[np.abs(1 - true - false).argmin()], abs=0.01)


def test_many_rows_are_drawn_by_whole_speakers():
    X, y = speakers(300, 20, d=300, noise=2.0)
    some, again, others = (calibrate(X, y, rng(s)) for s in (0, 0, 1))
    assert some == again != others
    assert others == pytest.approx(some, abs=0.01)
    assert some == pytest.approx(calibrate(X[:900], y[:900], rng()), abs=0.02)
    long = np.repeat([0, 1], 3000)
    X = np.eye(2)[long] + 0.1 * rng().standard_normal((6000, 2))
    assert 0.1 < calibrate(X, long, rng()) < 0.9


@pytest.mark.parametrize("y", [[0] * 6, [0, 1, 2, 3, 4, 5], [0]])
def test_no_threshold_without_two_speakers_and_two_windows_of_one(y):
    X = rng().standard_normal((len(y), 4))
    assert calibrate(X, np.array(y), rng()) is None


def test_rows_without_direction_are_like_no_other():
    X, y = speakers(4)
    X[3] = 0
    assert 0.1 < calibrate(X, y, rng()) < 0.9
    assert count("agglomerative", X, X, 0.5, 8) == 4


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_agglomerative_counts_planted_clusters(k):
    X, _ = speakers(k)
    for scale in (1e-5, 1, 1e5):
        assert COUNTING_RULES["agglomerative"](scale * X, None, 0.5, 10) == k
    order = rng().permutation(len(X))
    assert COUNTING_RULES["agglomerative"](X[order], None, 0.5, 10) == k


@pytest.mark.parametrize(("sizes", "expected"), [
    ([10, 10, 1], 2), ([10, 10, 2], 3), ([40, 40, 3], 2), ([40, 40, 4], 3), ([1, 1, 1], 1),
])  # fmt: skip
def test_clusters_below_two_windows_or_a_twentieth_are_accidents(sizes, expected):
    X = np.repeat(np.eye(3), sizes, axis=0)
    assert COUNTING_RULES["agglomerative"](X, None, 0.5, 10) == expected


def test_the_threshold_decides_what_is_one_speaker():
    X = np.repeat([[1.0, 0.0], [0.6, 0.8]], 5, axis=0)  # cosine 0.6
    assert [count("agglomerative", X, X, t, 8) for t in (0.59, 0.61)] == [1, 2]


@pytest.mark.parametrize("rule", RANK_RULES)
@pytest.mark.parametrize("rank", [1, 2, 4, 7])
@pytest.mark.parametrize("shape", [(48, 40), (48, 128)])
def test_rank_rules_count_the_planted_rank_in_white_noise(rule, rank, shape):
    for seed in range(3):
        Z = planted(*shape, rank, 3.0, seed=seed)
        found = COUNTING_RULES[rule](Z, Z, None, 10)
        # Noise may pass the edge of Marchenko and Pastur, but not the higher threshold.
        assert rank <= found <= rank + (rule == "marchenko-pastur")
        assert COUNTING_RULES[rule](Z, 1e-4 * Z, None, 10) == found


@pytest.mark.parametrize("rule", COUNTING_RULES)
def test_at_most_max_speakers_and_at_least_one(rule):
    X, _ = speakers(6, d=60)
    assert [count(rule, X, X, 0.5, m) for m in (1, 3, 6, 8)] == [1, 3, 6, 6]
    assert count(rule, X[:1], X[:1], 0.5, 8) == 1
    assert count(rule, 0 * X, 0 * X, 0.5, 8) >= 1


@pytest.mark.parametrize("rule", COUNTING_RULES)
def test_a_constant_recording_has_one_speaker(rule):
    X = np.repeat(rng().standard_normal((1, 12)), 30, axis=0)
    assert count(rule, X, X, 0.5, 8) == 1


def test_the_usual_rule_is_by_cosines_where_there_is_a_threshold():
    """Of two speakers at an angle, in a recording that also has six directions of rank."""
    Z = planted(48, 40, 6, 3.0)
    X = np.repeat(np.eye(40)[:2], 24, axis=0)
    assert count(None, X, Z, 0.5, 8) == count("agglomerative", X, Z, 0.5, 8) == 2
    assert count(None, X, Z, None, 8) == count("gavish-donoho", X, Z, None, 8) == 6


def test_rules_that_can_t_be_had_are_refused():
    X, _ = speakers(3)
    with pytest.raises(ValueError, match="n_speakers='agglomerative' needs a threshold"):
        count("agglomerative", X, X, None, 8)
    with pytest.raises(ValueError, match="n_speakers='evidence' needs demixing_model='pair-mix"):
        count("evidence", X, X, 0.5, 8)
    assert by_rank("marchenko-pastur")(X, X, None, 8) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_counting(kind, k):
    """By evidence where it can be had; the rules of rank where speakers are linear."""
    model, clean, overlapped = fitted(kind), recording(kind, k, overlap=0.0), recording(kind, k)
    for rule in (None, "agglomerative", *(["gavish-donoho"] if kind == "cone" else ["evidence"])):
        model.set_params(n_speakers=rule).separate(clean[0])
        assert model.n_speakers_ == k
        model.set_params(max_speakers=2).separate(clean[0])
        assert model.n_speakers_ == min(k, 2)
        model.set_params(max_speakers=8)
    rule = "gavish-donoho" if kind == "cone" else "evidence"
    model.set_params(n_speakers=rule).separate(overlapped[0])
    assert model.n_speakers_ == k


@pytest.mark.parametrize("kind", KINDS)
def test_usual_rules_are_the_first_that_fit_allows(kind):
    X = recording(kind)[0]
    rule = "agglomerative" if kind == "cone" else "evidence"
    one, other = fitted(kind), fitted(kind, n_speakers=rule)
    one.separate(X), other.separate(X)
    assert_same(one, other)
    alone = SVDDecorrelator(random_state=0).fit(background("cone")[0])
    assert alone.threshold_ is None and alone.pair_mixture_ is None
    alone.separate(recording("cone")[0])
    ruled = clone(alone).set_params(n_speakers="gavish-donoho").fit(background("cone")[0])
    ruled.separate(recording("cone")[0])
    assert_same(alone, ruled)


def test_rules_that_fit_did_not_allow_are_refused():
    X, new = background("cone")[0], recording("cone")[0]
    model = SVDDecorrelator(n_speakers="agglomerative").fit(X)
    with pytest.raises(ValueError, match="needs a threshold that fit"):
        model.separate(new)
    model.fit(X, np.zeros(len(X), int))
    with pytest.raises(ValueError, match="needs a threshold that fit"):
        model.separate(new)
    with pytest.raises(ValueError, match="n_speakers='evidence' needs demixing_model='pair-mix"):
        fitted("cone", n_speakers="evidence").separate(new)
    with pytest.raises(ValueError, match="demixing_model='pair-mixture' needs overlapped rows"):
        fitted("cone", demixing_model="pair-mixture").separate(new)
