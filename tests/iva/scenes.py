"""Random spectra, covariances and rooms that the tests of demixing share."""

from functools import cache

import array_api_strict
import numpy as np
import pytest

from anmf._core.arrays import to_host
from anmf.audio import istft, stft
from anmf.datasets import make_voices, simulate_room
from anmf.iva import auxiva
from anmf.metrics import permutation_invariant, si_sdr

RATE, N_FFT = 8000, 1024


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    return pytest.importorskip("torch").asarray(np.array(x))


def cupy(x):
    library = pytest.importorskip("cupy")
    if not library.cuda.is_available():
        pytest.skip("no CUDA device")
    return library.asarray(x)


LIBRARIES = [strict, torch, pytest.param(cupy, marks=pytest.mark.gpu)]


def complex_normal(rng, *shape):
    return rng.standard_normal((*shape, 2)) @ [1, 1j]


def random_spectra(n_frequencies=9, n_channels=2, n_frames=40, dtype="complex128", seed=0):
    """Sources that swell and fade, mixed at random: (n_frequencies, n_channels, n_frames)."""
    rng = np.random.default_rng(seed)
    swell = rng.gamma(0.3, size=(1, n_channels, n_frames)) + 0.01
    colour = rng.gamma(1.0, size=(n_frequencies, n_channels, 1)) + 0.01
    S = np.sqrt(swell * colour) * complex_normal(rng, n_frequencies, n_channels, n_frames)
    return (complex_normal(rng, n_frequencies, n_channels, n_channels) @ S).astype(dtype)


def random_covariances(n_frequencies, n_weights, n, *, log_condition=1.0, seed=0):
    """Hermitian (n_frequencies, n_weights, n, n), of eigenvalues 10^(±log_condition / 2)."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(complex_normal(rng, n_frequencies, n_weights, n, n))[0]
    values = 10 ** (log_condition * (rng.random((n_frequencies, n_weights, 1, n)) - 0.5))
    V = (Q * values) @ Q.conj().swapaxes(-1, -2)
    return (V + V.conj().swapaxes(-1, -2)) / 2


@cache
def room(n_sources=2, n_channels=2, seconds=4.0, seed=0, rt60=0.1):
    """Images (n_times, n_sources, n_channels), float64, of voices in a room at 8 kHz."""
    voices = make_voices(n_sources, seconds, sample_rate=RATE, random_state=seed).waveforms
    scene = simulate_room(voices, n_channels, rt60=rt60, sample_rate=RATE, random_state=seed)
    images = scene.images.astype(np.float64)
    images /= np.abs(scene.mixture).max()
    images.flags.writeable = False
    return images


def spectra(x, n_fft=N_FFT):
    """(n_frequencies, n_channels, n_frames) of (n_times, n_channels)."""
    return np.moveaxis(stft(x.T, n_fft, n_fft // 4), -1, 0)


def waveforms(Y, n_times, n_fft=N_FFT):
    """(n_times, n_sources) of (n_frequencies, n_sources, n_frames)."""
    return istft(np.moveaxis(Y, 0, -1), n_fft, n_fft // 4, n_times=n_times).T


def separate(x, n_fft=N_FFT, **options):
    """Sources (n_times, n_sources) at microphone 0 of samples (n_times, n_channels)."""
    found = auxiva(spectra(x, n_fft), **options)
    Y = to_host(found.mixing)[:, 0, :, None] * to_host(found.spectrograms)
    return waveforms(Y, len(x), n_fft)


def quality(truth, estimate):
    """SI-SDR in dB of each reference, in the order that fits best."""
    return permutation_invariant(si_sdr)(truth.astype(float), estimate.astype(float))[0]


def improvement(truth, mixture, estimate):
    """Mean gain in dB over the mixture (n_times,), for sources (n_times, n)."""
    before = si_sdr(truth, np.repeat(mixture[:, None], truth.shape[1], axis=1), axis=0)
    return float(np.mean(quality(truth, estimate) - before))
