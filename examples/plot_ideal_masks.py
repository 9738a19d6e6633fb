"""
Ideal masks and how to measure a separation
===========================================

How well could any method that masks a spectrogram do? Masks made of the true sources,
:mod:`anmf.masks`, give the answer; :mod:`anmf.metrics` puts it in numbers.
"""

# %%
# Two voices
# ----------
# Each is a row of harmonics with vibrato, in syllables of a third of a second or so, every one with
# its own vowel: a few resonances that some harmonics fall into.

import numpy as np

RATE = 8000
t = np.arange(3 * RATE) / RATE


def voice(pitch, syllable_length, seed):
    """Sung syllables around a pitch in Hz."""
    rng = np.random.default_rng(seed)
    syllable = (t / syllable_length).astype(int)
    glide = rng.uniform(0.8, 1.25, syllable.max() + 2)
    f0 = pitch * np.interp(t / syllable_length, np.arange(len(glide)), glide)
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.02 * np.sin(2 * np.pi * 5 * t))) / RATE
    resonances = rng.uniform([250, 800, 2200], [800, 2200, 3500], (syllable.max() + 1, 3))[syllable]
    sound = np.zeros_like(t)
    for k in range(1, int(0.45 * RATE / pitch)):
        distance = (k * f0[:, None] - resonances) / (80 + 0.06 * resonances)
        amplitude = np.sum([1, 0.5, 0.25] / (1 + distance**2), axis=1) * (k * f0 < 0.48 * RATE)
        sound += amplitude * np.sin(k * phase)
    sound *= np.abs(np.sin(np.pi * t / syllable_length)) ** 0.5
    return sound / sound.std()


voices = np.stack([voice(115, 0.37, 0), voice(205, 0.29, 1)], axis=1)  # (n_times, n_sources)
mixture = voices.sum(axis=1)

# %%
# Upper bounds
# ------------
# The binary mask gives each bin to the louder voice. The ratio mask shares it by energy, and the
# phase-sensitive one also knows how the phases of voice and mixture differ: it is the best real
# mask. All take the phase of the mixture along.

from anmf.masks import ideal_separation
from anmf.metrics import bss_eval, si_sdr_improvement

WINDOW = {"n_fft": 512, "hop_length": 128}
estimates = {
    name: ideal_separation(mixture, voices, name, **WINDOW)
    for name in ("binary", "ratio", "phase_sensitive")
}
for name, estimate in estimates.items():
    gained = si_sdr_improvement(voices, estimate, mixture).mean()
    print(f"{name:16} SI-SDR improvement {gained:.1f} dB")

# %%
# What is left
# ------------
# BSS Eval splits the error: interference is what remains of the other voice, artefacts are what
# belongs to neither. Estimates may come in any order; the permutation says which is which.

for name, estimate in estimates.items():
    result = bss_eval(voices, estimate[:, ::-1], filter_length=64)
    print(
        f"{name:16} order {result.permutation}, SIR {result.sir.mean():.1f} dB, "
        f"SAR {result.sar.mean():.1f} dB"
    )

# %%
# Why not the plain SNR?
# ----------------------
# It changes with the level of the estimate, and may even reward a method for getting softer: of the
# mixture itself, taken as an estimate, the SNR rises by 3 dB at half the level. The SI-SDR doesn't
# change, and the SD-SDR, which counts the level too, falls.

from anmf.metrics import sd_sdr, si_sdr, snr

levels = np.geomspace(0.1, 3, 60)
curves = {
    metric.__name__: [metric(voices[:, 0], level * mixture) for level in levels]
    for metric in (snr, si_sdr, sd_sdr)
}

# %%
# All in one picture
# ------------------
# Left, what was mixed, and the mask of the first voice. Right, how good each mask is at windows of
# other lengths, and what level does to the metrics.

import librosa
import matplotlib.pyplot as plt

from anmf.masks import ideal_binary, ideal_ratio, phase_sensitive

X, *S = librosa.stft(np.column_stack([mixture, voices]).T.copy(), **WINDOW)
S = np.stack(S, axis=1)  # sources at axis 1, as masks want them
lengths = [64, 128, 256, 512, 1024, 2048]
gains = {
    name: [
        si_sdr_improvement(
            voices, ideal_separation(mixture, voices, name, n_fft=n_fft), mixture
        ).mean()
        for n_fft in lengths
    ]
    for name in estimates
}

fig, axes = plt.subplots(2, 3, figsize=(11.5, 6), layout="constrained")
view = {"origin": "lower", "aspect": "auto", "extent": (0, t[-1], 0, RATE / 2000)}
loudness = librosa.amplitude_to_db(np.abs(X), ref=np.max)
level = axes[0, 0].imshow(loudness, cmap="magma", vmin=-60, vmax=0, **view)
axes[0, 0].set_title("mixture of two voices")
fig.colorbar(level, ax=axes[0, 0], label="dB")
masks = {
    "binary mask": ideal_binary(S),
    "ratio mask": ideal_ratio(S),
    "phase-sensitive mask": phase_sensitive(X, S, truncate=(0, 1)),
}
for ax, (name, mask) in zip((axes[0, 1], axes[1, 0], axes[1, 1]), masks.items(), strict=True):
    share = ax.imshow(mask[:, 0], cmap="viridis", vmin=0, vmax=1, **view)
    ax.set_title(f"{name} of voice 1")
    fig.colorbar(share, ax=ax)
for ax in (axes[0, 0], axes[0, 1], axes[1, 0], axes[1, 1]):
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)", xlim=(0, 1.5), ylim=(0, 2))
for name, values in gains.items():
    milliseconds = 1000 * np.array(lengths) / RATE
    axes[0, 2].plot(milliseconds, values, "o-", label=name.replace("_", "-"))
axes[0, 2].set(xscale="log", xlabel="window (ms)", ylabel="dB", title="SI-SDR improvement", ylim=4)
axes[0, 2].set_xticks([8, 16, 32, 64, 128, 256], [8, 16, 32, 64, 128, 256])
axes[0, 2].minorticks_off()
axes[0, 2].legend(frameon=False)
for (name, values), style in zip(curves.items(), ("-", "--", ":"), strict=True):
    axes[1, 2].plot(levels, values, style, lw=2, label=name.replace("_", "-").upper())
axes[1, 2].set(xscale="log", xlabel="level of the estimate", ylabel="dB", ylim=(-20, 5))
axes[1, 2].set_title("the mixture as an estimate")
axes[1, 2].legend(frameon=False)
for ax in axes[:, 2]:
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
plt.show()
