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
# Listen
# ------
# All players share one gain, so that levels compare.

from anmf.plotting import listen

sounds = {"mixture": mixture}
for k in range(2):
    sounds[f"voice {k + 1}, binary mask"] = estimates["binary"][:, k]
    sounds[f"voice {k + 1}, phase-sensitive mask"] = estimates["phase_sensitive"][:, k]
    sounds[f"voice {k + 1}, true"] = voices[:, k]
listen(sounds, RATE)

# %%
# See the masks
# -------------
# A second and a half of the mixture below 2 kHz, and what each mask leaves of it to the first
# voice.

import librosa
import matplotlib.pyplot as plt

from anmf.masks import ideal_binary, ideal_ratio, phase_sensitive

X, *S = librosa.stft(np.column_stack([mixture, voices]).T.copy(), **WINDOW)
S = np.stack(S, axis=1)  # sources at axis 1, as masks want them
masks = {
    "binary mask": ideal_binary(S),
    "ratio mask": ideal_ratio(S),
    "phase-sensitive mask": phase_sensitive(X, S, truncate=(0, 1)),
}
fig, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharex=True, sharey=True)
view = {"origin": "lower", "aspect": "auto", "extent": (0, t[-1], 0, RATE / 2000)}
loudness = librosa.amplitude_to_db(np.abs(X), ref=np.max)
level = axes[0, 0].imshow(loudness, cmap="magma", vmin=-60, vmax=0, **view)
axes[0, 0].set_title("mixture of two voices")
fig.colorbar(level, ax=axes[0, 0], label="dB below the peak")
for ax, (name, mask) in zip(axes.flat[1:], masks.items(), strict=True):
    share = ax.imshow(mask[:, 0], cmap="viridis", vmin=0, vmax=1, **view)
    ax.set_title(name)
    fig.colorbar(share, ax=ax, label="share of voice 1")
axes[0, 0].set(xlim=(0, 1.5), ylim=(0, 2))
for ax in axes[1]:
    ax.set_xlabel("time (s)")
for ax in axes[:, 0]:
    ax.set_ylabel("frequency (kHz)")
plt.show()

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
# How long a window?
# ------------------
# Left, how good each mask is at windows of other lengths: short ones don't tell the harmonics of
# the two voices apart, long ones don't follow them. Right, what level does to the metrics.

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
milliseconds = [1000 * n // RATE for n in lengths]

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for name, values in gains.items():
    axes[0].plot(milliseconds, values, "o-", label=name.replace("_", "-"))
axes[0].set(xscale="log", xlabel="window (ms)", ylabel="SI-SDR improvement (dB)", ylim=0)
axes[0].set_xticks(milliseconds, milliseconds)
axes[0].set_title("masks")
axes[0].minorticks_off()
for (name, values), style in zip(curves.items(), ("-", "--", ":"), strict=True):
    axes[1].plot(levels, values, style, lw=2, label=name.replace("_", "-").upper())
axes[1].set(xscale="log", xlabel="level of the estimate", ylabel="metric (dB)", ylim=(-20, 5))
axes[1].set_xticks([0.1, 0.3, 1, 3], [0.1, 0.3, 1, 3])
axes[1].minorticks_off()
axes[1].set_title("the mixture as an estimate")
for ax in axes:
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    ax.legend(frameon=False, loc="lower right")
plt.show()
