"""
Learn what talkers are like
===========================

:class:`anmf.AuxIVA` demixes what several microphones hear. A *source model* tells it what talkers
are like: from the power of each track so far, it gives every bin a weight, and demixing turns to
where weights are high. The usual models are guesses, such as Gauss: one variance for all
frequencies of a frame. :class:`anmf.iva.SurrogateSourceModel` learns the weights instead, with a
small network that is trained by how well AuxIVA separates with it. Voices and rooms are synthetic
here, and training takes seconds: enough to see it work. For real speech,
:func:`anmf.iva.load_surrogate` gives one that comes with the package.
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


def record(n_talkers, seed, seconds=2.5):
    """As many microphones as talkers: the mixture, and the talkers at the first microphone."""
    voices = make_voices(n_talkers, seconds, sample_rate=RATE, random_state=seed).waveforms
    room = simulate_room(
        voices, n_talkers, rt60=(0.1, 0.25), sample_rate=RATE, noise_level=-30, random_state=seed
    )
    return room.mixture, room.images[:, :, 0]


known = [record(2, seed) for seed in range(10 if QUICK else 32)]

# %%
# Train
# -----
# Each step separates four excerpts by 4 to 6 iterations of AuxIVA, and follows the SI-SDR of the
# result back through all of them to the network. Some rooms are held out: their loss, minus the
# SI-SDR, chooses the weights that are kept.

from anmf.iva import SurrogateSourceModel

model = SurrogateSourceModel(
    sample_rate=RATE, n_fft=N_FFT, n_bands=24, width=24, n_iter=(4, 6), lead=10, duration=2.0,
    max_iter=10 if QUICK else 60, learning_rate=3e-3, validation_fraction=0.1, random_state=0,
)  # fmt: skip
model.fit(*zip(*known, strict=True))
size = sum(w.size for w in model.weights_.values())
print(f"{size} numbers learned in {model.n_iter_} steps from {len(known)} rooms")

# %%
# Rooms and voices never heard before
# -----------------------------------
# Fitted, it takes the place of any source model. Here are other voices in other rooms, and how much
# the SI-SDR improves over the microphone, after some iterations. Learned weights are ahead of Gauss
# all along, and most after two or three; more rooms and steps of training bring more. Half of the
# steps of training begin where some iterations have led already (``lead``), which teaches weights
# to keep what they have separated.

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


iterations = [1, 2, 3, 5, 10, 20]
pairs = [record(2, 1000 + i, 8.0) for i in range(2 if QUICK else 4)]
curves = {
    name: [improvement(pairs, chosen, max_iter=n) for n in iterations]
    for name, chosen in MODELS.items()
}
print(f"mean improvement in {len(pairs)} rooms (dB)")
print("iterations", *(f"{n:5}" for n in iterations))
for name, values in curves.items():
    print(f"{name:10}", *(f"{value:5.1f}" for value in values))

# %%
# The same weights elsewhere
# --------------------------
# The network looks at one source at a time, and at the mean of the others. So it serves three
# talkers as well, though it has only heard two. And weights are all that an update needs to know:
# trained through ISS, they work with ISS2, the default above, and with IP.

trios = [record(3, 2000 + i, 8.0) for i in range(2 if QUICK else 4)]
others = {"2 talkers, ip": (pairs, "ip"), "3 talkers, iss2": (trios, "iss2")}
cases = ["2 talkers, iss2", *others]
table = {
    name: [
        curves[name][-1],  # 20 iterations are the default
        *(improvement(rooms, chosen, update=update) for rooms, update in others.values()),
    ]
    for name, chosen in MODELS.items()
}
print("after 20 iterations:   gauss  learned")
for case, *values in zip(cases, *table.values(), strict=True):
    print(f"{case:20}", *(f"{value:5.1f} dB" for value in values))

# %%
# Listen
# ------
# Five seconds of the first room. Tracks are in the order of the talkers, at the level they have at
# the microphone. All players share one gain, so that levels compare.

from anmf.metrics import pairwise, si_sdr, solve_permutation
from anmf.plotting import listen

mixture, talkers = pairs[0]
start = slice(5 * RATE)
tracks = {}
for name, chosen in MODELS.items():
    found = AuxIVA(source_model=chosen, n_fft=N_FFT).fit_transform(mixture)
    tracks[name] = found[:, solve_permutation(pairwise(si_sdr, talkers, found))]
    print(f"{name:8} SI-SDR {si_sdr(talkers, tracks[name], axis=0).mean():.1f} dB")
sounds = {"microphone 1": mixture[start, 0]}
for k in range(2):
    sounds |= {f"talker {k + 1}, {name}": found[start, k] for name, found in tracks.items()}
    sounds[f"talker {k + 1}, alone"] = talkers[start, k]
listen(sounds, RATE)

# %%
# What has it learned?
# --------------------
# Give it the powers of two talkers, each alone, and see its weights for the first one. Those of
# Gauss are one over the power of the frame, the same for all frequencies. Both turn to where the
# talker is quiet, since what is left there is of others; the learned ones also tell frequencies
# apart.

import matplotlib.pyplot as plt

from anmf.audio import STFT
from anmf.iva import Gauss

spectra = [STFT(n_fft=N_FFT).transform(talker).T for talker in talkers.T]
power = np.abs(np.stack(spectra, axis=1)) ** 2  # (n_frequencies, n_sources, n_frames)
power /= power.mean(axis=(0, 2), keepdims=True)
learned, *_ = model.update(power, model.start(power.shape, None, None, power), xp=np)
gauss = Gauss().weight(power.mean(axis=0, keepdims=True), xp=np) * np.ones_like(power)

fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained", sharey=True)
panels = {"power of a talker": power, "weights, gauss": gauss, "weights, learned": learned}
for ax, (title, values) in zip(axes, panels.items(), strict=True):
    level = 10 * np.log10(values[:, 0] + 1e-8)
    level -= np.median(level) if values is not power else level.max()
    low, high, cmap = (-60, 0, "magma") if values is power else (-30, 30, "RdBu_r")
    picture = ax.imshow(
        level, origin="lower", aspect="auto", cmap=cmap, vmin=low, vmax=high,
        extent=(0, len(talkers) / RATE, 0, RATE / 2000),
    )  # fmt: skip
    ax.set(title=title, xlabel="time (s)", xlim=(0, 4))
    if values is not gauss:  # both weights share one bar
        label = "dB below the peak" if values is power else "dB, relative to the median"
        fig.colorbar(picture, ax=ax, label=label)
axes[0].set_ylabel("frequency (kHz)")
plt.show()

# %%
# Training, and what it brings
# ----------------------------
# Left, the loss that training lowers, minus the SI-SDR after the few iterations of a step; excerpts
# differ, so it jumps. Rooms held out have 20 iterations, and a lower loss for it. Middle and right,
# the improvement in unseen rooms.

COLOURS = {"gauss": "#777777", "learned": "#D55E00"}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
steps = np.arange(1, model.n_iter_ + 1)
mean = np.convolve(model.loss_, np.ones(10) / 10, mode="valid")
axes[0].plot(steps, model.loss_, color="0.75", label="a step")
axes[0].plot(steps[9:], mean, color="#0072B2", lw=2, label="mean of ten")
axes[0].plot(model.n_iter_, model.held_out_loss_[-1], "D", color="#D55E00", label="held out")
axes[0].set(title="training", xlabel="step", ylabel="loss (dB)")
for k, (name, values) in enumerate(curves.items()):
    axes[1].plot(iterations, values, "o-", color=COLOURS[name], label=name)
    places = np.arange(len(cases)) + 0.38 * (k - 0.5)
    axes[2].bar(places, table[name], 0.36, color=COLOURS[name], label=name)
axes[1].set(title="two talkers", xlabel="iteration", xscale="log")
axes[1].set(ylabel="SI-SDR improvement (dB)")
axes[1].set_xticks(iterations, iterations)
axes[1].minorticks_off()
axes[2].set_xticks(range(len(cases)), [case.replace(", ", "\n") for case in cases])
axes[2].set(title="20 iterations", ylabel="SI-SDR improvement (dB)")
axes[2].set_ylim(top=1.3 * max(map(max, table.values())))  # room for the legend
for ax in axes:
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(frameon=False)
plt.show()
