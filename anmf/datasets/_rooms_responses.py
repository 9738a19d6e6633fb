"""How sound travels from sources to microphones: rooms drawn at random and their responses."""

from contextlib import contextmanager
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len

from anmf._core.optional import require

SPEED = 343.0
"""Of sound, in m/s."""

LEAD = 40
"""Samples before and after a pulse that interpolate between samples; all responses begin so much
later, so that no pulse is cut off."""

ROOM = ((5.0, 8.0), (4.5, 7.0), (2.7, 3.5))
"""Lowest and highest length, width and height in m."""

DISTANCE = (1.0, 1.6)
"""Lowest and highest distance of a source from the middle of the microphones in m."""

TURNS = 50
"""How often the array is turned, at most, to tell sources apart."""

N_WAVES = 64
"""Plane waves that make the tail of a response."""


class Scene(NamedTuple):
    """A room with what stands in it, in m: rows are x, y and z from a corner of the floor."""

    room: np.ndarray  # (3,)
    microphones: np.ndarray  # (n_channels, 3)
    sources: np.ndarray  # (n_sources, 3)


def draw_scene(n_sources, n_channels, radius, rng):
    """A shoebox room, a level circle of microphones near its middle, sources around it.

    Sources stand at even angles, each moved by up to a quarter of the angle between two. Two
    microphones hear no difference between places that mirror each other in their line: the circle
    is turned until the difference of the ways to them tells all sources apart by half of what it
    would if they were spread evenly over its range, or as often as `TURNS` says.

    Parameters
    ----------
    n_sources, n_channels : int
    radius : float
        Of the circle of microphones in m.
    rng : Generator

    Returns
    -------
    Scene
    """
    room = rng.uniform(*np.transpose(ROOM))
    middle = np.append(room[:2] / 2 + rng.uniform(-0.3, 0.3, 2), rng.uniform(1.1, 1.5))
    moved = np.arange(n_sources) + rng.uniform(-0.25, 0.25, n_sources)
    angles = rng.uniform() + rng.permutation(moved) / n_sources
    distance, up = rng.uniform(*DISTANCE, n_sources), rng.uniform(-0.2, 0.4, n_sources)
    sources = middle + _around(angles, np.sqrt(distance**2 - up**2), up)
    for _ in range(TURNS):
        turned = rng.uniform() + np.arange(n_channels) / n_channels
        microphones = middle + _around(turned, radius, 0.0)
        if _told_apart(sources, microphones) * max(n_sources - 1, 1) >= 2 * radius:
            break
    return Scene(room, microphones, sources)


def _around(turns, radius, up):
    """Points (n, 3) around the origin: angles in turns, distance from the vertical, height."""
    angle = 2 * np.pi * turns
    return np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), up), axis=1)


def _told_apart(sources, microphones):
    """Least difference, in m, that two sources make in the ways to two microphones."""
    way = np.linalg.norm(sources[:, None] - microphones, axis=-1)
    if min(way.shape) < 2:
        return np.inf  # nothing to tell apart, or nothing that could
    apart = [np.ptp(way[i] - way[j]) for i, j in combinations(range(len(way)), 2)]
    return float(min(apart))


def image_source(scene, rt60, sample_rate, rng):
    """Responses of a room whose walls mirror its sources, computed by pyroomacoustics.

    Absorption and order of the images follow from `rt60` by Sabine's formula. Nothing is drawn
    from `rng`.

    Parameters
    ----------
    scene : Scene
    rt60 : float
        In s.
    sample_rate : int
        In Hz.
    rng : Generator

    Returns
    -------
    ndarray (n_sources, n_channels, n_taps)

    References
    ----------
    Allen and Berkley, "Image method for efficiently simulating small-room acoustics", J. Acoust.
    Soc. Am. 65, 1979.
    """
    pra = require("pyroomacoustics", "rooms")
    with _settings(pra.constants, c=SPEED, frac_delay_length=2 * LEAD + 1, num_threads=1):
        absorption, order = pra.inverse_sabine(rt60, scene.room)
        walls = pra.Material(absorption)
        room = pra.ShoeBox(scene.room, fs=sample_rate, materials=walls, max_order=order)
        for source in scene.sources:
            room.add_source(source)
        room.add_microphone_array(scene.microphones.T)
        room.compute_rir()
    responses = np.zeros((len(scene.sources), len(scene.microphones), _n_taps(rt60, sample_rate)))
    for channel, row in enumerate(room.rir):
        for source, found in enumerate(row):
            kept = found[: responses.shape[-1]]
            responses[source, channel, : len(kept)] = kept
    return responses


