"""Ratios in closed form: signals built from orthonormal parts."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.metrics import METRICS, mean_score, psnr, sd_sdr, si_sdr, snr

all_metrics = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
gain = st.floats(1e-3, 1e3).flatmap(lambda x: st.sampled_from([x, -x]))


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


@pytest.mark.parametrize("level", [-3.0, -0.5, 0.01, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("noise", [0.0, 0.1, 2.0])
def test_level_in_closed_form(orthonormal, level, noise):
    """‖s‖ = ‖e‖ = 1: the error of a (s + n e) is (1 − a)² + a² n²."""
    s, e = orthonormal
    estimate, lost = level * (s + noise * e), (1 - level) ** 2 + (level * noise) ** 2
    if lost:
        np.testing.assert_allclose(snr(s, estimate), -10 * np.log10(lost), atol=1e-10)
        expected = 10 * np.log10(level**2 / lost)
        np.testing.assert_allclose(sd_sdr(s, estimate), expected, atol=1e-10)
    if noise:
        np.testing.assert_allclose(si_sdr(s, estimate), -20 * np.log10(noise), atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), gain, gain)
def test_invariances(seed, a, b):
    rng = np.random.default_rng(seed)
    s, x = rng.standard_normal((2, 40))
    np.testing.assert_allclose(si_sdr(a * s, b * x), si_sdr(s, x), atol=1e-8)
    for metric in METRICS.values():  # both scaled alike
        np.testing.assert_allclose(metric(a * s, a * x), metric(s, x), atol=1e-8)
        moved = metric(s + a, x + b, zero_mean=True)
        np.testing.assert_allclose(moved, metric(s, x, zero_mean=True), atol=1e-6)
        order = rng.permutation(40)
        np.testing.assert_allclose(metric(s[order], x[order]), metric(s, x), atol=1e-9)
    assert sd_sdr(s, x) <= si_sdr(s, x) + 1e-9
    projection = (s @ x) / (s @ s)
    expected = snr(s, x) + 20 * np.log10(abs(projection))
    np.testing.assert_allclose(sd_sdr(s, x), expected, atol=1e-8)
    if projection:
        np.testing.assert_allclose(sd_sdr(s, x / projection), si_sdr(s, x), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.01, 50.0))
def test_shrinking_makes_the_snr_look_fair(seed, noise):
    rng = np.random.default_rng(seed)
    s, e = np.linalg.qr(rng.standard_normal((30, 2)))[0].T
    estimate = s + noise * e
    best = 1 / (1 + noise**2)
    assert snr(s, best * estimate) > 0 > snr(s, estimate)
    assert sd_sdr(s, best * estimate) < si_sdr(s, estimate) + 1e-9


@all_metrics
def test_ends_of_the_scale(metric):
    s = np.array([[1.0, 2.0], [0.0, 0.0]])
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values = metric(s, s)
    assert values[0] == np.inf and np.isnan(values[1])
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values = metric(s, s, clamp_db=40)
    assert values[0] == 40 and np.isnan(values[1])


def test_silent_estimate():
    s, silence = np.array([3.0, -4.0]), np.zeros(2)
    assert snr(s, silence) == 0
    assert si_sdr(s, silence) == sd_sdr(s, silence) == -np.inf
    assert si_sdr(s, silence, clamp_db=30) == sd_sdr(s, silence, clamp_db=30) == -30
    assert si_sdr(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == -np.inf


@all_metrics
def test_constant_reference_is_silent_without_its_mean(metric):
    s = np.full(7, 0.1)
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        assert np.isnan(metric(s, np.arange(7.0), zero_mean=True))


@all_metrics
def test_axis_and_library(metric):
    rng = np.random.default_rng(0)
    s, e = rng.random((3, 4, 20)), rng.random((3, 4, 20))
    values = metric(s, e)
    assert values.shape == (3, 4)
    np.testing.assert_allclose(metric(np.moveaxis(s, -1, 0), np.moveaxis(e, -1, 0), axis=0), values)
    np.testing.assert_allclose(metric(s.swapaxes(1, 2), e.swapaxes(1, 2), axis=-2), values)
    strict = metric(array_api_strict.asarray(s), array_api_strict.asarray(e))
    np.testing.assert_allclose(np.asarray(strict), values, rtol=1e-12)
    np.testing.assert_allclose(metric(s[:, :1], e), [metric(a[[0] * 4], b) for a, b in zip(s, e)])  # noqa: B905


@all_metrics
def test_lists_integers_and_single_precision(metric):
    s, x = [3, 4, 0], [3, 3, 1]
    expected = metric(np.array(s, float), np.array(x, float))
    assert metric(s, x) == metric(np.array(s, np.uint8), np.array(x, np.uint8)) == expected
    single = metric(np.array(s, np.float32), np.array(x, np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-6)


BAD = {
    "reference is complex": (np.ones(3) + 1j, np.ones(3)),
    "estimate contains NaN or infinity": (np.ones(3), np.array([1, np.nan, 1])),
    "reference contains NaN or infinity": (np.array([1, np.inf, 1]), np.ones(3)),
    "reference is empty": (np.ones(0), np.ones(0)),
    r"shapes \(3,\) and \(4,\); expected the same length": (np.ones(3), np.ones(4)),
    r"shapes \(2, 3\) and \(3, 3\)": (np.ones((2, 3)), np.ones((3, 3))),
    r"shapes \(\) and \(\)": (1.0, 2.0),
}


@all_metrics
@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused(metric, message):
    with pytest.raises(ValueError, match=message):
        metric(*BAD[message])


@all_metrics
def test_bad_limit_is_refused(metric):
    with pytest.raises(ValueError, match="clamp_db=-1"):
        metric(np.ones(3), np.ones(3), clamp_db=-1)


def test_mean_score_leaves_out_silent_parts():
    s = np.array([[1.0, 0.0], [0.0, 0.0]])
    error = np.array([[0.1, 0.1], [0, 5]])
    assert mean_score("psnr", s, s + error) == pytest.approx(20)
    assert np.isnan(mean_score("psnr", s[1:], s[1:]))


def test_mean_score_of_opposite_infinities_is_undefined():
    s = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert np.isnan(mean_score("si_sdr", s, np.array([[1.0, 0.0], [0.0, 1.0]])))
