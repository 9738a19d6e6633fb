"""
Learn what talkers are like
===========================

:class:`anmf.AuxIVA` demixes what several microphones hear. A *source model* tells it what talkers
are like: from the power of each track so far, it gives every bin a weight, and demixing turns to
where weights are high. The usual models are guesses, such as Gauss: one variance for all
frequencies of a frame. :class:`anmf.iva.SurrogateSourceModel` learns the weights instead, with a
small network that is trained by how well AuxIVA separates with it. Voices and rooms are synthetic
here, which is enough to see it work; training takes about a minute.
"""

# %%
# Rooms to learn from
# -------------------
# Training wants mixtures whose sources are known: here two voices in a room, what two microphones
# make of them, and each voice alone as the first microphone hears it. Every room is another one,
# and so are its voices. At 8 kHz, frames of 1024 samples, 128 ms, are about as long as the
# reverberation that matters.

import sys

from anmf.datasets import make_voices, simulate_room

QUICK = "--quick" in sys.argv[1:]  # a trial run, too short to learn much
RATE, N_FFT = 8000, 1024


def record(n_talkers, seed, seconds=4.0):
    """As many microphones as talkers: the mixture, and the talkers at the first microphone."""
    voices = make_voices(n_talkers, seconds, sample_rate=RATE, random_state=seed).waveforms
    room = simulate_room(
        voices, n_talkers, rt60=(0.1, 0.25), sample_rate=RATE, noise_level=-30, random_state=seed
    )
    return room.mixture, room.images[:, :, 0]


known = [record(2, seed) for seed in range(10 if QUICK else 80)]

# %%
# Train
# -----
# Each step separates four excerpts by 5 to 8 iterations of AuxIVA, and follows the SI-SDR of the
# result back through all of them to the network. Some rooms are held out: their loss, minus the
# SI-SDR, chooses the weights that are kept.

from anmf.iva import SurrogateSourceModel

model = SurrogateSourceModel(
    sample_rate=RATE, n_fft=N_FFT, n_bands=24, width=24, n_iter=(5, 8), duration=3.0,
    max_iter=10 if QUICK else 120, learning_rate=2e-3, validation_fraction=0.1, random_state=0,
)  # fmt: skip
model.fit(*zip(*known, strict=True))
size = sum(w.size for w in model.weights_.values())
print(f"{size} numbers learned in {model.n_iter_} steps from {len(known)} rooms")

# %%
# Rooms and voices never heard before
# -----------------------------------
# Fitted, it takes the place of any source model. Here are other voices in other rooms, and how much
# the SI-SDR improves over the microphone, after some iterations. Learned weights are there after
# about five, and better than Gauss ever gets. They stay there, too: half of the steps of training
# begin where some iterations have led already (``lead``), which teaches weights to keep what they
# have separated.

import numpy as np

from anmf import AuxIVA
from anmf.metrics import si_sdr_improvement

MODELS = {"gauss": "gauss", "learned": model}


def improvement(rooms, source_model, **options):
    """Mean over rooms and talkers, in dB."""
    separator = AuxIVA(source_model=source_model, n_fft=N_FFT, **options)
    gains = [
        si_sdr_improvement(talkers, separator.fit_transform(mixture), mixture[:, 0], permute=True)
        for mixture, talkers in rooms
    ]
    return np.mean(gains)


iterations = [1, 2, 3, 5, 10, 20, 40]
pairs = [record(2, 1000 + i, 8.0) for i in range(2 if QUICK else 8)]
curves = {
    name: [improvement(pairs, chosen, max_iter=n) for n in iterations]
    for name, chosen in MODELS.items()
}
print(f"\nmean improvement in {len(pairs)} rooms (dB)")
print("iterations", *(f"{n:5}" for n in iterations))
for name, values in curves.items():
    print(f"{name:10}", *(f"{value:5.1f}" for value in values))

# %%
# The same weights elsewhere
# --------------------------
# The network looks at one source at a time, and at the mean of the others. So it serves three
# talkers as well, though it has only heard two. And weights are all that an update needs to know:
# trained through ISS, they work with ISS2, the default above, and with IP.

