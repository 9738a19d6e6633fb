"""Speech for one microphone at 8 kHz: mixtures of talkers to train on, and of others to test with.

Training is on the talkers of ``$ANMF_DATA/speech/train``, at several tempos; tests are with those
of ``$ANMF_DATA/speech/test``, as they are. Where there is no speech, synthetic voices take its
place.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from anmf.audio.waveforms import level_of
from anmf.datasets import load_librispeech, make_voices
from anmf.deep.mixtures import SPEEDS, change_speed, draw_sources, prepare_talkers

RATE, LOWER = 8000, (0.0, 5.0)
"""In Hz; dB by which further talkers are lower than the first."""
KINDS = {"same sex": 2, "different sex": 2, "three talkers": 3}
"""Numbers of talkers."""
N_KEPT = 20
"""Talkers that training leaves out."""
LOW_PITCH, N_VOICES = 165, 6
"""Hz below which synthetic voices count as male; how many there are."""


def real():
    """Whether there is speech, with the table that has the sex of every talker."""
    folder = Path(os.environ.get("ANMF_DATA", ""))
    parts = ("speech/train", "speech/test", "speech_files.csv")
    return "ANMF_DATA" in os.environ and all((folder / part).exists() for part in parts)


def synthetic(seconds, seed):
    """Voices of people who are different for every seed: utterances and sexes by name."""
    made = make_voices(N_VOICES, seconds, sample_rate=RATE, random_state=seed)
    names = [f"voice {i}" for i in range(N_VOICES)]
    utterances = {name: [x] for name, x in zip(names, made.waveforms.T, strict=True)}
    sexes = dict(zip(names, np.where(made.f0 < LOW_PITCH, "M", "F"), strict=True))
    return Bunch(utterances=utterances, sexes=sexes)


def unheard_speech(seconds):
    """Talkers to test with.

    Parameters
    ----------
    seconds : float
        Shorter utterances are left out.

    Returns
    -------
    Bunch
        utterances : dict of str to list of ndarray (n_times,)
            By talker, at 8 kHz.
        sexes : dict of str to str
            'F' or 'M'.
    """
    if not real():
        return synthetic(2 * seconds, 1)
    folder = Path(os.environ["ANMF_DATA"])
    speech = load_librispeech(folder / "speech", "test", min_seconds=seconds)
    utterances = {name: [] for name in np.unique(speech.speakers)}
    for name, x in zip(speech.speakers, speech.clips, strict=True):
        utterances[name].append(change_speed(x, speech.sample_rate, RATE))
    table = pd.read_csv(folder / "speech_files.csv", dtype=str)
    table = table[(table["root"] == "speech") & (table["split"] == "test")]
    sexes = table.drop_duplicates("speaker").set_index("speaker")["sex"]
    return Bunch(utterances=utterances, sexes={name: sexes[name] for name in utterances})


def training_sources(n_mixtures, seconds, seed, **speech):
    """Sources of mixtures of two talkers to train on, as `anmf.deep` wants them.

    The last `N_KEPT` talkers are kept out of it: settings were chosen on mixtures of theirs.

    Parameters
    ----------
    n_mixtures : int
    seconds : float
    seed : int
    **speech
        Of `load_librispeech`, for less of it.

    Returns
    -------
    list of ndarray (n_times, 2)
    """
    if real():
        found = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "train", **speech)
        known = np.isin(found.speakers, np.unique(found.speakers)[:-N_KEPT])
        clips = [x for x, kept in zip(found.clips, known, strict=True) if kept]
        names, rate = found.speakers[known], found.sample_rate
    else:
        voices = synthetic(2 * seconds, 0).utterances
        clips, names, rate = [x for (x,) in voices.values()], list(voices), RATE
    talkers = prepare_talkers(clips, names, rate, to_rate=RATE, speeds=SPEEDS)
    rng, n_times = np.random.default_rng(seed), round(seconds * RATE)
    drawn = draw_sources(talkers, n_mixtures, n_times, rng, level_range=LOWER)
    return [sources.T for sources in drawn]


def unheard_mixture(speech, kind, seconds, seed):
    """Sources (n_times, n_sources) of one mixture, a sum.

    Parameters
    ----------
    speech : Bunch
        Of `unheard_speech`.
    kind : str
        A name of `KINDS`.
    seconds : float
    seed : int

    Returns
    -------
    talkers : list of str
    sources : ndarray (n_times, n_sources)
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    names, n_sexes = sorted(speech.utterances), {"same sex": 1, "different sex": 2}.get(kind)
    chosen = None
    while chosen is None or n_sexes not in (None, len({speech.sexes[name] for name in chosen})):
        chosen = [names[i] for i in rng.permutation(len(names))[: KINDS[kind]]]
    n_times, sources = round(seconds * RATE), []
    for k, name in enumerate(chosen):
        clips = speech.utterances[name]
        x = clips[rng.integers(len(clips))]
        start = rng.integers(len(x) - n_times + 1)
        x = x[start : start + n_times]
        lower = rng.uniform(*LOWER) if k else 0.0
        sources.append(x * 10 ** (-lower / 20) / level_of(x))
    return chosen, np.stack(sources, axis=1)
