"""Mixtures of small handwritten digits, at hand without a download."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from anmf._core.arrays import random_generator
from anmf._core.checks import check_count
from anmf._core.types import RandomState
from anmf.datasets.mixtures import check_gains
from anmf.nmf.mixing import mix_at_random, stack_sources

BRIGHTEST = 16.0
"""Grey value of full ink in scikit-learn's digits."""


def load_digit_mixtures(
    digits: Sequence[int] = (0, 1),
    *,
    n_mixtures: int = 100,
    weights: Sequence[float] | None = None,
    test_size: float = 0.3,
    random_state: RandomState = 0,
) -> Bunch:
    """Overlaid pairs (or more) of scikit-learn's 8 × 8 digits, ready to train and to test on.

    The images of every digit are divided at random into training rows and held-out rows, and
    mixtures are made of the held-out ones. Pixels lie in [0, 1] before weighting.

    Parameters
    ----------
    digits : sequence of int (n_sources,), default (0, 1)
        Different digits from 0 to 9, at least two; each is a source.
    n_mixtures : int, default 100
        How many mixtures of held-out rows to make.
    weights : sequence of float (n_sources,) or None, default None
        Gain of each digit, in training rows and in mixtures; 1 / n_sources each when not given.
    test_size : float, default 0.3
        Share of the images of each digit that is held out, above 0 and below 1.
    random_state : int, Generator, RandomState or None, default 0
        Seed of the division and of the draw.

    Returns
    -------
    sklearn.utils.Bunch
        X_train : ndarray of shape (n, 64)
            Training rows of all sources, times their weights; float64.
        y_train : ndarray of int, shape (n,)
            Source of each row: its place in `digits`.
        X_test : ndarray of shape (n_mixtures, 64)
            Mixtures of held-out rows.
        parts_test : ndarray of shape (n_mixtures, n_sources, 64)
            Their true parts.
        image_shape : tuple
            (8, 8).
        digits : tuple of int
            The digit of each source.

    Raises
    ------
    ValueError
        For digits that are unknown or repeated, bad weights, or a share outside (0, 1).

    Examples
    --------
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures((3, 8), n_mixtures=50)
    >>> data.X_train.shape, data.X_test.shape, data.parts_test.shape
    ((250, 64), (50, 64), (50, 2, 64))
    """
    digits = _check_digits(digits)
    weights = check_gains(weights, len(digits))
    check_count("n_mixtures", n_mixtures)
    if not isinstance(test_size, (float, np.floating)) or not 0 < test_size < 1:
        raise ValueError(f"test_size={test_size!r} must be a share above 0 and below 1, as 0.3")
    rng = random_generator(random_state)
    images, labels = load_digits(return_X_y=True)
    images = images / BRIGHTEST
    halves = [_divide(images[labels == digit], test_size, rng) for digit in digits]
    train = [rows * weight for (rows, _), weight in zip(halves, weights, strict=True)]
    X_train, y_train = stack_sources(train)
    X_test, parts_test = mix_at_random([held for _, held in halves], n_mixtures, rng, weights)
    return Bunch(
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        parts_test=parts_test,
        image_shape=(8, 8),
        digits=digits,
    )


def _check_digits(digits):
    """Different digits from 0 to 9 as a tuple of int."""
    found = tuple(digits) if np.iterable(digits) else (digits,)
    whole = all(isinstance(digit, Integral) and 0 <= digit <= 9 for digit in found)
    if not whole or len(set(found)) != len(found) or len(found) < 2:
        raise ValueError(
            f"digits={digits!r} must be at least two different digits from 0 to 9, as (0, 1)"
        )
    return tuple(int(digit) for digit in found)


def _divide(rows, test_size, rng):
    """Training rows and held-out rows, at least one of each."""
    order = rng.permutation(len(rows))
    n_held = min(max(round(test_size * len(rows)), 1), len(rows) - 1)
    return rows[order[n_held:]], rows[order[:n_held]]
