"""Conversations from sound, embedded with the package's own `SpeakerEmbedder`.

The embedder learns from the speakers in ``$ANMF_DATA/speech/train``. Of every speaker in
``speech/test``, the first half of the recordings gives turns, the second half the reference. Turns
last 2 to 5 seconds; with probability ``overlap`` one begins before the last has ended, by 30 to
100 % of the longer of the two. Background windows are overlapped at level differences up to 5 dB.
"""

import os
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from anmf.datasets import load_librispeech
from anmf.embedding import SpeakerEmbedder
from benchmarks.embedding_data import OVERLAPS, DVectors, Recording, class_means

RATE, SECONDS, TURN = 16000, 48, (2.0, 5.0)
EARLIER, N_OVERLAPPED, LEVELS = (0.3, 1.0), 1000, (-5.0, 5.0)
PER_CELL = 8
"""Conversations of each number of speakers and overlap."""


def sound(n_per_cell=PER_CELL, sizes=(1, 2, 3, 4, 5), seed=0):
    """Embeddings of background and conversations, or None where there is no speech.

    Returns
    -------
    DVectors or None
        Without fully overlapped pairs.
    """
    folder = Path(os.environ.get("ANMF_DATA", ""), "speech")
    if not (folder / "train").is_dir() or not (folder / "test").is_dir():
        print("ANMF_DATA names no folder with speech; nothing is measured from sound")
        return None
    rng = np.random.default_rng(seed)
    train, test = (load_librispeech(folder, split) for split in ("train", "test"))
    embedder = SpeakerEmbedder(random_state=seed).fit(train.clips, train.speakers)
    _, ids = np.unique(train.speakers, return_inverse=True)
    windows = [embedder.windows(clip) for clip in train.clips]
    y = np.repeat(ids, [len(w) for w in windows])
    windows = np.concatenate(windows)
    X = embedder.transform(windows).astype(float)
    mixed, pairs = overlapped(windows, y, rng)
    voices = [voice(test, name) for name in np.unique(test.speakers)]
    references = np.stack([embedder.transform(late).mean(axis=0) for _, late in voices])
    early = [first for first, _ in voices]
    conversations = [
        embedded(embedder, early, references, k, overlap, rng)
        for overlap in OVERLAPS
        for k in sizes
        for _ in range(n_per_cell)
    ]
    gallery = np.concatenate([normalize(references), normalize(class_means(X, y))])
    return DVectors(X, y, embedder.transform(mixed), pairs, gallery, conversations, [])


def voice(speech, name):
    """Both halves of the recordings of a speaker, brought to one level, as waveforms."""
    clips = [level(speech.clips[i]) for i in np.flatnonzero(speech.speakers == name)]
    middle = len(clips) // 2
    return np.concatenate(clips[:middle]), np.concatenate(clips[middle:])


def level(x):
    """At root-mean-square 1 along the last axis."""
    return x / np.maximum(np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True)), 1e-6)


def overlapped(windows, y, rng):
    """Sums of two windows of different speakers, and who they are."""
    chosen = rng.integers(len(windows), size=(2 * N_OVERLAPPED, 2))
    chosen = chosen[y[chosen[:, 0]] != y[chosen[:, 1]]][:N_OVERLAPPED]
    gain = 10 ** (rng.uniform(*LEVELS, size=(len(chosen), 1)) / 20)
    first, second = chosen.T
    return level(windows[first]) + gain * level(windows[second]), y[chosen]


def embedded(embedder, voices, references, n_speakers, overlap, rng):
    """One conversation as a Recording."""
    who = rng.choice(len(voices), n_speakers, replace=False)
    x, activity = conversation([voices[i] for i in who], overlap, rng)
    X = embedder.transform(x).astype(float)
    frames = [embedder.windows(talks) for talks in activity.T]
    shares = np.stack([f.mean(axis=1) for f in frames], axis=1)
    return Recording(X, normalize(references[who]), shares, overlap, who)


def conversation(voices, overlap, rng):
    """Waveform (n_times,) of people who take turns, and who talks when (n_times, K)."""
    n_times = SECONDS * RATE
    x, activity = np.zeros(n_times), np.zeros((n_times, len(voices)))
    waiting, last, end, before = list(rng.permutation(len(voices))), None, 0, 0
    while end < n_times:
        others = [k for k in range(len(voices)) if k != last] or [0]
        k = waiting.pop(0) if waiting else rng.choice(others)
        length = int(rng.uniform(*TURN) * RATE)
        early = int(rng.uniform(*EARLIER) * max(length, before)) if rng.random() < overlap else 0
        start = max(0, end - early * (len(voices) > 1))
        place = rng.integers(len(voices[k]) - length)
        stop = min(start + length, n_times)
        x[start:stop] += voices[k][place : place + stop - start]
        activity[start:stop, k] = 1
        last, end, before = k, start + length, length
    return x, activity
