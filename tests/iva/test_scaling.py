"""The scale of demixed sources."""

import numpy as np
import pytest

from anmf._core.arrays import namespace, to_host
from anmf.iva import minimal_distortion, projection_back
from anmf.iva.scaling import check_channel, inverse
from tests.iva.scenes import LIBRARIES, complex_normal, random_spectra


def demixed(n_sources=3, n_channels=3):
    X = random_spectra(7, n_channels, 20)
    W = complex_normal(np.random.default_rng(1), 7, n_sources, n_channels)
    return X, W, W @ X


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_images_sum_to_the_mixture(channel):
    X, W, Y = demixed()
    images = projection_back(Y, W, channel)
    assert abs(images.sum(axis=1) - X[:, channel]).max() <= 1e-10
    np.testing.assert_allclose(projection_back(9j * Y, 9j * W, channel), images)
    single = projection_back(Y.astype("complex64"), W.astype("complex64"), channel)
    assert single.dtype == "complex64"
    np.testing.assert_allclose(single, images, atol=1e-3)


def test_fewer_sources_than_channels_take_the_pseudo_inverse():
    _, W, Y = demixed(n_sources=2)
    expected = np.linalg.pinv(W)[:, 1, :, None] * Y
    np.testing.assert_allclose(projection_back(Y, W, 1), expected)


def test_minimal_distortion_is_least_squares():
    X, _, Y = demixed(n_sources=2)
    Y[3, 1] = 0
    scaled = minimal_distortion(Y, X, 2)
    for f in range(7):
        for k in range(2):
            a = np.linalg.lstsq(Y[f, k][:, None], X[f, 2], rcond=None)[0]
            np.testing.assert_allclose(scaled[f, k], a * Y[f, k], atol=1e-10)
    assert not scaled[3, 1].any()
    np.testing.assert_allclose(minimal_distortion(1e-5j * Y, X, 2), scaled, atol=1e-9)


def test_inverse_of_singular_matrices():
    W = complex_normal(np.random.default_rng(0), 3, 2, 2).astype("complex64")
    np.testing.assert_allclose(inverse(W) @ W, np.tile(np.eye(2), (3, 1, 1)), atol=1e-6)
    W[1] = 0
    A = inverse(W)
    assert A.dtype == "complex128" and np.isfinite(A).all() and not A[1].any()


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_libraries(library):
    X, W, Y = demixed()
    for function, other in ((projection_back, W), (minimal_distortion, X)):
        foreign = library(Y)
        found = function(foreign, library(other), 1)
        assert namespace(found) is namespace(foreign)
        np.testing.assert_allclose(to_host(found), function(Y, other, 1), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("channel", "message"), [
    (3, r"reference_channel=3 must be below the number of channels \(3\)"),
    (-1, "reference_channel=-1 must be an integer of at least 0"),
    (0.5, "reference_channel=0.5 must be"), (None, "reference_channel=None must be"),
])  # fmt: skip
def test_bad_channels(channel, message):
    X, W, Y = demixed()
    for call in (lambda: check_channel(channel, 3), lambda: projection_back(Y, W, channel),
                 lambda: minimal_distortion(Y, X, channel)):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()


def test_bad_shapes():
    X, W, Y = demixed()
    for function, first, second in ((projection_back, Y[0], W), (projection_back, Y[1:], W),
                                    (minimal_distortion, Y, X[0])):  # fmt: skip
        with pytest.raises(ValueError, match="expected arrays of three axes"):
            function(first, second)
