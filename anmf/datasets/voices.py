"""Synthetic voices: speech-like sound of several talkers, made on the spot."""

from numbers import Integral

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly
from sklearn.utils import Bunch

from anmf._core.arrays import random_generator
from anmf._core.checks import check_count, check_real
from anmf._core.types import RandomState
from anmf.datasets._score import HIGHEST, LOWEST, draw_script, draw_speakers

FRAME = 0.005
"""Seconds between two settings of the vocal tract."""

HISS = 4.0
"""Level of the noise of consonants beside that of the glottis."""

BLOCK = 256
"""Settings of the vocal tract that are worked on at once, which bounds the memory taken."""

OVERSAMPLING = 4
"""The glottis closes abruptly: its pulses are drawn at this many times the rate, then band-limited,
so that no partial is folded back."""


def make_voices(
    n_voices: int = 2,
    seconds: float = 5.0,
    *,
    sample_rate: int = 16000,
    random_state: RandomState = None,
) -> Bunch:
    """Voices that talk gibberish at the same time: the offline stand-in for recorded speech.

    Each voice is a source and a filter: glottal pulses with a melody, vibrato, jitter and shimmer,
    and breath, go through resonances that glide from vowel to vowel; consonants add hisses, bursts
    and hums, and phrases end in pauses. Voices differ in the range of their fundamental, the length
    of the vocal tract (both spread over their ranges, so no two are alike), the vowels' colours,
    pace and timbre.

    Parameters
    ----------
    n_voices : int, default 2
        How many people talk, at least 1.
    seconds : float, default 5.0
        At least 0.1.
    sample_rate : int, default 16000
        In Hz, at least 4000.
    random_state : int, Generator, RandomState or None, default None
        Seed of speakers and of what they say.

    Returns
    -------
    sklearn.utils.Bunch
        waveforms : ndarray of shape (n_times, n_voices)
            One voice a column, all of the same energy; float32. Their peaks sum to one, so their
            sum over voices, the mixture, doesn't clip.
        sample_rate : int
            In Hz.
        f0 : ndarray of shape (n_voices,)
            Mean fundamental frequency of the voiced sounds of each voice, in Hz; always within 90
            to 260.
        activity : ndarray of bool, shape (n_times, n_voices)
            False in the pauses between phrases, 19 to 27 % of the time.
        tract_scale : ndarray of shape (n_voices,)
            Factor of the resonances of each voice over those of an average man.

    Raises
    ------
    ValueError
        For numbers out of range.

    References
    ----------
    Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 1980.
    Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels", J. Acoust. Soc.
    Am. 49, 1971 (the pulse).

    Examples
    --------
    >>> from anmf.datasets import make_voices
    >>> voices = make_voices(2, 3.0, random_state=0)
    >>> voices.waveforms.shape, voices.waveforms.dtype.name, voices.f0.round()
    ((48000, 2), 'float32', array([...]))
    >>> mixture = voices.waveforms.sum(axis=1)
    >>> bool(abs(mixture).max() <= 1)
    True
    """
    check_count("n_voices", n_voices)
    check_sound(seconds, sample_rate)
    rng = random_generator(random_state)
    n_times = round(seconds * sample_rate)
    speakers = draw_speakers(n_voices, rng)
    talks = [_talk(speaker, n_times, sample_rate, rng) for speaker in speakers]
    waveforms = np.stack([talk[0] / np.linalg.norm(talk[0]) for talk in talks], axis=1)
    waveforms /= np.abs(waveforms).max(axis=0).sum() * (1 + 1e-6)
    return Bunch(
        waveforms=waveforms.astype(np.float32),
        sample_rate=int(sample_rate),
        f0=np.asarray([talk[1] for talk in talks]),
        activity=np.stack([talk[2] for talk in talks], axis=1),
        tract_scale=np.asarray([speaker.scale for speaker in speakers]),
    )


def check_sound(seconds, sample_rate):
    """Raise unless a sound of that length and rate can be made."""
    check_real("seconds", seconds, minimum=0.1)
    whole = isinstance(sample_rate, Integral) and not isinstance(sample_rate, bool)
    if not whole or sample_rate < 4000:
        raise ValueError(
            f"sample_rate={sample_rate!r} must be an integer of at least 4000 Hz, as 16000"
        )


