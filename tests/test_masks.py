import array_api_strict
import numpy as np

from anmf.masks import wiener


def test_wiener_shares_the_mixture_out():
    rng = np.random.default_rng(0)
    mixture, parts = rng.random((6, 9)), rng.random((6, 3, 9))
    parts[2] = 0
    shared = wiener(mixture, parts)
    np.testing.assert_allclose(shared.sum(axis=1), mixture)
    np.testing.assert_allclose(shared[2], np.repeat(mixture[2][None] / 3, 3, axis=0))
    np.testing.assert_allclose(shared[0, 0] / shared[0, 1], parts[0, 0] / parts[0, 1])


def test_wiener_keeps_true_parts_of_disjoint_sources():
    parts = np.array([[[1.0, 0, 2], [0, 3, 0]]])
    np.testing.assert_array_equal(wiener(parts.sum(axis=1), parts), parts)


def test_wiener_on_another_library():
    mixture, parts = np.ones((2, 3), np.float32), np.ones((2, 2, 3), np.float32)
    strict = wiener(array_api_strict.asarray(mixture), array_api_strict.asarray(parts))
    assert strict.dtype == array_api_strict.float32
    np.testing.assert_array_equal(np.asarray(strict), wiener(mixture, parts))