@contextmanager
def _settings(constants, **wanted):
    """Hold constants of pyroomacoustics: the order in which threads add up shows in its results."""
    before = {name: constants.get(name) for name in wanted}
    try:
        for name, value in wanted.items():
            constants.set(name, value)
        yield
    finally:
        for name, value in before.items():
            constants.set(name, value)


def decaying_noise(scene, rt60, sample_rate, rng):
    """Responses made of direct sound, six reflections and a diffuse tail that decays.

    The direct sound, and its reflection in each of the six walls, are pulses that arrive after r/c
    with the gain 1/r, where r is the way to the microphone. The tail is Gaussian noise of the
    variance 4π c/V per second, which is the energy that all mirrored sources of a room of volume V
    bring together; it begins when such a room has brought seven. Of reflections and tail alike,
    walls leave the energy 10^(−6 t/rt60) at the time t after the sound was made. The noise comes in
    plane waves of directions drawn at random, hence correlates between microphones near each other
    as a diffuse field does, by sin(x)/x with x = 2π f d/c at the distance d.

    Parameters
    ----------
    scene : Scene
    rt60 : float
        In s.
    sample_rate : int
        In Hz.
    rng : Generator

    Returns
    -------
    ndarray (n_sources, n_channels, n_taps)

    References
    ----------
    Polack, "La transmission de l'énergie sonore dans les salles", thesis, Université du Maine,
    1988 (decaying noise). Habets, Cohen and Gannot, "Generating nonstationary multisensor signals
    under a spatial coherence constraint", J. Acoust. Soc. Am. 124, 2008 (diffuse noise).
    """
    n_taps = _n_taps(rt60, sample_rate)
    images = _mirrored(scene)
    way = np.linalg.norm(images[:, :, None] - scene.microphones, axis=-1)
    gain = 10 ** (-3 * way / (SPEED * rt60)) / way
    gain[0] = 1 / way[0]
    responses = _pulses(way * (sample_rate / SPEED) + LEAD, gain, n_taps)
    time = (np.arange(n_taps) - LEAD) / sample_rate
    volume = np.prod(scene.room)
    begin = np.cbrt(len(images) * volume * 3 / (4 * np.pi)) / SPEED
    variance = 4 * np.pi * SPEED / volume / sample_rate * 10 ** (-6 * time / rt60)
    level = np.where(time >= begin, np.sqrt(variance), 0.0)
    return responses + level * _diffuse(scene, n_taps, sample_rate, rng)


def _n_taps(rt60, sample_rate):
    """Taps until the energy has fallen by 60 dB and the first reflections are over."""
    longest = 2 * max(high for _, high in ROOM) / SPEED
    return int(np.ceil(max(rt60, longest) * sample_rate)) + 2 * LEAD


def _mirrored(scene):
    """The sources and their mirror images in the six walls, (7, n_sources, 3)."""
    images = np.repeat(scene.sources[None], 7, axis=0)
    for axis in range(3):
        images[1 + axis, :, axis] *= -1
        images[4 + axis, :, axis] = 2 * scene.room[axis] - scene.sources[:, axis]
    return images


def _pulses(delays, gains, n_taps):
    """Sum of band-limited pulses at fractions of samples.

    Each is a sinc under a Hann window of 2 · LEAD samples around its delay.

    Parameters
    ----------
    delays : ndarray (n_pulses, n_sources, n_channels)
        In samples.
    gains : ndarray (n_pulses, n_sources, n_channels)
    n_taps : int

    Returns
    -------
    ndarray (n_sources, n_channels, n_taps)
    """
    taps = np.floor(delays).astype(int)[..., None] + np.arange(1 - LEAD, LEAD + 1)
    away = taps - delays[..., None]
    values = gains[..., None] * np.sinc(away) * np.cos(np.pi * away / (2 * LEAD)) ** 2
    out = np.zeros((*delays.shape[1:], n_taps))
    source, channel = np.indices(delays.shape[1:])[..., None]
    for tap, value in zip(taps, values, strict=True):
        out[source, channel, tap] += value  # the taps of one pulse differ
    return out


def _diffuse(scene, n_taps, sample_rate, rng):
    """Noise of unit variance out of all directions, (n_sources, n_channels, n_taps)."""
    directions = rng.standard_normal((N_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    delays = (scene.microphones - scene.microphones.mean(axis=0)) @ directions.T / SPEED
    n_fft = next_fast_len(n_taps, real=True)
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    field = np.zeros((len(scene.sources), len(delays), len(frequencies)), dtype=complex)
    for delay in delays.T:
        wave = rng.standard_normal((len(scene.sources), len(frequencies), 2)) @ [1, 1j]
        field += wave[:, None] * np.exp(-2j * np.pi * delay[:, None] * frequencies)
    return irfft(field * np.sqrt(n_fft / (2 * N_WAVES)), n_fft)[..., :n_taps]