def _talk(speaker, n_times, sample_rate, rng):
    """One voice: waveform (n_times,), mean fundamental in Hz, where it doesn't pause (n_times,)."""
    hop = round(FRAME * sample_rate)
    sounds, pitch, paused = draw_script(speaker, n_times / sample_rate, rng)
    n_frames = n_times // hop + 2
    frame_of = _sound_of_frame(sounds, n_frames, hop / sample_rate)
    voice, hiss, breath, centre = (
        np.asarray([sound[field] for sound in sounds])[frame_of] for field in range(1, 5)
    )
    resonances = np.asarray([sound.resonances for sound in sounds])[frame_of]
    f0 = _fundamental(speaker, pitch[frame_of], rng)
    voice, hiss, breath = (gaussian_filter1d(x, 1.6, axis=0) for x in (voice, hiss, breath))
    time = np.arange(n_times) / hop
    at = lambda track: np.interp(time, np.arange(n_frames), track)  # noqa: E731
    pulses = _glottis(speaker, f0, n_times, sample_rate, rng)
    breath = at(breath + speaker.breath * voice) + 2e-4
    excitation = at(voice) * pulses + breath * rng.standard_normal(n_times)
    tract = _tract(speaker, gaussian_filter1d(resonances, 4.0, axis=0), sample_rate)
    out = _filter(excitation, tract, hop, sample_rate)
    noise = at(hiss) * rng.standard_normal(n_times)
    out += HISS * _filter(noise, _mouth(speaker, centre, sample_rate), hop, sample_rate, band=True)
    active = ~paused[frame_of][np.minimum(time.astype(int), n_frames - 1)]
    voiced = voice > 0.1
    return out, float(f0[voiced].mean() if voiced.any() else f0.mean()), active


def _sound_of_frame(sounds, n_frames, step):
    """Index of the sound that each frame lies in, (n_frames,)."""
    ends = np.cumsum([sound.seconds for sound in sounds])
    found = np.searchsorted(ends, np.arange(n_frames) * step, side="right")
    return np.minimum(found, len(sounds) - 1)


def _fundamental(speaker, pitch, rng):
    """Fundamental frequency of each frame in Hz: melody, vibrato, drift, jitter."""
    n_frames = len(pitch)
    melody = gaussian_filter1d(pitch, 9.0)
    drift = gaussian_filter1d(rng.standard_normal(n_frames), 40.0) * 4
    cycles = np.cumsum(rng.uniform(4.5, 6.5) * FRAME * (1 + 0.1 * rng.standard_normal(n_frames)))
    vibrato = 0.25 * np.sin(2 * np.pi * cycles)
    jitter = 0.12 * rng.standard_normal(n_frames)
    semitones = melody + drift + vibrato + jitter
    return np.clip(speaker.f0 * 2 ** (semitones / 12), LOWEST, HIGHEST)


def _glottis(speaker, f0, n_times, sample_rate, rng):
    """Derivative of the flow through the glottis, (n_times,): Rosenberg's pulses.

    In a cycle of phase u, the glottis opens as 1 − cos(π u / a) until u = a, closes as
    cos(π (u − a) / 2b) until u = a + b, and stays closed.
    """
    rate, n_fine = sample_rate * OVERSAMPLING, n_times * OVERSAMPLING
    hop = round(FRAME * sample_rate) * OVERSAMPLING
    track = np.interp(np.arange(n_fine) / hop, np.arange(len(f0)), f0)
    phase = np.cumsum(track) / rate
    cycle = phase.astype(np.int64)
    u = phase - cycle
    opening = 0.8 * speaker.openness
    closing = speaker.openness - opening
    rise = np.sin(np.pi * u / opening) * (np.pi / opening / 2)
    fall = np.sin(np.pi * (u - opening) / (2 * closing)) * (-np.pi / (2 * closing))
    pulses = np.where(u < opening, rise, np.where(u < speaker.openness, fall, 0.0))
    shimmer = 1 + 0.06 * rng.standard_normal(cycle[-1] + 1)
    pulses *= shimmer[cycle] / 5
    return resample_poly(pulses, 1, OVERSAMPLING)


