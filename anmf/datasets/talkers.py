"""Several talkers at once, from recordings of each."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from anmf._core.arrays import random_generator
from anmf._core.checks import check_choice, check_count
from anmf._core.types import RandomState
from anmf.datasets._waveforms import check_clips, rms, waveform

MODES = {"min": min, "max": max}
"""Length of a mixture, from the lengths of its clips."""

WIDEST = 100
"""Level in dB beyond which a talker is no longer a part of what is heard."""


def make_speech_mixtures(
    clips: Sequence[np.ndarray],
    speakers: ArrayLike | None = None,
    *,
    n_talkers: int = 2,
    n_mixtures: int = 100,
    snr_range: tuple[float, float] = (-5, 5),
    mode: str = "min",
    random_state: RandomState = None,
    verbose: int = 0,
) -> Bunch:
    """Several talkers at once, at levels drawn at random, with the part of each.

    Each mixture has clips of `n_talkers` different speakers, drawn at random. The level of a
    talker is the root mean square of the clip where it lasts; that of the first is 0 dB, and those
    of the others are drawn uniformly from `snr_range`. All parts are then scaled so that their
    peaks sum to one: no mixture clips.

    Parameters
    ----------
    clips : sequence of ndarray of shape (n_times,)
        Mono waveforms of one sample rate; a list, or the clips of `load_librispeech`, of which
        only those drawn are read.
    speakers : sequence (n_clips,) or None, default None
        Who speaks in each clip: strings or integers. When not given, each clip is another speaker.
    n_talkers : int, default 2
        From 2 to the number of speakers.
    n_mixtures : int, default 100
        How many to make, at least 1.
    snr_range : (float, float), default (-5, 5)
        Lowest and highest level of the other talkers over the first, in dB.
    mode : {'min', 'max'}, default 'min'
        ``'min'`` cuts the clips of a mixture to the shortest, ``'max'`` appends zeros up to the
        longest.
    random_state : int, Generator, RandomState or None, default None
        Seed of the draw of talkers, clips and levels.
    verbose : int, default 0
        Above 0, a progress bar.

    Returns
    -------
    sklearn.utils.Bunch
        mixtures : list of ndarray of shape (n_times,)
            ``parts[i].sum(axis=1)``, exactly.
        parts : list of ndarray of shape (n_times, n_talkers)
            float32 where the clips are, computed in double precision.
        talkers : ndarray of shape (n_mixtures, n_talkers)
            Their speakers.
        clip_index : ndarray of int, shape (n_mixtures, n_talkers)
            Their clips.
        levels : ndarray of shape (n_mixtures, n_talkers)
            In dB over the first talker.

    Raises
    ------
    ValueError
        For sequences that are empty or of different lengths, fewer speakers than talkers, clips
        that aren't finite mono waveforms of floats or are silent where they are used, or options
        out of range.

    References
    ----------
    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (the modes, and levels within ±5 dB).

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.datasets import make_speech_mixtures, make_voices
    >>> voices = make_voices(3, 1.0, random_state=0).waveforms
    >>> data = make_speech_mixtures(list(voices.T), n_mixtures=4, random_state=0)
    >>> data.parts[0].shape, data.talkers.shape
    ((16000, 2), (4, 2))
    >>> bool(np.all(data.mixtures[0] == data.parts[0].sum(axis=1)))
    True
    """
    check_clips("clips", clips)
    check_count("n_mixtures", n_mixtures)
    check_choice("mode", mode, MODES)
    low, high = _check_range(snr_range)
    ids, clips_of = _clips_of_speakers(speakers, len(clips))
    check_count("n_talkers", n_talkers, minimum=2)
    if n_talkers > len(ids):
        raise ValueError(
            f"n_talkers={n_talkers} must be at most the number of different speakers ({len(ids)})"
        )
    rng = random_generator(random_state)
    who = np.empty((n_mixtures, n_talkers), dtype=np.int64)
    which, levels = np.empty_like(who), np.zeros((n_mixtures, n_talkers))
    parts = []
    for i in tqdm(range(n_mixtures), desc="mix", disable=not verbose, leave=False):
        who[i] = rng.choice(len(ids), size=n_talkers, replace=False)
        which[i] = [rng.choice(clips_of[speaker]) for speaker in who[i]]
        levels[i, 1:] = rng.uniform(low, high, n_talkers - 1)
        parts.append(_talk(clips, which[i].tolist(), levels[i], mode))
    return Bunch(
        mixtures=[part.sum(axis=1) for part in parts],
        parts=parts,
        talkers=ids[who],
        clip_index=which,
        levels=levels,
    )


def _check_range(snr_range):
    """Lowest and highest level in dB."""
    pair = tuple(snr_range) if np.iterable(snr_range) else ()
    numbers = all(isinstance(v, Real) and abs(v) <= WIDEST for v in pair)
    if len(pair) != 2 or not numbers or pair[0] > pair[1]:
        raise ValueError(
            f"snr_range={snr_range!r} must be two levels in dB, the lower one first, within "
            f"±{WIDEST}, as (-5, 5)"
        )
    return pair


def _clips_of_speakers(speakers, n_clips):
    """Ids of the speakers in order (n_speakers,), and the indices of the clips of each."""
    if speakers is None:
        speakers = np.arange(n_clips)
    speakers = np.asarray(speakers)
    if speakers.shape != (n_clips,) or speakers.dtype.kind not in "iuUSO":
        raise ValueError(
            f"speakers has shape {speakers.shape} and dtype {speakers.dtype}; expected a string or "
            f"an integer for each of the {n_clips} clips"
        )
    ids, numbers = np.unique(speakers, return_inverse=True)
    return ids, [np.flatnonzero(numbers == k) for k in range(len(ids))]


def _talk(clips, which, levels, mode):
    """Parts (n_times, n_talkers) of one mixture, whose peaks sum to one."""
    found = [waveform(f"clips[{k}]", clips[k]) for k in which]
    n_times = MODES[mode](len(x) for x in found)
    dtype = np.result_type(np.float32, *(x.dtype for x in found))
    parts = np.zeros((n_times, len(found)))
    for column, (k, x, level) in enumerate(zip(which, found, levels, strict=True)):
        x = x[:n_times].astype(np.float64)
        if not np.any(x):
            raise ValueError(
                f"clips[{k}] is silent in its first {n_times} samples, all that mode={mode!r} "
                "takes of it; use mode='max', or leave it out"
            )
        parts[: len(x), column] = x * (10 ** (level / 20) / rms(x))
    parts /= np.abs(parts).max(axis=0).sum()
    return parts.astype(dtype, copy=False)
