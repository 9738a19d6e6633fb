"""Recordings of several talkers in rooms, simulated, and how well they are separated."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from anmf.audio import stft
from anmf.datasets import load_librispeech, make_voices, simulate_room
from anmf.metrics import si_sdr_improvement

RATE, SECONDS, N_FFT, HOP = 16000, 8.0, 4096, 1024
RT60, NOISE = (0.16, 0.30), -30.0


class Talkers:
    """Speech of several people at once: read speech where there is some, else synthetic voices."""

    def __init__(self):
        folder = os.environ.get("ANMF_DATA")
        self.real = bool(folder) and Path(folder, "speech", "test").is_dir()
        if self.real:
            speech = load_librispeech(Path(folder, "speech"), "test")
            self._clips, self._speakers = speech.clips, speech.speakers
        else:
            print("No speech in ANMF_DATA; synthetic voices take its place")

    def draw(self, n, seconds, rng):
        """Waveforms (n_times, n) of the same level, of n different talkers."""
        if not self.real:
            return make_voices(n, seconds, sample_rate=RATE, random_state=rng).waveforms
        chosen = rng.choice(np.unique(self._speakers), n, replace=False)
        columns = [self._utterances(name, int(seconds * RATE), rng) for name in chosen]
        return np.column_stack([x / np.std(x) for x in columns])

    def _utterances(self, speaker, n_times, rng):
        """Utterances of one talker one after the other, repeated where there are too few."""
        clips = rng.permutation(np.flatnonzero(self._speakers == speaker))
        pieces = []
        while sum(map(len, pieces)) < n_times:
            pieces.append(self._clips[clips[len(pieces) % len(clips)]])
        return np.concatenate(pieces)[:n_times]


def method():
    """How rooms are simulated with what is installed."""
    return "image-source" if find_spec("pyroomacoustics") else "decaying-noise"


def room(talkers, n, seed, seconds=SECONDS):
    """`n` talkers and as many microphones in a room drawn at random.

    Returns
    -------
    Bunch
        mixture : array (n_times, n_channels)
        images : array (n_times, n_sources)
            At microphone 0, reverberation included.
    """
    rng = np.random.default_rng([seed, n])
    made = simulate_room(
        talkers.draw(n, seconds, rng),
        n,
        rt60=RT60,
        sample_rate=RATE,
        noise_level=NOISE,
        method=method(),
        random_state=rng,
    )
    return Bunch(
        mixture=np.asarray(made.mixture, dtype=np.float64),
        images=np.asarray(made.images[:, :, 0], dtype=np.float64),
    )


def spectrogram(x, n_fft=N_FFT, hop_length=HOP):
    """Of a recording (n_times, n_channels): (n_frequencies, n_channels, n_frames)."""
    return np.ascontiguousarray(stft(x.T, n_fft, hop_length).transpose(2, 0, 1))


def gain(scene, estimate, last=None):
    """Mean SI-SDR improvement over the sources, in dB, of the `last` samples if given."""
    end = slice(None) if last is None else slice(-last, None)
    images, mixture = scene.images[end], scene.mixture[end, 0]
    return float(np.mean(si_sdr_improvement(images, estimate, mixture, permute=True)))


def babble(n, seconds=SECONDS, n_fft=N_FFT, hop_length=HOP, dtype=np.complex128):
    """A spectrogram of `n` channels to measure time and memory with."""
    voices = make_voices(n, seconds, sample_rate=RATE, random_state=0).waveforms
    made = simulate_room(
        voices, n, rt60=0.2, sample_rate=RATE, noise_level=NOISE, method="decaying-noise",
        random_state=0,
    )  # fmt: skip
    return spectrogram(np.asarray(made.mixture, np.float64), n_fft, hop_length).astype(dtype)
