"""Mixtures that the tests of separators share, and small models of them."""

import numpy as np

from anmf.datasets import make_voices
from anmf.metrics import METRICS

RATE = 8000
SMALL = {
    "embedding_size": 4,
    "width": 16,
    "hidden": 16,
    "dilations": (1, 2),
    "batch_size": 3,
    "duration": 0.4,
    "max_iter": 6,
    "random_state": 0,
}


def sources(n=5, n_sources=2, seconds=0.6):
    made = [
        make_voices(n_sources, seconds, sample_rate=RATE, random_state=i).waveforms
        for i in range(n)
    ]
    return [s / s.std() for s in made]


S = sources()
X = [s.sum(axis=1) for s in S]


def fitted(kind, mixtures=None, **options):
    return kind(**{**SMALL, **options}).fit(mixtures, S)


def fitted_to_bands(kind, **options):
    """Learned from low and high noise that come and go."""
    options = {"max_iter": 150, "learning_rate": 5e-3, "validation_fraction": 0.2, **options}
    return kind(**{**SMALL, **options}).fit(None, [bands(i) for i in range(10)])


def bands(seed, n_times=6000):
    """Noise below 2 kHz and noise above, each with its own rhythm."""
    rng = np.random.default_rng(seed)
    Z = np.fft.rfft(rng.standard_normal((2, n_times)))
    middle = Z.shape[1] // 2
    Z[0, middle:] = Z[1, :middle] = 0
    gates = np.repeat(rng.uniform(0.1, 1, (2, n_times // 600)), 600, axis=1)
    return (np.fft.irfft(Z, n_times) * gates).T


def unseparated(y):
    """Score of the mixture itself, in dB."""
    x = np.broadcast_to(y.sum(axis=1, keepdims=True), y.shape)
    return float(np.mean(METRICS["si_sdr"](y, x)))


def in_double(batch):
    """A batch whose real arrays are float64."""
    arrays = {k: v for k, v in batch._asdict().items() if isinstance(v, np.ndarray)}
    return batch._replace(**{k: v.astype(np.float64) for k, v in arrays.items()})