trios = [record(3, 2000 + i, 8.0) for i in range(2 if QUICK else 8)]
table = {
    (f"{n} talkers, {update}", name): improvement(rooms, chosen, update=update)
    for n, rooms in ((2, pairs), (3, trios))
    for update in ("iss2", "ip")
    for name, chosen in MODELS.items()
}
cases = list(dict.fromkeys(case for case, _ in table))
print("\nafter 20 iterations:      gauss  learned")
for case in cases:
    print(f"{case:24}", *(f"{table[case, name]:5.1f} dB" for name in MODELS))

# %%
# What has it learned?
# --------------------
# Give it the powers of two talkers, each alone, and see its weights. Those of Gauss are one over
# the power of the frame, the same for all frequencies.

from anmf.audio import STFT
from anmf.iva import Gauss

talkers = pairs[0][1]
spectra = [STFT(n_fft=N_FFT).transform(talker).T for talker in talkers.T]
power = np.abs(np.stack(spectra, axis=1)) ** 2  # (n_frequencies, n_sources, n_frames)
power /= power.mean(axis=(0, 2), keepdims=True)
learned, *_ = model.update(power, model.start(power.shape, None, None, power), xp=np)
gauss = Gauss().weight(power.mean(axis=0, keepdims=True), xp=np) * np.ones_like(power)

# %%
# All in one picture
# ------------------
# Top, the first talker, and the weights of both models. Both turn to where the talker is quiet,
# since what is left there is of others; the learned ones also tell frequencies apart. Below, how
# training went, and what it brings.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(2, 3, figsize=(13, 6.6), layout="constrained")
panels = {"power of a talker": power, "weights, gauss": gauss, "weights, learned": learned}
for ax, (title, values) in zip(axes[0], panels.items(), strict=True):
    level = 10 * np.log10(values[:, 0] + 1e-8)
    level -= np.median(level) if values is not power else level.max()
    low, high, cmap = (-60, 0, "magma") if values is power else (-30, 30, "RdBu_r")
    picture = ax.imshow(
        level, origin="lower", aspect="auto", cmap=cmap, vmin=low, vmax=high,
        extent=(0, len(talkers) / RATE, 0, RATE / 2000),
    )  # fmt: skip
    ax.set(title=title, xlabel="time (s)", ylabel="frequency (kHz)", xlim=(0, 4))
    fig.colorbar(picture, ax=ax, label="dB below the peak" if values is power else "dB re median")

COLOURS = {"gauss": "#777777", "learned": "#D55E00"}
steps = np.arange(1, model.n_iter_ + 1)
mean = np.convolve(model.loss_, np.ones(10) / 10, mode="valid")
axes[1, 0].plot(steps, model.loss_, color="0.8", label="a step")
axes[1, 0].plot(steps[9:], mean, color="#0072B2", label="mean of 10")
checked = [*range(100, model.n_iter_, 100), model.n_iter_]
axes[1, 0].plot(checked, model.held_out_loss_, "D", color="#D55E00", label="held out")
axes[1, 0].set(title="training", xlabel="step", ylabel="loss (dB)")
for name, values in curves.items():
    axes[1, 1].plot(iterations, values, "o-", color=COLOURS[name], label=name)
axes[1, 1].set(title="unseen rooms, two talkers", xlabel="iteration", xscale="log")
axes[1, 1].set(ylabel="SI-SDR improvement (dB)")
axes[1, 1].set_xticks(iterations, iterations)
axes[1, 1].minorticks_off()
for k, name in enumerate(MODELS):
    values = [table[case, name] for case in cases]
    places = np.arange(len(cases)) + 0.38 * (k - 0.5)
    axes[1, 2].bar(places, values, 0.36, color=COLOURS[name], label=name)
axes[1, 2].set_xticks(range(len(cases)), [case.replace(", ", "\n") for case in cases])
axes[1, 2].set(title="unseen rooms, 20 iterations", ylabel="SI-SDR improvement (dB)")
for ax in axes[1]:
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(frameon=False)
axes[1, 2].set_ylim(top=1.3 * max(table.values()))  # room for the legend
plt.show()
