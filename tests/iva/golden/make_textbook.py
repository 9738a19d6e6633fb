"""Write textbook.npz: two small scenes, and how well others' AuxIVA separates them.

Run ``python tests/iva/golden/make_textbook.py`` with the extra 'bench' installed. Scenes are 16-bit
integers, so they are the same everywhere; ``n`` below is 2 or 3, the number of voices and of
microphones, and the sample rate is 8 kHz.

What is in the file
-------------------
images {n} : int16 (n_times, n)
    Reverberant voices at microphone 0, the references.
others {n} : int16 (n_times, n - 1)
    Mixtures at the other microphones. There is no noise, so the mixture at microphone 0 is
    ``images.sum(axis=1)``; the recording is ``column_stack([images.sum(axis=1), others]) / 32768``.
frames : int (2,)
    `n_fft` and `hop_length` for `anmf.audio.stft`, with a Hann window.
{package} {model} {update} {n} {n_iter} : float64 (n,)
    SI-SDR in dB of the waveforms, scaled by projection back to microphone 0 and put in the best
    order, in the order of the references. `package` is 'ssspy' (models 'laplace' and 'gauss',
    updates 'ip' and 'iss') or 'pyroomacoustics' (both models, 'ip'); `n_iter` is 20 or 100.
filters {model} {update} {n} : complex128 (n_bins, n, n)
    Demixing matrices (frequency, source, channel) of ssspy after 20 iterations, scaled by
    projection back to microphone 0, at the frequencies `bins`. Sources are in the order in which
    they come out, which is that of the microphones they start from.
bins : int (n_bins,)
sensitivity {model} {update} {n} : float64 (2,)
    Largest change of an SI-SDR in dB, after 20 and 100 iterations, when the recording is altered by
    1e-9 of its level: what rounding can do.
versions : str

Conventions of the two
----------------------
All start from the identity, weights φ are computed once an iteration from the sources that it
starts with, and sources are updated in the order 0, 1, …, n − 1. For Laplace, φ is 1 / ‖y‖ in
ssspy and 1 / (2 ‖y‖) in pyroomacoustics; for Gauss it is F / ‖y‖² in both. A common factor of φ
alters the scale of the sources only, so what is projected back is the same. ssspy raises 2 ‖y‖, the
normaliser √(wᴴ V w) and the denominators of ISS to at least 1e-10, pyroomacoustics 2 ‖y‖ and
‖y‖² / F to 1e-15; here the sound is never so weak. ssspy keeps no demixing matrices in ISS: they
are had from the sources by least squares, which is exact. The two agree to 1e-11 dB, and so does
any plain implementation in float64.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
from pyroomacoustics.bss import auxiva
from scipy.signal import fftconvolve
from ssspy.bss.iva import AuxGaussIVA, AuxLaplaceIVA

from anmf.audio import istft, stft
from anmf.datasets import make_voices
from anmf.metrics import permutation_invariant, si_sdr

RATE, SECONDS, N_FFT, HOP = 8000, 2.0, 512, 128
RT60, TAIL, LEVEL = 0.06, 0.03, 6000
N_SOURCES, N_ITER = (2, 3), (20, 100)
MODELS = {"laplace": AuxLaplaceIVA, "gauss": AuxGaussIVA}
UPDATES = {"ip": "IP1", "iss": "ISS1"}
EVERY = 8
ALTERATION = 1e-9


def scene(n):
    """Images at microphone 0 (n_times, n), and mixtures at the others (n_times, n - 1)."""
    rng = np.random.default_rng(0)
    voices = make_voices(n, SECONDS, sample_rate=RATE, random_state=0).waveforms.astype(float)
    time = np.arange(int(RT60 * RATE)) / RATE
    tails = rng.standard_normal((len(time), n, n)) * 10 ** (-3 * time / RT60)[:, None, None]
    tails *= TAIL
    for source in range(n):
        for microphone in range(n):
            tails[rng.integers(2, 14), source, microphone] += 1
    images = fftconvolve(voices[:, :, None], tails, axes=0)[: len(voices)]
    images *= LEVEL / np.abs(images.sum(axis=1)).max()
    first = np.round(images[..., 0]).astype(np.int16)
    return first, np.round(images.sum(axis=1)[:, 1:]).astype(np.int16)


def spectra(first, others):
    """Spectrogram (n_frequencies, n_channels, n_frames) of the recording."""
    recording = np.column_stack([first.sum(axis=1), others]) / 32768
    return stft(recording.T, N_FFT, HOP).transpose(2, 0, 1)


def ssspy(X, model, update, n_iter):
    """Unscaled sources (n_frequencies, n_sources, n_frames)."""
    method = MODELS[model](UPDATES[update], scale_restoration=False, record_loss=False)
    return method(X.transpose(1, 0, 2), n_iter=n_iter).transpose(1, 0, 2)


def pyroomacoustics(X, model, update, n_iter):
    """The same."""
    return auxiva(X.transpose(2, 0, 1), n_iter=n_iter, proj_back=False, model=model).transpose(
        1, 2, 0
    )


def filters_of(X, Y):
    """Demixing matrices with Y = W X, scaled so that sources are as microphone 0 hears them."""
    adjoint = X.conj().swapaxes(1, 2)
    W = Y @ adjoint @ np.linalg.inv(X @ adjoint)
    return np.linalg.inv(W)[:, 0, :, None] * W


def quality(first, X, W):
    """SI-SDR (n,) in the order of the references."""
    waveforms = istft((W @ X).transpose(1, 2, 0), N_FFT, HOP, n_times=len(first)).T
    return permutation_invariant(si_sdr)(first / 32768, waveforms)[0]


def separate(first, X, n):
    """Entries of the file for one scene."""
    noise = np.random.default_rng(0).standard_normal((*X.shape, 2)) @ [1, 1j]
    altered = X + ALTERATION * np.sqrt(np.mean(np.abs(X) ** 2)) * noise
    stored = {}
    for model in MODELS:
        for update in UPDATES:
            changes = []
            for n_iter in N_ITER:
                W = filters_of(X, ssspy(X, model, update, n_iter))
                values = quality(first, X, W)
                stored[f"ssspy {model} {update} {n} {n_iter}"] = values
                other = quality(
                    first, X, filters_of(altered, ssspy(altered, model, update, n_iter))
                )
                changes.append(np.abs(values - other).max())
                if n_iter == N_ITER[0]:
                    stored[f"filters {model} {update} {n}"] = W[::EVERY]
            stored[f"sensitivity {model} {update} {n}"] = np.array(changes)
        for n_iter in N_ITER:
            W = filters_of(X, pyroomacoustics(X, model, "ip", n_iter))
            stored[f"pyroomacoustics {model} ip {n} {n_iter}"] = quality(first, X, W)
    return stored


def main():
    """Make the file."""
    bins = np.arange(0, N_FFT // 2 + 1, EVERY)
    stored = {"frames": np.array([N_FFT, HOP]), "bins": bins}
    for n in N_SOURCES:
        first, others = scene(n)
        stored |= {f"images {n}": first, f"others {n}": others}
        stored |= separate(first, spectra(first, others), n)
    packages = ("ssspy", "pyroomacoustics", "numpy")
    stored["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(Path(__file__).with_name("textbook.npz"), **stored)


if __name__ == "__main__":
    main()
