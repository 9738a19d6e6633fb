"""Synthetic noises: small stand-ins for recorded ones, made on the spot."""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve

from anmf._core.arrays import random_generator
from anmf._core.checks import check_choice
from anmf._core.types import RandomState
from anmf.datasets.voices import check_sound, make_voices

PEAK = 0.9
"""Largest magnitude of a noise."""

N_TALKERS = 8
"""Voices in babble."""


def make_noise(
    seconds: float,
    kind: str = "pink",
    *,
    sample_rate: int = 16000,
    random_state: RandomState = None,
) -> np.ndarray:
    """Noise of a kind that speech meets.

    Parameters
    ----------
    seconds : float
        At least 0.1.
    kind : {'babble', 'bursts', 'hum', 'pink', 'rain'}, default 'pink'
        ``'babble'``: eight voices of `make_voices` at once. ``'bursts'``: knocks and clatter,
        several a second, between silences. ``'hum'``: mains or a motor, a fundamental near 50 or
        60 Hz and its harmonics, and a faint hiss. ``'pink'``: steady noise that falls by 3 dB an
        octave. ``'rain'``: many drops a second over a hiss that swells and fades.
    sample_rate : int, default 16000
        In Hz, at least 4000.
    random_state : int, Generator, RandomState or None, default None
        Seed of the noise.

    Returns
    -------
    ndarray of shape (n_times,)
        float32, with a peak of 0.9.

    Raises
    ------
    ValueError
        For an unknown kind or numbers out of range.

    Examples
    --------
    >>> from anmf.datasets import make_noise
    >>> rain = make_noise(2.0, "rain", random_state=0)
    >>> rain.shape, rain.dtype.name, round(float(abs(rain).max()), 3)
    ((32000,), 'float32', 0.9)
    """
    check_choice("kind", kind, NOISES)
    check_sound(seconds, sample_rate)
    n_times = round(seconds * sample_rate)
    noise = NOISES[kind](n_times, sample_rate, random_generator(random_state))
    return (noise * (PEAK / np.abs(noise).max())).astype(np.float32)


def _shaped(n_times, sample_rate, gain, rng):
    """White noise (n_times,) whose spectrum is multiplied by ``gain(frequency in Hz)``."""
    frequency = np.fft.rfftfreq(n_times, 1 / sample_rate)
    spectrum = np.fft.rfft(rng.standard_normal(n_times)) * gain(np.maximum(frequency, 1.0))
    return np.fft.irfft(spectrum, n_times)


def _swell(n_times, sample_rate, seconds, depth, rng):
    """Slowly changing level (n_times,), about 1, with changes that take `seconds`."""
    step = 0.01
    n_steps = int(n_times / sample_rate / step) + 2
    slow = gaussian_filter1d(rng.standard_normal(n_steps), seconds / step)
    slow *= np.sqrt(2 * np.sqrt(np.pi) * seconds / step)  # of unit variance again
    return np.exp(
        depth * np.interp(np.arange(n_times) / (step * sample_rate), range(n_steps), slow)
    )


def _pink(n_times, sample_rate, rng):
    return _shaped(n_times, sample_rate, lambda f: (f > 20) / np.sqrt(f), rng)


def _hum(n_times, sample_rate, rng):
    """Harmonics with random phases, odd ones stronger; the pitch wanders by a few per mille."""
    f0 = rng.choice([50.0, 60.0]) * rng.uniform(0.98, 1.02)
    drift = 1 + 0.01 * np.log(_swell(n_times, sample_rate, 0.5, 0.3, rng))
    phase = 2 * np.pi * np.cumsum(f0 * drift) / sample_rate
    orders = np.arange(1, int(min(4000.0, 0.45 * sample_rate) / f0))
    gains = orders**-1.2 * np.where(orders % 2, 1.0, 0.4) * rng.uniform(0.3, 1.0, len(orders))
    out = np.zeros(n_times)
    for order, gain in zip(orders, gains, strict=True):
        out += gain * np.cos(order * phase + rng.uniform(0, 2 * np.pi))
    hiss = _pink(n_times, sample_rate, rng)
    out *= _swell(n_times, sample_rate, 0.3, 0.15, rng)
    return out + 0.03 * out.std() / hiss.std() * hiss


def _rain(n_times, sample_rate, rng):
    """Drops: short knocks of random strength at random times, over a hiss."""
    drops = rng.poisson(400 / sample_rate, n_times) * rng.lognormal(0.0, 0.6, n_times)
    time = np.arange(int(0.02 * sample_rate)) / sample_rate
    drop = np.exp(-time / 0.0015) * rng.standard_normal(len(time))
    patter = fftconvolve(drops * rng.choice([-1.0, 1.0], n_times), drop)[:n_times]
    hiss = _shaped(
        n_times, sample_rate, lambda f: f / (f + 600) / (1 + (f / 4000) ** 2) ** 0.5, rng
    )
    hiss *= _swell(n_times, sample_rate, 0.6, 0.25, rng)
    return patter / (patter.std() + 1e-12) + 1.2 * hiss / hiss.std()


def _bursts(n_times, sample_rate, rng):
    """Knocks: three damped resonances and a click of noise each, about four a second."""
    out = np.zeros(n_times)
    for start in rng.integers(n_times, size=1 + rng.poisson(4 * n_times / sample_rate)):
        time = np.arange(min(n_times - start, int(0.4 * sample_rate))) / sample_rate
        decay = rng.uniform(0.01, 0.07)
        tones = rng.uniform(150, 0.3 * sample_rate, 3) * [0.25, 0.5, 1.0]
        knock = np.sin(2 * np.pi * tones[:, None] * time).T @ rng.uniform(0.2, 1.0, 3)
        knock += rng.standard_normal(len(time)) * np.exp(-time / 0.004)
        out[start : start + len(time)] += rng.lognormal(0, 0.5) * knock * np.exp(-time / decay)
    # Room noise far below the knocks: recordings are never digitally silent.
    return out + 1e-3 * rng.standard_normal(n_times)


def _babble(n_times, sample_rate, rng):
    """Voices from the middle of what they say: at the ends, all of them pause."""
    seconds = n_times / sample_rate + 2.0
    voices = make_voices(N_TALKERS, seconds, sample_rate=sample_rate, random_state=rng)
    together = voices.waveforms.sum(axis=1, dtype=np.float64)
    return together[sample_rate : sample_rate + n_times]


NOISES = {"babble": _babble, "bursts": _bursts, "hum": _hum, "pink": _pink, "rain": _rain}
"""Kinds of noise: functions of the number of samples, the sample rate in Hz and a Generator."""
