"""Recordings to take speakers from: a linear world whose truth is known, and real d-vectors.

The world: an embedding has 128 dimensions and unit length. Speakers are independent random
directions, so nearly orthogonal; with ``shared`` = s > 0 they have a common direction on top, and a
mean cosine of s with one another. A recording has 48 segments in no order. Each segment has one
speaker with weight 1, and with probability ``overlap`` a second one with weight U(0.3, 1); each
speaker leads at least one. The weighted sum is brought to unit length, then noise is added, and the
result is *not* brought to unit length again. The noise is Gaussian of zero mean; its covariance has
the eigenvalues j^-0.7 in random directions, scaled to the trace level², so that ``level`` is the
root-mean-square length of the noise beside an embedding of length 1. The background is 100 other
speakers with 20 segments each, one speaker a segment, under the same noise.

The d-vectors are read from the folder ``embeddings`` of ``$ANMF_DATA``. All conversations count;
what `SVDDecorrelator` is tuned on are other conversations, of other people.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

N_FEATURES, N_SEGMENTS, DECAY = 128, 48, 0.7
OVERLAPS, SIZES, LEVELS = (0.0, 0.4, 0.8), (2, 3, 4, 5), (0.3, 0.6, 0.9)
SHARED = 0.55
"""Mean cosine between two speakers in a world like that of d-vectors."""


@dataclass(frozen=True)
class Recording:
    """Segments, and who is in them.

    Attributes
    ----------
    X : ndarray (n, d)
        Embeddings of the segments.
    references : ndarray (K, d)
        True embeddings.
    activity : ndarray (n, K) or None
        Weights of the speakers in each segment.
    overlap : float
    speakers : ndarray of int (K,) or None
        Rows of the gallery.
    sir : float or None
        Level of the first of two speakers over the second, in dB.
    """

    X: np.ndarray
    references: np.ndarray
    activity: np.ndarray | None = None
    overlap: float = 0.0
    speakers: np.ndarray | None = None
    sir: float | None = None

    @property
    def n_speakers(self):
        """K."""
        return len(self.references)


class World:
    """The linear world of this module's docstring.

    Parameters
    ----------
    level : float
        Root-mean-square length of the noise.
    seed : int
        Of everything: directions, background, and with their own number, recordings.
    shared : float
        Mean cosine between speakers, in [0, 1).
    n_features, n_segments : int
    """

    def __init__(self, level, seed, shared=0.0, n_features=N_FEATURES, n_segments=N_SEGMENTS):
        self.level, self.seed, self.shared = level, seed, shared
        self.n_features, self.n_segments = n_features, n_segments
        rng = np.random.default_rng([seed, 0])
        self.common = normalize(rng.normal(size=(1, n_features)))
        axes = np.linalg.qr(rng.normal(size=(n_features, n_features)))[0]
        variance = np.arange(1.0, n_features + 1) ** -DECAY
        self.colour = level * np.sqrt(variance / variance.sum())[:, None] * axes.T

    def speakers(self, n, rng):
        """Embeddings of unit length (n, d)."""
        own = rng.normal(size=(n, self.n_features))
        if self.shared:
            own -= own @ self.common.T * self.common
        return np.sqrt(self.shared) * self.common + np.sqrt(1 - self.shared) * normalize(own)

    def noise(self, n, rng):
        """Rows (n, d)."""
        return rng.normal(size=(n, self.n_features)) @ self.colour

    @cached_property
    def background(self):
        """Rows (2000, d) of a hundred speakers, and the speaker of each."""
        rng = np.random.default_rng([self.seed, 1])
        y = np.repeat(np.arange(100), 20)
        return self.speakers(100, rng)[y] + self.noise(len(y), rng), y

    @cached_property
    def mean(self):
        """Mean over the speakers of the background (d,)."""
        return class_means(*self.background).mean(axis=0)

    def recording(self, n_speakers, overlap, number=0):
        """One recording.

        Parameters
        ----------
        n_speakers : int
            At least 2 if there is overlap.
        overlap : float
            Probability that a segment has two speakers.
        number : int
            Which one.

        Returns
        -------
        Recording
        """
        rng = np.random.default_rng([self.seed, 2, n_speakers, round(100 * overlap), number])
        references = self.speakers(n_speakers, rng)
        activity = draw_activity(self.n_segments, n_speakers, overlap, rng)
        X = normalize(activity @ references) + self.noise(self.n_segments, rng)
        return Recording(X, references, activity, overlap)


def draw_activity(n, n_speakers, overlap, rng):
    """Weights (n, K): 1 for a first speaker, U(0.3, 1) for a second, with that probability."""
    first = np.r_[np.arange(n_speakers), rng.integers(n_speakers, size=n - n_speakers)]
    rng.shuffle(first)
    activity = np.zeros((n, n_speakers))
    activity[np.arange(n), first] = 1
    both = np.flatnonzero(rng.random(n) < overlap)
    second = (first[both] + rng.integers(1, max(n_speakers, 2), size=len(both))) % n_speakers
    activity[both, second] = rng.uniform(0.3, 1, size=len(both))
    return activity


def class_means(X, y):
    """Mean of the rows of each class, in the order of the classes."""
    classes, place, counts = np.unique(y, return_inverse=True, return_counts=True)
    means = np.zeros((len(classes), X.shape[1]))
    np.add.at(means, place, X)
    return means / counts[:, None]


@dataclass(frozen=True)
class DVectors:
    """Real embeddings.

    Attributes
    ----------
    X : ndarray (n, d)
        Background: segments of one speaker.
    y : ndarray of int (n,)
    overlapped : ndarray (m, d)
        Background: segments of two speakers.
    pairs : ndarray of int (m, 2)
    gallery : ndarray (n_speakers, d)
        One embedding a speaker: those of the conversations, then those of the background.
    conversations : list of Recording
    overlapped_pairs : list of Recording
        Two speakers from beginning to end.
    """

    X: np.ndarray
    y: np.ndarray
    overlapped: np.ndarray
    pairs: np.ndarray
    gallery: np.ndarray
    conversations: list
    overlapped_pairs: list

    @cached_property
    def mean(self):
        """Mean over the speakers of the background (d,)."""
        return class_means(self.X, self.y).mean(axis=0)

    @property
    def everything(self):
        """Background with both kinds of rows, and their speakers (n + m, 2), −1 for none."""
        singles = np.stack([self.y, np.full_like(self.y, -1)], axis=1)
        return np.concatenate([self.X, self.overlapped]), np.concatenate([singles, self.pairs])


def dvectors():
    """The embeddings in ``$ANMF_DATA``, or None, with a line that says so.

    Returns
    -------
    DVectors or None
    """
    folder = Path(os.environ.get("ANMF_DATA", "")) / "embeddings"
    try:
        with np.load(folder / "dvectors.npz") as file:
            arrays = dict(file)
        with np.load(folder / "overlap_background.npz") as file:
            overlapped, pairs = file["embeddings"].astype(float), file["speakers"]
    except OSError:
        print("ANMF_DATA names no folder with embeddings; nothing is measured on real ones")
        return None
    X, y = arrays["background"].astype(float), arrays["background_speaker"]
    references = arrays["reference"].astype(float)
    gallery = np.concatenate([references, normalize(class_means(X, y))])
    conversations = _conversations(arrays, references)
    return DVectors(X, y, overlapped, pairs, gallery, conversations, _pairs(arrays, references))


def _conversations(arrays, references):
    """All conversations, in the order of the file."""
    parts = np.split(np.arange(arrays["conversation_offsets"][-1]), arrays["conversation_offsets"])
    found = []
    for i, rows in enumerate(parts[1:-1]):
        k = int(arrays["n_speakers"][i])
        who = arrays["who"][i][:k]
        found.append(
            Recording(
                arrays["conversation_embeddings"][rows].astype(float),
                references[who],
                arrays["conversation_activity"][rows][:, :k],
                round(float(arrays["overlap"][i]), 3),
                who,
            )
        )
    return found


def _pairs(arrays, references):
    """All fully overlapped pairs, in the order of the file."""
    bounds = arrays["pair_offsets"]
    found = []
    for i, who in enumerate(arrays["pair_speakers"]):
        X = arrays["pair_embeddings"][bounds[i] : bounds[i + 1]].astype(float)
        found.append(
            Recording(X, references[who], None, 1.0, speakers=who, sir=float(arrays["pair_sir"][i]))
        )
    return found
