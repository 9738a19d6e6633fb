"""Sources in a room, as microphones record them."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import fftconvolve
from sklearn.utils import Bunch

from anmf._core.arrays import is_array, random_generator, to_host
from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.types import RandomState
from anmf.datasets._rooms_responses import (
    DISTANCE,
    LEAD,
    SPEED,
    decaying_noise,
    draw_scene,
    image_source,
)
from anmf.datasets._waveforms import check_clips, waveform
from anmf.datasets.talkers import MODES

METHODS = {"decaying-noise": decaying_noise, "image-source": image_source}
"""How impulse responses are made: (scene, rt60, sample_rate, rng) -> responses."""

RT60 = {"decaying-noise": (0.05, 10.0), "image-source": (0.15, 1.0)}
"""Shortest and longest reverberation time of a method in s. By Sabine's formula, walls that absorb
everything reverberate for up to 0.15 s; the number of image sources grows with the cube of the
time."""


def simulate_room(
    sources: ArrayLike | Sequence[ArrayLike],
    n_channels: int = 2,
    *,
    rt60: float | tuple[float, float] = 0.25,
    sample_rate: int = 16000,
    noise_level: float | None = None,
    method: str = "decaying-noise",
    mode: str = "min",
    array_radius: float = 0.05,
    random_state: RandomState = None,
) -> Bunch:
    """Sources in a room with reverberation, as several microphones record them.

    A shoebox room of 5 to 8 by 4.5 to 7 by 2.7 to 3.5 m is drawn at random, with a small level
    circle of microphones near its middle and the sources 1 to 1.6 m away from it, at angles that
    are well apart and that the microphones can tell apart. The image of source s at microphone c is
    the source convolved with the impulse response from one to the other, and the mixture is the sum
    of all images (and of noise).

    Parameters
    ----------
    sources : array of shape (n_times, n_sources), or sequence of ndarray of shape (n_times,)
        Dry waveforms of one sample rate, as those of `make_voices`, or a list of clips. They keep
        their levels: scale them to have some louder than others.
    n_channels : int, default 2
        How many microphones, evenly on a circle: two are twice `array_radius` apart.
    rt60 : float or (float, float), default 0.25
        Reverberation time in s, in which the energy falls by 60 dB, or a range that it is drawn
        from uniformly. From 0.05 to 10, or 0.15 to 1 for ``'image-source'``.
    sample_rate : int, default 16000
        In Hz, at least 4000.
    noise_level : float or None, default None
        Mean power of the noise of the microphones in dB over that of the mixture, as -30; white and
        Gaussian, different in each microphone. No noise when not given.
    method : {'decaying-noise', 'image-source'}, default 'decaying-noise'
        How impulse responses are made. ``'decaying-noise'`` adds to the direct sound and the
        first reflection in each wall a diffuse tail of Gaussian noise; reverberation measures
        `rt60` within 5 % from 0.15 s on, and up to 30 % more below. ``'image-source'`` mirrors the
        sources in all walls again and again, the usual simulation; it needs pyroomacoustics, which
        ``pip install 'anmf[rooms]'`` brings. Absorption is Sabine's there: reverberation measures
        0.7 to 1.1 times `rt60` from 0.2 to 0.3 s, less below, and up to 1.4 times above, so that
        short ones leave the mixture easier to separate. A room takes 0.1 s to compute at 0.3 s, and
        some seconds at 1 s.
    mode : {'min', 'max'}, default 'min'
        What to do with clips of different lengths: cut to the shortest, or append zeros up to the
        longest.
    array_radius : float, default 0.05
        Of the circle of microphones in m, from 0.01 to 0.5.
    random_state : int, Generator, RandomState or None, default None
        Seed of the room and of all noise. Both methods draw the same rooms.

    Returns
    -------
    sklearn.utils.Bunch
        mixture : ndarray of shape (n_times, n_channels)
            ``images.sum(axis=1)``, exactly; with noise, ``images.sum(axis=1) + noise``. float32
            where the sources are, as all signals here, computed in double precision.
        images : ndarray of shape (n_times, n_sources, n_channels)
            Every source at every microphone. All signals are scaled by one factor such that, where
            it is loudest, the peaks of images and noise sum to one: no mixture clips.
        noise : ndarray of shape (n_times, n_channels)
            Only where `noise_level` is given.
        impulse_responses : ndarray of shape (n_sources, n_channels, n_taps)
            Scaled as the images, which are the sources convolved with them. The direct sound
            arrives after its way over 343 m/s, and 40 samples more, which it takes to draw a pulse
            between samples.
        sample_rate : int
            In Hz.
        rt60 : float
            Reverberation time asked for, or drawn, in s.
        room : ndarray of shape (3,)
            Length, width and height in m.
        microphones : ndarray of shape (n_channels, 3)
            Positions in m.
        sources : ndarray of shape (n_sources, 3)
            Positions in m.

    Raises
    ------
    ValueError
        For sources that aren't finite waveforms of floats, are silent or too short to reach the
        microphones, or options out of range.
    ImportError
        When ``'image-source'`` finds no pyroomacoustics.

    References
    ----------
    Polack, "La transmission de l'énergie sonore dans les salles", thesis, Université du Maine, 1988
    (decaying noise). Habets, Cohen and Gannot, "Generating nonstationary multisensor signals under
    a spatial coherence constraint", J. Acoust. Soc. Am. 124, 2008 (how the noise of two microphones
    correlates). Allen and Berkley, "Image method for efficiently simulating small-room acoustics",
    J. Acoust. Soc. Am. 65, 1979. Scheibler, Bezzam and Dokmanić, "Pyroomacoustics", ICASSP 2018.

    Examples
    --------
    >>> from anmf.datasets import make_voices, simulate_room
    >>> voices = make_voices(2, 3.0, random_state=0).waveforms
    >>> data = simulate_room(voices, n_channels=2, rt60=0.2, random_state=0)
    >>> data.mixture.shape, data.images.shape, data.impulse_responses.shape
    ((48000, 2), (48000, 2, 2), (2, 2, 3280))
    >>> bool((data.mixture == data.images.sum(axis=1)).all())
    True
    """
    check_count("n_channels", n_channels)
    check_count("sample_rate", sample_rate, minimum=4000)
    check_choice("method", method, METHODS)
    check_choice("mode", mode, MODES)
    check_real("array_radius", array_radius, minimum=0.01, maximum=0.5)
    if noise_level is not None:
        check_real("noise_level", noise_level, minimum=-200, maximum=100)
    shortest, longest = _check_rt60(rt60, method)
    reach = int(np.ceil((DISTANCE[1] + array_radius) / SPEED * sample_rate)) + 2 * LEAD
    dry, dtype = _gather(sources, mode, reach)
    rng = random_generator(random_state)
    drawn = float(rng.uniform(shortest, longest))
    scene = draw_scene(dry.shape[1], n_channels, array_radius, rng)
    responses = METHODS[method](scene, drawn, int(sample_rate), rng)
    signals = _record(dry, responses, noise_level, rng)
    found = {name: x.astype(dtype, copy=False) for name, x in signals.items()}
    mixture = found["images"].sum(axis=1)
    if noise_level is not None:
        mixture = mixture + found["noise"]
    about = {"sample_rate": int(sample_rate), "rt60": drawn, **scene._asdict()}
    return Bunch(mixture=mixture, **found, **about)


def _check_rt60(rt60, method):
    """Shortest and longest reverberation time in s."""
    low, high = RT60.get(method, (0.0, np.inf))
    pair = tuple(rt60) if np.iterable(rt60) and not isinstance(rt60, str) else (rt60, rt60)
    numbers = all(isinstance(v, Real) and not isinstance(v, bool) for v in pair)
    if len(pair) != 2 or not numbers or not low <= pair[0] <= pair[1] <= high:
        other = "; method='decaying-noise' takes 0.05 to 10" if method == "image-source" else ""
        raise ValueError(
            f"rt60={rt60!r} must be a number of seconds from {low} to {high}, as 0.25, or a range "
            f"of them, the lower first, as (0.2, 0.4), for method={method!r}{other}"
        )
    return pair


def _gather(sources, mode, reach):
    """Sources in double precision (n_times, n_sources), and the type of what they make."""
    if is_array(sources) or hasattr(sources, "__array__"):
        columns = to_host(sources)
        if columns.ndim != 2 or columns.shape[0] < columns.shape[1]:
            raise ValueError(
                f"sources has shape {columns.shape}; expected (n_times, n_sources), one source a "
                "column: transpose rows, pass x[:, None] for a single source x, and one channel "
                "of each source that has several"
            )
        if not columns.size:
            raise ValueError(f"sources is empty: shape {columns.shape}; pass a source at least")
        clips = [waveform(f"sources[:, {k}]", x) for k, x in enumerate(columns.T)]
    else:
        check_clips("sources", sources)
        clips = [waveform(f"sources[{k}]", sources[k]) for k in range(len(sources))]
    n_times = MODES[mode](len(x) for x in clips)
    dry = np.zeros((n_times, len(clips)))
    for k, x in enumerate(clips):
        dry[: len(x), k] = x[:n_times]
        if not np.any(dry[: max(n_times - reach, 0), k]):
            raise ValueError(
                f"sources[{k}] is silent until the last {reach} of {n_times} samples, too late to "
                "reach the microphones; pass a longer waveform, or leave it out"
            )
    return dry, np.result_type(np.float32, *(x.dtype for x in clips))


def _record(dry, responses, noise_level, rng):
    """Images, impulse responses and noise, if any, in double precision and at one scale."""
    n_sources, n_channels, _ = responses.shape
    images = np.empty((len(dry), n_sources, n_channels))
    for k, response in enumerate(responses):
        images[:, k] = fftconvolve(dry[:, k, None], response.T, axes=0)[: len(dry)]
    signals = {"images": images, "impulse_responses": responses}
    peaks = np.abs(images).max(axis=0).sum(axis=0)
    if noise_level is not None:
        noise = rng.standard_normal((len(dry), n_channels))
        power = np.mean(images.sum(axis=1) ** 2) * 10 ** (noise_level / 10)
        signals["noise"] = noise * np.sqrt(power / np.mean(noise**2))
        peaks = peaks + np.abs(signals["noise"]).max(axis=0)
    scale = 1 / (peaks.max() * (1 + 1e-6))
    return {name: x * scale for name, x in signals.items()}
