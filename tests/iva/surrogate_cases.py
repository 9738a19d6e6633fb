"""Recordings, and small surrogate source models of them."""

import numpy as np

from anmf.iva import SurrogateSourceModel

RATE, N_FFT = 8000, 128
SMALL = {
    "sample_rate": RATE,
    "n_fft": N_FFT,
    "n_bands": 6,
    "width": 8,
    "duration": 0.3,
    "n_iter": (3, 5),
    "batch_size": 2,
    "max_iter": 4,
    "random_state": 0,
}


def recordings(n=5, n_sources=2, n_times=4000, seed=0):
    """Instantaneous mixtures of sounds that come and go."""
    rng = np.random.default_rng(seed)
    mixtures, sources = [], []
    for _ in range(n):
        gates = np.repeat(rng.gamma(0.3, size=(n_times // 400, n_sources)), 400, axis=0)
        s = gates * rng.standard_normal((n_times, n_sources))
        mixing = np.eye(n_sources) + 0.6 * rng.standard_normal((n_sources, n_sources))
        sources.append(s * mixing[0])
        mixtures.append(s @ mixing.T)
    return mixtures, sources


def fitted(**options):
    return SurrogateSourceModel(**{**SMALL, **options}).fit(*recordings())


def untrained():
    model = SurrogateSourceModel(**SMALL)
    model.weights_ = model._bands().network.start(0)
    return model
