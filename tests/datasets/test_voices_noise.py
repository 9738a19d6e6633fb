"""`make_noise`: kinds of synthetic noise."""

import numpy as np
import pytest
from scipy.signal import welch

from anmf.datasets import make_noise
from anmf.datasets.noises import NOISES


@pytest.mark.parametrize("kind", sorted(NOISES))
@pytest.mark.parametrize(("seconds", "rate"), [(0.1, 4000), (1.0, 16000), (0.77, 22050)])
def test_every_kind(kind, seconds, rate):
    noise = make_noise(seconds, kind, sample_rate=rate, random_state=0)
    assert noise.shape == (round(seconds * rate),)
    assert noise.dtype == np.float32
    assert np.all(np.isfinite(noise))
    assert np.abs(noise).max() == pytest.approx(0.9, rel=1e-6)
    assert np.sqrt(np.mean(noise**2.0)) > 5e-3
    again, other = (make_noise(seconds, kind, sample_rate=rate, random_state=s) for s in (0, 1))
    np.testing.assert_array_equal(noise, again)
    assert not np.allclose(noise, other)


def density(kind):
    return welch(make_noise(10.0, kind, random_state=0), 16000, nperseg=8192)


def test_pink_falls_by_three_decibel_an_octave():
    f, power = density("pink")
    use = (f > 100) & (f < 7000)
    slope = np.polyfit(np.log2(f[use]), 10 * np.log10(power[use]), 1)[0]
    assert slope == pytest.approx(-3, abs=0.2)


def test_hum_has_harmonics():
    f, power = density("hum")
    fundamental = f[np.argmax(power * (f < 75))]
    assert 48 < fundamental < 62
    between = power[np.argmin(np.abs(f - 1.5 * fundamental))]
    assert power[np.argmin(np.abs(f - 3 * fundamental))] > 100 * between


def test_bursts_are_sparse_and_rain_is_not():
    for kind, sparse in [("bursts", True), ("rain", False), ("pink", False)]:
        energy = (make_noise(8.0, kind, random_state=0) ** 2.0).reshape(-1, 320).mean(axis=1)
        assert (np.median(energy) < 0.1 * energy.mean()) == sparse


def test_babble_has_no_long_silence():
    energy = (make_noise(4.0, "babble", random_state=0) ** 2.0).reshape(-1, 1600).mean(axis=1)
    assert energy.min() > 1e-3 * energy.mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wind"}, r"kind='wind' must be one of \['babble', 'bursts', 'hum', 'pink'"),
        ({"seconds": 0}, "seconds=0 must be a number of at least 0.1"),
        ({"sample_rate": 16000.0}, "sample_rate=16000.0 must be an integer of at least 4000"),
        ({"random_state": -1}, "random_state=-1 must be None"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make_noise(**{"seconds": 1.0, **options})
