"""`make_mixtures`: what it returns and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from anmf.datasets import make_mixtures

RNG = np.random.default_rng(0)
A, B = RNG.random((4, 5)), RNG.random((7, 5))


def test_mixtures_are_the_sum_of_weighted_rows():
    X, y = make_mixtures([A, B], [0.25, 2.0], n_mixtures=20, random_state=1)
    assert X.shape == (20, 5)
    assert y.shape == (20, 2, 5)
    np.testing.assert_array_equal(X, y.sum(axis=1))
    for s, (rows, weight) in enumerate([(A, 0.25), (B, 2.0)]):
        distance = np.abs(y[:, s, None] - weight * rows[None]).max(axis=2)
        assert np.all(distance.min(axis=1) == 0)


def test_default_weights_are_equal_and_sum_to_one():
    X, y = make_mixtures([np.ones((1, 2))] * 4, n_mixtures=3)
    np.testing.assert_array_equal(y, np.full((3, 4, 2), 0.25))
    np.testing.assert_array_equal(X, np.ones((3, 2)))


def test_all_rows_are_used_equally_often():
    numbered = np.arange(4.0)[:, None]
    X, _ = make_mixtures([numbered], n_mixtures=12, random_state=0)
    np.testing.assert_array_equal(np.bincount(X[:, 0].astype(int)), [3, 3, 3, 3])


def test_random_state_repeats_and_varies():
    first, again, other = (make_mixtures([A, B], random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_global_random_state_plays_no_part():
    np.random.seed(0)
    first = make_mixtures([A, B], random_state=3)[0]
    np.random.seed(1)
    np.testing.assert_array_equal(first, make_mixtures([A, B], random_state=3)[0])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.uint8, np.float64),
        (bool, np.float64),
        (np.float16, np.float64),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.complex64, np.complex64),
    ],
)
def test_types(given, kept):
    X, y = make_mixtures([np.ones((2, 3), given)] * 2)
    assert X.dtype == y.dtype == kept
    np.testing.assert_allclose(X, 1)


def test_mixed_types_take_the_wider_one():
    X, _ = make_mixtures([A.astype(np.float32), B])
    assert X.dtype == np.float64


def test_lists_and_stacked_arrays_are_taken():
    X, _ = make_mixtures([[[1, 2], [1, 2]], [[3, 4]]], n_mixtures=2)
    np.testing.assert_array_equal(X, [[2, 3], [2, 3]])
    assert make_mixtures(np.ones((3, 2, 5)), n_mixtures=2)[1].shape == (2, 3, 5)


def test_sources_are_left_as_they_are():
    kept = A.copy()
    A.setflags(write=False)
    _, y = make_mixtures([A, B], n_mixtures=4)
    y += 1
    np.testing.assert_array_equal(A, kept)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "sources is empty"),
        (5, "sources=5 must be a sequence"),
        (A, r"sources\[0\] has shape \(5,\); expected two dimensions"),
        ([A, np.ones((2, 2, 2))], r"sources\[1\] has shape \(2, 2, 2\)"),
        ([A, B[:, :3]], r"sources have \[5, 3\] features"),
        ([A, np.empty((0, 5))], r"sources\[1\] is empty"),
        ([A, np.full((2, 5), np.nan)], r"sources\[1\] contains NaN or infinity"),
        ([np.full((2, 5), np.inf), A], r"sources\[0\] contains NaN or infinity"),
        ([[["a", "b"]]], r"sources\[0\] has dtype <U1; expected numbers"),
        ([[[1, 2], [3]]], r"sources\[0\] isn't an array with rows of equal length"),
    ],
)
def test_bad_sources(sources, message):
    with pytest.raises(ValueError, match=message):
        make_mixtures(sources)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "must be a sequence of 2 numbers"),
        ([1.0, 2.0, 3.0], "must be a sequence of 2 numbers"),
        (0.5, "weights=0.5 must be a sequence of 2 numbers"),
        (["a", "b"], "must be a sequence of 2 numbers"),
        ([0.5, -0.5], "must be finite and at least 0"),
        ([0.5, np.nan], "must be finite and at least 0"),
        ([0.5, np.inf], "must be finite and at least 0"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        make_mixtures([A, B], weights)


@pytest.mark.parametrize("n_mixtures", [0, -1, 2.5, "3", True])
def test_bad_number_of_mixtures(n_mixtures):
    with pytest.raises(ValueError, match=r"n_mixtures=.* must be an integer of at least 1"):
        make_mixtures([A, B], n_mixtures=n_mixtures)


def test_import_is_light():
    code = (
        "import sys, anmf.datasets as d; d.load_digit_mixtures();"
        "print([m for m in ('matplotlib', 'numba', 'librosa') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
