"""The wrappers of perceptual measures: shapes, orders and errors."""

import sys

import array_api_strict
import numpy as np
import pytest

from anmf.metrics import pairwise, permutation_invariant, pesq, stoi

RATE = 16000


@pytest.fixture(scope="module")
def voices():
    """Modulated harmonic tones, (n_times, 2)."""
    t = np.arange(2 * RATE) / RATE
    tones = [
        sum(np.sin(2 * np.pi * k * f0 * t + 3 * np.sin(5 * t)) / k for k in range(1, 20))
        * np.maximum(np.sin(2 * np.pi * rate * t), 0)
        for f0, rate in ((120, 2), (210, 3))
    ]
    return np.stack(tones, axis=1)


@pytest.fixture
def estimate(voices):
    return voices + 0.05 * np.random.default_rng(0).standard_normal(voices.shape)


@pytest.mark.parametrize(("measure", "best"), [(stoi, 1.0), (pesq, 4.5)])
def test_order_of_quality(measure, best, voices, estimate):
    pytest.importorskip("pystoi" if measure is stoi else "pesq")
    perfect, good, poor = (
        measure(voices, x, RATE) for x in (voices, estimate, estimate[:, ::-1] + 0.3 * voices[::-1])
    )
    assert perfect.shape == (2,)
    assert np.all(perfect > 0.99 * best) and np.all(perfect > good) and np.all(good > poor)
    np.testing.assert_allclose(measure(voices[:, 0], estimate[:, 0], RATE), good[0])
    np.testing.assert_allclose(measure(voices.T, estimate.T, RATE, axis=-1), good)
    batch = measure(voices[None], array_api_strict.asarray(estimate[None]), RATE)
    np.testing.assert_allclose(np.asarray(batch), [good])
    table = pairwise(measure, voices, estimate, sample_rate=RATE)
    np.testing.assert_allclose(np.diag(table), good)
    order = permutation_invariant(measure)(voices, voices[:, ::-1], sample_rate=RATE)[1]
    np.testing.assert_array_equal(order, [1, 0])


@pytest.mark.parametrize("measure", [stoi, pesq])
def test_silent_reference(measure, voices, estimate):
    pytest.importorskip("pystoi" if measure is stoi else "pesq")
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values = measure(voices * [0, 1], estimate, RATE)
    np.testing.assert_array_equal(np.isnan(values), [True, False])


def test_options(voices, estimate):
    pytest.importorskip("pystoi")
    assert not np.allclose(stoi(voices, estimate, RATE), stoi(voices, estimate, RATE, extended=1))
    pytest.importorskip("pesq")
    wide, narrow = (pesq(voices, estimate, RATE, band=b) for b in ("wide", "narrow"))
    assert not np.allclose(wide, narrow)
    np.testing.assert_array_equal(pesq(voices, estimate, RATE), wide)


@pytest.mark.parametrize(("measure", "package"), [(stoi, "pystoi"), (pesq, "pesq")])
def test_absent_package_is_named(measure, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} is needed.*pip install 'anmf\[eval\]'"):
        measure(np.ones(9), np.ones(9), RATE)


def test_bad_input_is_refused(voices):
    with pytest.raises(ValueError, match="sample_rate=44100 must be 8000 or 16000"):
        pesq(voices, voices, 44100)
    with pytest.raises(ValueError, match="band='wide' needs sample_rate=16000"):
        pesq(voices, voices, 8000, band="wide")
    with pytest.raises(ValueError, match="band='broad' must be one of"):
        pesq(voices, voices, RATE, band="broad")
    with pytest.raises(ValueError, match="sample_rate=0 must be"):
        stoi(voices, voices, 0)
    pytest.importorskip("pesq")
    with pytest.raises(ValueError, match="too short for PESQ"):
        pesq(voices[:1000], voices[:1000], RATE)
    pytest.importorskip("pystoi")
    with pytest.raises(ValueError, match="same length"):
        stoi(voices, voices[:-1], RATE)
