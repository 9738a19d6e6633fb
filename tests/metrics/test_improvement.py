"""What a separation gains, from orthonormal parts."""

import numpy as np
import pytest

from anmf.metrics import (
    sd_sdr,
    sd_sdr_improvement,
    si_sdr,
    si_sdr_improvement,
    snr,
    snr_improvement,
)

PAIRS = [(snr, snr_improvement), (si_sdr, si_sdr_improvement), (sd_sdr, sd_sdr_improvement)]
each = pytest.mark.parametrize(("metric", "improvement"), PAIRS, ids=lambda f: f.__name__)


@pytest.fixture
def sources():
    return np.linalg.qr(np.random.default_rng(0).standard_normal((60, 3)))[0]


@each
def test_closed_form(metric, improvement, sources):
    """Each other source is 10 dB softer in the mixture, then 40 dB."""
    leak = np.eye(3) + 10**-0.5 * (1 - np.eye(3))
    rest = np.eye(3) + 1e-2 * (1 - np.eye(3))
    gained = improvement(sources, sources @ rest, sources @ leak)
    np.testing.assert_allclose(gained, 30, atol=1e-10)
    mixture = sources.sum(axis=1)
    gained = improvement(sources, sources @ leak, mixture)
    np.testing.assert_allclose(gained, 10, atol=1e-10)
    shuffled = (sources @ leak)[:, [2, 0, 1]]
    assert improvement(sources, shuffled, mixture).max() < 5
    np.testing.assert_allclose(improvement(sources, shuffled, mixture, permute=True), 10)


@each
def test_is_the_difference(metric, improvement, sources):
    rng = np.random.default_rng(1)
    s = np.stack([sources, 2 * sources])
    x, mixture = s + rng.standard_normal(s.shape), s.sum(axis=-1)
    spread = np.repeat(mixture[..., None], 3, axis=-1)
    for options in ({}, {"zero_mean": True}, {"clamp_db": 3.0}):
        expected = metric(s, x, axis=-2, **options) - metric(s, spread, axis=-2, **options)
        for given in (mixture, spread):
            np.testing.assert_allclose(improvement(s, x, given, **options), expected)


@each
def test_mixture_gains_nothing(metric, improvement, sources):
    mixture = np.repeat(sources.sum(axis=1)[:, None], 3, axis=1)
    np.testing.assert_array_equal(improvement(sources, mixture, mixture), 0)
    np.testing.assert_array_equal(improvement(sources, sources, sources, permute=True), 0)
    assert np.all(improvement(sources, sources, mixture) == np.inf)
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values = improvement(sources * [1, 0, 1], mixture + sources, mixture)
    np.testing.assert_array_equal(np.isnan(values), [False, True, False])


def test_bad_mixture_is_refused(sources):
    mixture = sources.sum(axis=1)
    for bad in (mixture[:-1], mixture[None], sources[:, :2]):
        with pytest.raises(ValueError, match=r"mixture has shape .*; expected \(..., n_times\)"):
            si_sdr_improvement(sources, sources, bad)
    with pytest.raises(ValueError, match="estimate contains NaN"):
        si_sdr_improvement(sources, sources, mixture * np.nan)
    with pytest.raises(ValueError, match="swap the last two axes"):
        snr_improvement(sources.T, sources.T, mixture)
