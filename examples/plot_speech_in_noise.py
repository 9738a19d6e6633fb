"""
Speech in noise that isn't known
================================

:class:`anmf.SpeechEnhancer` learns what a voice sounds like, once, and the noise from each noisy
recording itself. Voice and noises are synthetic here; of your own, pass waveforms at 16 kHz.
"""

# %%
# A noisy recording
# -----------------
# Twelve seconds of a voice to learn from, and four more of the same voice in rain, at 3 dB.

from anmf import SpeechEnhancer
from anmf.datasets import make_noise, make_noisy_speech, make_voices

voice = make_voices(1, 16.0, random_state=0)
rate, clean = voice.sample_rate, voice.waveforms[:, 0]
train, test = clean[: 12 * rate], clean[12 * rate :]
rain = make_noise(4.0, "rain", random_state=0)
data = make_noisy_speech([test], [rain], snr=3.0, random_state=0)
noisy, speech = data.mixtures[0], data.speech[0]

# %%
# Take the noise away
# -------------------
# The model never hears rain without the voice. Its noise starts from the quietest frames of the
# recording, in the pauses; sparse activations of the voice, and an anchor at that start, keep
# noise and voice from explaining each other.

from anmf.metrics import si_sdr

model = SpeechEnhancer(random_state=0).fit([train])
enhanced = model.enhance(noisy)
print(f"with the voice known: {si_sdr(speech, noisy):.1f} -> {si_sdr(speech, enhanced):.2f} dB")

# %%
# Without any speech of one's own
# -------------------------------
# ``fit()`` takes the basis that comes with the package, of 251 English speakers.

anyone = SpeechEnhancer(random_state=0).fit().enhance(noisy)
print(f"with the built-in basis: {si_sdr(speech, anyone):.2f} dB")

# %%
# Listen
# ------
# All players share one gain, so that levels compare.

from anmf.plotting import listen

listen(
    {
        "noisy": noisy,
        "enhanced, the voice known": enhanced,
        "enhanced, built-in basis": anyone,
        "the speech in it": speech,
    },
    rate,
)

# %%
# What became of the spectrum
# ---------------------------
# The harmonics of the voice come out of the rain; consonants, which are noise themselves, suffer
# most.

import matplotlib.pyplot as plt
import numpy as np

from anmf.audio import STFT

titles = {"noisy": noisy, "enhanced": enhanced, "the speech in it": speech}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True, layout="constrained")
peak = np.abs(STFT().transform(noisy)).max()
for ax, (title, x) in zip(axes, titles.items(), strict=True):
    size = np.abs(STFT().transform(x)).T / peak
    picture = ax.imshow(
        20 * np.log10(size + 1e-6), origin="lower", aspect="auto", cmap="magma", vmin=-70, vmax=0,
        extent=(0, len(x) / rate, 0, rate / 2000),
    )  # fmt: skip
    ax.set(title=title, xlabel="time (s)")
axes[0].set_ylabel("frequency (kHz)")
fig.colorbar(picture, ax=axes[2], label="level (dB)")
plt.show()
