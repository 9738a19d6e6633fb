"""What is measured on: handwritten digits, and the spectrogram of speech."""

import os
from pathlib import Path

import librosa
import numpy as np
from sklearn.utils import Bunch

from anmf.datasets import fetch_mnist

SIDE = 28


def digits():
    """MNIST, or synthetic digits where it can't be had.

    Returns
    -------
    sklearn.utils.Bunch
        data (n, 784) float32 in [0, 1], target (n,), real (bool).
    """
    try:
        mnist = fetch_mnist()
    except OSError as error:
        print(f"MNIST is not to be had ({error}); synthetic digits take its place")
        return digit_like()
    return Bunch(data=mnist.data, target=mnist.target, real=True)


def digit_like(n_rows=20000, seed=0):
    """Images that resemble digits: each class has a few strokes, drawn with varying shape and ink.

    Parameters
    ----------
    n_rows : int
    seed : int

    Returns
    -------
    sklearn.utils.Bunch
        As `digits`, with real=False.
    """
    rng = np.random.default_rng(seed)
    target = rng.integers(10, size=n_rows)
    strokes = 6
    centre = rng.uniform(7, 21, size=(10, strokes, 2))[target]
    centre += rng.normal(0, 1.0, size=centre.shape)
    width = rng.uniform(1.2, 3.0, size=(n_rows, strokes, 2))
    place = np.arange(SIDE)
    along = np.exp(-(((place - centre[..., None]) / width[..., None]) ** 2))
    ink = rng.uniform(0.5, 1.3, size=(n_rows, strokes))
    images = np.einsum("ns,nsy,nsx->nyx", ink, along[:, :, 0], along[:, :, 1], optimize=True)
    data = np.clip(1.2 * images - 0.1, 0, 1).astype(np.float32)
    return Bunch(data=data.reshape(n_rows, -1), target=target, real=False)


def speech(n_rows=20000, n_fft=1024):
    """Magnitude spectrogram of the recordings in ``$ANMF_DATA/speech``, mean 1.

    Parameters
    ----------
    n_rows, n_fft : int

    Returns
    -------
    X : ndarray (n_rows, n_fft / 2 + 1), float32, or None
        One frame a row; None where there are too few recordings.
    """
    frames, found = [], 0
    folder = Path(os.environ.get("ANMF_DATA", "")) / "speech"
    for path in sorted(folder.rglob("*.flac")) if "ANMF_DATA" in os.environ else ():
        signal, _ = librosa.load(path, sr=None)
        spectrum = np.abs(librosa.stft(signal / np.abs(signal).max(), n_fft=n_fft))
        frames.append(spectrum.T)
        found += len(frames[-1])
        if found >= n_rows:
            X = np.concatenate(frames)[:n_rows]
            return np.ascontiguousarray(X / X.mean(), dtype=np.float32)
    print("ANMF_DATA names no folder with enough speech; nothing is measured on real speech")
    return None


def speech_like(n_rows=20000, n_features=513, rank=200, seed=0):
    """Low-rank power spectra with sparse activations under multiplicative noise, mean 1.

    Parameters
    ----------
    n_rows, n_features, rank, seed : int

    Returns
    -------
    X : ndarray (n_rows, n_features), float32
    """
    rng = np.random.default_rng(seed)
    W = rng.gamma(0.3, size=(rank, n_features))
    H = rng.gamma(0.2, size=(n_rows, rank))
    X = (H @ W) * rng.gamma(4, 1 / 4, size=(n_rows, n_features))
    return (X / X.mean()).astype(np.float32)


def speed_cases(quick):
    """The matrices on which speed is measured, by name, and their number of components.

    "speech-like" is synthetic, low-rank with noise; "speech", where there is any, is real and much
    worse conditioned, which is harder for everybody. Neither stands for the other.

    Returns
    -------
    dict of str to (ndarray (n, m), int)
    """
    if quick:
        return {"MNIST": (digit_like(600).data, 8), "speech-like": (speech_like(800, 65, 20), 8)}
    cases = {"MNIST": (digits().data[:10000], 64), "speech-like": (speech_like(), 128)}
    real = speech()
    return cases if real is None else {**cases, "speech": (real, 128)}
