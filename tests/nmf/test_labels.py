"""Weak and strong supervision in one form."""

import numpy as np
import pytest

from anmf import NMF_separation, stack_sources
from anmf.nmf.early_stopping import hold_out
from anmf.nmf.labels import known_mixtures, read_labels


@pytest.fixture
def data():
    """Rows of two sources, mixtures of unknown parts, and pairs (which don't sum exactly)."""
    rng = np.random.default_rng(0)
    sources = [rng.random((5, 4)) + 0.1, rng.random((3, 4)) + 0.1]
    parts = rng.random((6, 2, 4)) + 0.1
    return sources, rng.random((2, 4)), parts, parts.sum(axis=1) + 0.01


def test_parts_tell_what_labels_tell(data):
    sources, mixtures, parts, paired = data
    X, y = stack_sources(sources, mixtures, parts=parts, paired=paired)
    assert X.shape == (16, 4) and y.shape == (16, 2, 4)
    taught = read_labels(X, y)
    for s in (0, 1):
        np.testing.assert_array_equal(taught.isolated[s], sources[s])
        np.testing.assert_array_equal(taught.sources[s], np.concatenate([sources[s], parts[:, s]]))
    np.testing.assert_array_equal(taught.unknown, mixtures)
    np.testing.assert_array_equal(taught.paired, paired)
    np.testing.assert_array_equal(taught.parts, parts)
    np.testing.assert_array_equal(taught.mixtures, np.concatenate([mixtures, paired]))
    weak = read_labels(*stack_sources(sources, mixtures))
    only_weak = read_labels(X[:10], y[:10])
    for a, b in zip(weak.sources, only_weak.sources, strict=True):
        np.testing.assert_array_equal(a, b)
    assert only_weak.parts is None and weak.parts is None


def test_a_silent_part_is_no_sample(data):
    _, _, parts, _ = data
    parts[:2, 1] = 0
    taught = read_labels(parts.sum(axis=1), parts)
    np.testing.assert_array_equal(taught.isolated[0], parts[:2, 0])
    assert taught.sources[1].shape == (4, 4)
    assert taught.parts.shape == (4, 2, 4)


def test_columns(data):
    sources, mixtures, parts, paired = data
    rows = stack_sources(sources, mixtures, parts=parts, paired=paired)
    columns = stack_sources(
        [s.T for s in sources], mixtures.T, columns=True, parts=parts.T, paired=paired.T
    )
    for a, b in zip(rows, columns, strict=True):
        np.testing.assert_array_equal(a, b)
    summed, _ = stack_sources(sources, parts=parts)
    np.testing.assert_array_equal(summed[8:], parts.sum(axis=1))


def test_stack_sources_refuses(data):
    sources, _, parts, paired = data
    with pytest.raises(ValueError, match=r"parts has shape \(6, 4\); expected \(n, n_sources, m\)"):
        stack_sources(sources, parts=parts[:, 0])
    with pytest.raises(ValueError, match="n_sources=2 and m=4"):
        stack_sources(sources, parts=parts[:, :, :3])
    with pytest.raises(ValueError, match=r"paired has \(5, 4\)"):
        stack_sources(sources, parts=parts, paired=paired[:5])
    with pytest.raises(ValueError, match="pass parts too"):
        stack_sources(sources, paired=paired)


def test_scoring_prefers_true_mixtures(data):
    sources, mixtures, parts, paired = data
    X, y = stack_sources(sources, mixtures, parts=parts, paired=paired)
    for known in (known_mixtures(X, y, [0, 1]), known_mixtures(paired, parts, [0, 1])):
        np.testing.assert_array_equal(known[0], paired)
        np.testing.assert_array_equal(known[1], parts)
    alone, own = known_mixtures(X[:10], y[:10], [0, 1])
    np.testing.assert_array_equal(alone, X[:8])
    np.testing.assert_array_equal(own, y[:8])
    made, made_parts = known_mixtures(*stack_sources(sources), [0, 1])
    assert made.shape == (5, 4)
    np.testing.assert_allclose(made_parts.sum(axis=1), made)
    with pytest.raises(ValueError, match=r"holds the labels \[0\].*needs rows of each of \[0, 1\]"):
        known_mixtures(X[:5], np.zeros(5), [0, 1])
    model = NMF_separation(2, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.score(X, y), model.score(paired, parts))


def test_held_out_pairs_are_unseen(data):
    sources, mixtures, parts, paired = data
    X, y = stack_sources(sources, mixtures, parts=parts, paired=paired)
    left, held, held_parts = hold_out(read_labels(X, y), 0.4, np.random.default_rng(0))
    assert held.shape == (2, 4) and left.parts.shape == (4, 2, 4)
    together = np.concatenate([left.parts, held_parts])
    np.testing.assert_allclose(np.sort(together.ravel()), np.sort(parts.ravel()))
    assert left.sources[0].shape == (9, 4)
    assert left.mixtures.shape == (6, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.where(y > 0.9, np.nan, y), "NaN throughout"),
        (lambda y: np.where(y > 0.9, np.inf, y), "finite and at least 0"),
        (lambda y: np.full_like(y, np.nan), "no source has a row"),
        (lambda y: np.zeros_like(y), "no source has a row"),
        (lambda y: y[:, :, :3], r"need shape \(6, n_sources, 4\)"),
        (lambda y: y[:5], r"need shape \(6, n_sources, 4\)"),
    ],
)
def test_bad_parts_are_refused(data, change, message):
    _, _, parts, paired = data
    with pytest.raises(ValueError, match=message):
        NMF_separation(2).fit(paired, change(parts))