def _tract(speaker, resonances, sample_rate):
    """Centres and bandwidths in Hz of all resonances, (n_frames, n_resonances, 2).

    Above the three that vowels set, a tube has one every 1000 Hz; the speaker's tilt of the glottis
    is one more, at 0 Hz.
    """
    higher = np.arange(3500.0, 0.46 * sample_rate / speaker.scale, 1000.0)
    upper = np.broadcast_to(higher, (len(resonances), len(higher)))
    centres = speaker.scale * np.concatenate([resonances, upper], axis=1)
    centres = np.minimum(centres, 0.46 * sample_rate)
    widths = 50 + 0.05 * centres
    tilt = np.broadcast_to([0.0, speaker.tilt], (len(resonances), 1, 2))
    return np.concatenate([np.stack([centres, widths], axis=2), tilt], axis=1)


def _mouth(speaker, centre, sample_rate):
    """Centres and bandwidths in Hz of the noise of consonants, (n_frames, 2, 2)."""
    centre = np.minimum(centre * (0.5 + 0.5 * speaker.scale), 0.42 * sample_rate)
    pair = np.stack([centre * 0.94, centre * 1.06], axis=1)
    return np.stack([pair, 0.3 * pair], axis=2)


def _filter(signal, resonances, hop, sample_rate, band=False):
    """Signal (n_times,) through resonances in series that change from frame to frame.

    Windows of two frames that sum to one cut the signal; each passes the resonances of its middle,
    and the answers, with their tails, are added up.

    Parameters
    ----------
    signal : ndarray (n_times,)
    resonances : ndarray (n_frames, n_resonances, 2)
        Centres and bandwidths in Hz; a centre of 0 makes a real pole.
    hop : int
    sample_rate : int
    band : bool
        Whether to difference the signal twice as well, which leaves a band, of unit gain at most.

    Returns
    -------
    ndarray (n_times,)
    """
    n_frames, n_times = len(resonances), len(signal)
    n_fft = 1 << int(np.ceil(np.log2(2 * hop + 0.04 * sample_rate)))
    padded = np.zeros((n_frames + 1) * hop)
    padded[hop : hop + n_times] = signal
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)) ** 2
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
    n_hops = -(-n_fft // hop)
    out = np.zeros((n_frames + n_hops, hop))
    for first in range(0, n_frames, BLOCK):
        rows = slice(first, first + BLOCK)
        response = _response(resonances[rows], n_fft, sample_rate, band)
        pieces = np.fft.irfft(np.fft.rfft(frames[rows] * window, n_fft) * response, n_fft)
        pieces = np.pad(pieces, ((0, 0), (0, n_hops * hop - n_fft))).reshape(-1, n_hops, hop)
        for k in range(n_hops):
            out[first + k : first + k + len(pieces)] += pieces[:, k]
    return out.reshape(-1)[hop : hop + n_times]


def _response(resonances, n_fft, sample_rate, band):
    """Response (n_frames, n_fft // 2 + 1) of resonances in series, each of unit gain at 0 Hz."""
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    z = z.astype(np.complex64)  # rounding is far below what is heard, and it takes half the time
    inverse = np.ones((len(resonances), len(z)), dtype=np.complex64)
    for centre, width in np.moveaxis(resonances, 0, -1).astype(np.float32):
        radius = np.exp(-np.pi * width / sample_rate)[:, None]
        angle = 2 * np.pi * centre[:, None] / sample_rate
        if not np.any(centre):
            inverse *= (1 - radius * z) / (1 - radius)
            continue
        near, square = 2 * radius * np.cos(angle), radius**2
        inverse *= (1 - near * z + square * z**2) / (1 - near + square)
    if not band:
        return 1 / inverse
    response = (1 - z) ** 2 / inverse
    return response / np.abs(response).max(axis=1, keepdims=True)
