"""Ratios in closed form: signals built from orthonormal parts."""

import array_api_strict
import numpy as np
import pytest

from anmf.metrics import METRICS, mean_score, psnr, si_sdr, snr


@pytest.fixture
def orthonormal():
    return np.linalg.qr(np.random.default_rng(0).standard_normal((50, 2)))[0].T


@pytest.mark.parametrize("decibel", [-20.0, 0.0, 13.0, 60.0])
def test_closed_forms(orthonormal, decibel):
    s, e = orthonormal
    noise = 10 ** (-decibel / 20)
    np.testing.assert_allclose(snr(s, s + noise * e), decibel, atol=1e-9)
    for scale in (1e-3, 1.0, -7.0):
        np.testing.assert_allclose(si_sdr(s, scale * (s + noise * e)), decibel, atol=1e-9)
    peak = np.abs(s).max()
    expected = 20 * np.log10(peak / (noise / np.sqrt(50)))
    np.testing.assert_allclose(psnr(s, s + noise * e), expected, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_ends_of_the_scale(metric):
    s = np.array([[1.0, 2.0], [0.0, 0.0]])
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values = metric(s, s)
    assert values[0] == np.inf and np.isnan(values[1])


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_axis_and_library(metric):
    rng = np.random.default_rng(0)
    s, e = rng.random((3, 4, 20)), rng.random((3, 4, 20))
    values = metric(s, e)
    assert values.shape == (3, 4)
    np.testing.assert_allclose(metric(np.moveaxis(s, -1, 0), np.moveaxis(e, -1, 0), axis=0), values)
    strict = metric(array_api_strict.asarray(s), array_api_strict.asarray(e))
    np.testing.assert_allclose(np.asarray(strict), values, rtol=1e-12)


def test_mean_score_leaves_out_silent_parts():
    s = np.array([[1.0, 0.0], [0.0, 0.0]])
    error = np.array([[0.1, 0.1], [0, 5]])
    assert mean_score("psnr", s, s + error) == pytest.approx(20)
    assert np.isnan(mean_score("psnr", s[1:], s[1:]))
