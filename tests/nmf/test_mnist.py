"""Separation of real digits, at the quality the documentation states."""

import numpy as np
import pytest

from anmf import NMF_separation, stack_sources
from anmf.datasets import fetch_mnist
from anmf.metrics import psnr

pytestmark = [pytest.mark.data, pytest.mark.slow]


def pair(a, b, n_train, n_test):
    """Training rows of both digits at half weight, mixtures, and their parts."""
    mnist = fetch_mnist(download_if_missing=False)
    order = np.random.RandomState(1).permutation(len(mnist.data))
    data, target = mnist.data[order], mnist.target[order]
    rows = [data[target == digit] / 2 for digit in (a, b)]
    parts = np.stack([r[n_train : n_train + n_test] for r in rows], axis=1)
    return stack_sources([r[:n_train] for r in rows]), parts


@pytest.mark.parametrize(
    ("digits", "method", "n_components", "expected"),
    [
        ((0, 1), "nmf", 64, 25.0),
        ((0, 1), "nmf", 128, 25.5),
        ((0, 1), "exemplar", 64, 23.5),
        ((3, 8), "nmf", 64, 16.9),
        ((2, 5), "nmf", 64, 18.4),
        ((1, 7), "nmf", 64, 24.8),
        ((4, 9), "nmf", 64, 17.6),
        ((0, 1), "anmf", 64, 25.2),
        ((3, 8), "anmf", 64, 17.0),
        ((3, 8), "dnmf", 64, 18.9),
        ((1, 7), "dnmf", 64, 28.0),
    ],
)
def test_median_psnr(digits, method, n_components, expected):
    (X, y), parts = pair(*digits, *((5000, 1000) if digits == (0, 1) else (2000, 500)))
    model = NMF_separation(n_components, method=method, random_state=0).fit(X, y)
    quality = psnr(parts, model.separate(parts.sum(axis=1))).mean(axis=1)
    assert np.median(quality) >= expected
