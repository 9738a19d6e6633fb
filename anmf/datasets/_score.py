"""The script of a synthetic talker: which sounds follow each other, and how high each is."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

VOWELS = np.array(
    [
        [270, 2290, 3010],
        [390, 1990, 2550],
        [530, 1840, 2480],
        [660, 1720, 2410],
        [730, 1090, 2440],
        [570, 840, 2410],
        [440, 1020, 2240],
        [300, 870, 2240],
        [640, 1190, 2390],
        [490, 1350, 1690],
    ],
    dtype=float,
)
"""First three resonances in Hz of ten English vowels, mean of the men measured by Peterson and
Barney, "Control methods used in a study of the vowels", J. Acoust. Soc. Am. 24, 1952."""

HUMS = np.array([[260, 1100, 2200], [260, 1500, 2400], [330, 1250, 2700], [300, 800, 2300]], float)
"""Resonances in Hz of voiced consonants such as m, n, l and w."""

HISSES = (2600.0, 3600.0, 5000.0, 6200.0)
"""Centres in Hz of the noise of consonants such as sh, f and s."""

BURSTS = (1300.0, 2400.0, 3800.0)
"""Centres in Hz of the noise with which p, k and t open."""

HIGHEST, LOWEST = 260.0, 90.0
"""Range of the fundamental frequency in Hz."""


class Sound(NamedTuple):
    """One piece of a syllable.

    Attributes
    ----------
    seconds : float
    voice, hiss, breath : float
        Amplitudes of the glottis, of the noise at the lips and teeth, of the noise at the glottis.
    centre : float
        Of the noise at lips and teeth, in Hz.
    resonances : tuple of float (3,)
        In Hz, for a vocal tract of scale 1.
    """

    seconds: float
    voice: float
    hiss: float
    breath: float
    centre: float
    resonances: tuple


@dataclass(frozen=True)
class Speaker:
    """What makes a voice differ from others.

    Attributes
    ----------
    f0 : float
        Middle of the range of the fundamental frequency, in Hz.
    scale : float
        Of all resonances: above 1 for a vocal tract shorter than an average man's.
    vowels : ndarray (10, 3)
        Own resonances in Hz, before `scale`.
    pace : float
        Length of sounds; above 1 is slower.
    breath : float
        Amplitude of the breath within voiced sounds.
    openness : float
        Share of a cycle in which the glottis is open.
    tilt : float
        Frequency in Hz above which the glottis loses another 6 dB an octave.
    liveliness : float
        Standard deviation of the melody, in semitones.
    """

    f0: float
    scale: float
    vowels: np.ndarray
    pace: float
    breath: float
    openness: float
    tilt: float
    liveliness: float


def draw_speakers(n_voices, rng):
    """Different speakers: fundamental and vocal tract are each spread evenly over their ranges.

    Parameters
    ----------
    n_voices : int
    rng : Generator

    Returns
    -------
    list of Speaker
    """
    places = (np.arange(n_voices) + rng.uniform(0.25, 0.75, n_voices)) / n_voices
    return [_draw_speaker(place, n_voices, rng) for place in rng.permutation(places)]


def _draw_speaker(place, n_voices, rng):
    return Speaker(
        f0=105 * (215 / 105) ** place,
        scale=0.9 + 0.32 * place + rng.uniform(-0.03, 0.03) / n_voices,
        vowels=VOWELS * rng.uniform(0.95, 1.05, VOWELS.shape),
        pace=rng.uniform(0.85, 1.2),
        breath=rng.uniform(0.03, 0.1),
        openness=rng.uniform(0.5, 0.7),
        tilt=rng.uniform(4000, 9000),
        liveliness=rng.uniform(1.0, 2.0),
    )


def draw_script(speaker, seconds, rng):
    """Phrases of syllables with pauses between them, which last `seconds` in all.

    Parameters
    ----------
    speaker : Speaker
    seconds : float
    rng : Generator

    Returns
    -------
    sounds : list of Sound (n_sounds,)
    pitch : ndarray (n_sounds,)
        Height over the speaker's middle, in semitones.
    paused : ndarray of bool (n_sounds,)
        Which sounds are pauses between phrases.
    """
    share = rng.uniform(0.19, 0.27)
    phrases, length = _draw_phrases(speaker, (1 - share) * seconds, rng)
    weights = rng.uniform(0.6, 1.4, len(phrases) + 1)
    weights[[0, -1]] *= 0.4
    pauses = share * seconds * weights / weights.sum()
    shrink = (1 - share) * seconds / length
    sounds, pitch, paused = [_pause(pauses[0], VOWELS[8])], [0.0], [True]
    for phrase, seconds_after in zip(phrases, pauses[1:], strict=True):
        heights = _melody(len(phrase), speaker, rng)
        for syllable, height in zip(phrase, heights, strict=True):
            sounds += [sound._replace(seconds=sound.seconds * shrink) for sound in syllable]
            pitch += [height] * len(syllable)
        sounds.append(_pause(seconds_after, sounds[-1].resonances))
        pitch.append(heights[-1])
        paused += [False] * (len(sounds) - 1 - len(paused)) + [True]
    return sounds, np.asarray(pitch), np.asarray(paused)


def _draw_phrases(speaker, seconds, rng):
    """Phrases, each a list of syllables, that last `seconds` or a little more, and their length."""
    phrases, length = [], 0.0
    while length < seconds:
        phrases.append([])
        for _ in range(rng.integers(3, 9)):
            phrases[-1].append(_syllable(speaker, rng))
            length += sum(sound.seconds for sound in phrases[-1][-1])
            if length >= seconds:
                break
    return phrases, length


def _melody(n_syllables, speaker, rng):
    """Heights that fall through a phrase, with accents, in semitones."""
    fall = np.linspace(1.5, -2.0, n_syllables)
    return fall + speaker.liveliness * rng.standard_normal(n_syllables)


def _pause(seconds, resonances):
    return Sound(seconds, 0.0, 0.0, 0.0, HISSES[0], tuple(resonances))


def _syllable(speaker, rng):
    """Sounds of one syllable: perhaps a consonant, a vowel or two that glide, perhaps another."""
    stress = rng.uniform(0.55, 1.0)
    vowel, glide = speaker.vowels[rng.integers(len(VOWELS), size=2)]
    seconds = speaker.pace * rng.uniform(0.07, 0.13) * (0.6 + 0.6 * stress)
    weight = rng.uniform(0.0, 0.6)
    ends = [vowel, (1 - weight) * vowel + weight * glide]
    voiced = [Sound(seconds, stress, 0.0, 0.0, HISSES[0], tuple(end)) for end in ends]
    onset = _consonant(speaker, vowel, rng, (0.12, 0.26, 0.27, 0.27, 0.08))
    coda = _consonant(speaker, ends[1], rng, (0.60, 0.12, 0.10, 0.18, 0.0))
    return [*onset, *voiced, *coda]


def _consonant(speaker, vowel, rng, odds):
    """Sounds of a consonant beside `vowel`: none, a hiss, a stop, a hum or a breath."""
    kind = rng.choice(5, p=odds)
    pace, near = speaker.pace, tuple(vowel * [0.6, 1.0, 1.0] + [0, 0, 80])
    if kind == 1:
        voice = rng.choice([0.0, 0.0, 0.25])
        level = rng.uniform(0.15, 0.5) * (0.5 if voice else 1)
        seconds = pace * rng.uniform(0.05, 0.11)
        return [Sound(seconds, voice, level, 0.0, rng.choice(HISSES), near)]
    if kind == 2:
        closed = Sound(pace * rng.uniform(0.025, 0.05), 0.0, 0.0, 0.0, BURSTS[0], near)
        burst = Sound(0.012, 0.0, rng.uniform(0.4, 0.9), 0.1, rng.choice(BURSTS), near)
        return [closed, burst, Sound(pace * 0.02, 0.0, 0.05, 0.25, burst.centre, near)]
    if kind == 3:
        resonances = tuple(HUMS[rng.integers(len(HUMS))])
        seconds = pace * rng.uniform(0.04, 0.08)
        return [Sound(seconds, rng.uniform(0.3, 0.5), 0.0, 0.0, HISSES[0], resonances)]
    if kind == 4:
        return [Sound(pace * 0.05, 0.05, 0.0, 0.3, HISSES[0], tuple(vowel))]
    return []
