"""
Two microphones, two talkers
============================

:class:`anmf.AuxIVA` takes apart what several people say at once. It needs as many microphones as
talkers, and nothing else: no examples of a voice, no positions, no training. The voices are
synthetic here, and so is the room; of your own, pass what ``soundfile.read`` returns.
"""

# %%
# A recording
# -----------
# Sixteen seconds of two voices, in a room where sound takes 0.2 s to fall by 60 dB. The two
# microphones are 10 cm apart, hear both talkers about equally loud, and hiss a little.

from anmf.datasets import make_voices, simulate_room


def record(n_talkers, seed, seconds=16.0):
    """As many talkers as microphones, somewhere in a room."""
    voices = make_voices(n_talkers, seconds, random_state=seed).waveforms
    return simulate_room(voices, n_channels=n_talkers, rt60=0.2, noise_level=-50, random_state=seed)


room = record(2, seed=0)
rate, mixture = room.sample_rate, room.mixture  # (n_times, n_channels)
talkers = room.images[:, :, 0]  # what the first microphone hears of each talker

# %%
# Two tracks
# ----------
# A row of the input is one instant of all microphones, as with scikit-learn's ``FastICA``. Tracks
# come in any order: that which fits the talkers best is used to compare.

import time

import numpy as np

from anmf import AuxIVA
from anmf.metrics import pairwise, si_sdr, solve_permutation


def in_order(tracks, talkers):
    """Tracks in the order of the talkers."""
    return tracks[:, solve_permutation(pairwise(si_sdr, talkers, tracks))]


AuxIVA(max_iter=1).fit(mixture)  # compiles, the first time on a computer
began = time.perf_counter()
model = AuxIVA()
tracks = in_order(model.fit_transform(mixture), talkers)
print(f"{len(mixture) / rate:.0f} s of sound in {time.perf_counter() - began:.2f} s")
for k in range(2):
    before, after = si_sdr(talkers[:, k], mixture[:, 0]), si_sdr(talkers[:, k], tracks[:, k])
    print(f"talker {k + 1}: SI-SDR {before:.1f} -> {after:.1f} dB")

# %%
# ``separate`` gives what *each* microphone hears of each talker. These images sum to the recording.

images = model.separate(mixture)  # (n_times, n_sources, n_channels)
print(f"images sum to the recording within {np.abs(images.sum(axis=1) - mixture).max():.0e}")

# %%
# Listen
# ------
# Four seconds of it. All players share one gain, so that levels compare. Notebooks show them too;
# :func:`anmf.audio.write_audio` writes tracks to files.

from anmf.plotting import listen

start = slice(4 * rate)
listen(
    {
        "microphone 1": mixture[start, 0],
        "track 1": tracks[start, 0],
        "talker 1, alone": talkers[start, 0],
        "track 2": tracks[start, 1],
        "talker 2, alone": talkers[start, 1],
    },
    rate,
)

# %%
# And see: what is dark between the syllables of a talker should be dark in the track.

import matplotlib.pyplot as plt

from anmf.audio import STFT

views = {
    (0, 0): ("microphone 1", mixture[:, 0]),
    (0, 1): ("track 1", tracks[:, 0]),
    (0, 2): ("track 2", tracks[:, 1]),
    (1, 0): ("microphone 2", mixture[:, 1]),
    (1, 1): ("talker 1, alone", talkers[:, 0]),
    (1, 2): ("talker 2, alone", talkers[:, 1]),
}
fig, axes = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained", sharex=True, sharey=True)
peak = np.abs(STFT().transform(mixture[:, 0])).max()
for place, (title, x) in views.items():
    size = np.abs(STFT().transform(x)).T / peak
    picture = axes[place].imshow(
        20 * np.log10(size + 1e-6), origin="lower", aspect="auto", cmap="magma", vmin=-65, vmax=-10,
        extent=(0, len(x) / rate, 0, rate / 2000),
    )  # fmt: skip
    axes[place].set(title=title, xlim=(0, 4), ylim=(0, 4))
for ax in axes[1]:
    ax.set_xlabel("time (s)")
for ax in axes[:, 0]:
    ax.set_ylabel("frequency (kHz)")
fig.colorbar(picture, ax=axes[:, 2], label="level (dB)")
plt.show()

# %%
# Models of sources
# -----------------
# What talkers are taken to be like, and how demixing is updated, both count. Laplace with IP is
# AuxIVA as it was first published; 'gauss' follows the loudness of a frame; 'nmf', known as ILRMA,
# learns recurring spectra; 'cliques', the default, follows groups of frequencies. A single room
# says little, so here are three, each with other talkers.

settings = {
    "cliques, iss2": {},
    "cliques, ip": {"update": "ip"},
    "gauss, iss2": {"source_model": "gauss"},
    "nmf, iss2": {"source_model": "nmf", "random_state": 0},
    "laplace, ip": {"source_model": "laplace", "update": "ip"},
}
rooms = [room, *(record(2, seed) for seed in range(1, 3))]


def score(data, **parameters):
    """Mean SI-SDR of the talkers at the first microphone in dB."""
    return AuxIVA(**parameters).fit(data.mixture).score(data.mixture, data.images[:, :, 0])


scores = {
    name: [score(data, **chosen) for data in rooms]  # of 20 iterations
    for name, chosen in settings.items()
}
print("SI-SDR in three rooms (dB), and their mean")
for name, values in scores.items():
    print(f"{name:14}", *(f"{value:6.1f}" for value in [*values, np.mean(values)]))

# %%
# Three of each
# -------------
# More talkers are harder: each has to be told from two others.

trio = record(3, seed=0, seconds=20.0)
print("three talkers, SI-SDR (dB):")
print(f"  as recorded {si_sdr(trio.images[:, :, 0], trio.mixture[:, :1], axis=0).mean():.1f}")
print(f"  after 20 iterations {score(trio):.1f}")

# %%
# How many iterations?
# --------------------
# Left, the objective: the default begins with one clique of all frequencies, which puts them into
# one order, and falls when the others come in, after ten iterations. Middle, more iterations than
# 20 change little for the default. Right, what the settings are worth.

from anmf.plotting import plot_objective

iterations = [1, 5, 10, 15, 20, 40]
curves = {
    name: [score(room, max_iter=n, **settings[name]) for n in iterations]
    for name in ("cliques, iss2", "gauss, iss2", "laplace, ip")
}

fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
plot_objective(AuxIVA(max_iter=40).fit(mixture), ax=axes[0])
axes[0].set_title("objective, 'cliques', iss2")
for k, (name, values) in enumerate(scores.items()):
    if name in curves:
        axes[1].plot(iterations, curves[name], "o-", ms=4, color=f"C{k}")
    axes[2].plot(values, [k] * len(values), "o", color=f"C{k}", alpha=0.6)
    axes[2].plot(np.mean(values), k, "|", ms=22, mew=2, color=f"C{k}")
axes[1].set(xlabel="iteration", ylabel="SI-SDR (dB)", title="first room")
axes[2].set(xlabel="SI-SDR (dB)", title="three rooms, and their mean")
axes[2].set_yticks(range(len(scores)), list(scores))
for k, label in enumerate(axes[2].get_yticklabels()):
    label.set_color(f"C{k}")  # the legend of both
axes[2].set_ylim(len(scores) - 0.5, -0.5)
for ax in axes[1:]:
    ax.grid(alpha=0.3)
plt.show()
