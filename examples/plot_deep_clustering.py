"""
Two talkers, one microphone
===========================

With one microphone, nothing tells where a sound comes from; all there is to go by is what voices
are like. *Deep clustering* has a network give every bin of a spectrogram a direction, such that
bins of one talker agree and those of others don't. Clusters of directions are then the masks of
the talkers. :class:`anmf.deep.DeepClustering` learns such a network, in NumPy. Voices are
synthetic here, and training takes about a minute: enough to see it work, far too little for real
speech.
"""

# %%
# Mixtures to learn from
# ----------------------
# Training wants the voices that a mixture is made of: an array (n_times, n_sources) for each. No
# two mixtures have a voice in common.

import sys

from anmf.datasets import make_voices

QUICK = "--quick" in sys.argv[1:]  # a trial run, too short to learn much
RATE = 8000


def talk(seed, seconds=3.0):
    """Two voices, (n_times, 2)."""
    return make_voices(2, seconds, sample_rate=RATE, random_state=seed).waveforms


known = [talk(seed) for seed in range(16 if QUICK else 120)]

# %%
# Train
# -----
# None stands for mixtures that are the sums of their sources. The network is much smaller than the
# default one, and looks 17 frames, a seventh of a second, to either side.

from anmf.deep import DeepClustering

model = DeepClustering(
    sample_rate=RATE, embedding_size=12, width=64, hidden=64, dilations=(1, 2, 4, 8), duration=1.5,
    batch_size=6, max_iter=20 if QUICK else 600, learning_rate=5e-3, random_state=0,
)  # fmt: skip
model.fit(None, known)
print(f"loss {model.loss_[:20].mean():.3f} -> {model.loss_[-20:].mean():.3f}")

# %%
# Voices never heard before
# -------------------------
# A soft mask shares a bin out by how near its direction is to the middle of each cluster, a hard
# one gives it to the nearest. Soft ones are safer where the network is in doubt.

import numpy as np

from anmf.metrics import si_sdr_improvement

unseen = [talk(1000 + i, 4.0) for i in range(2 if QUICK else 20)]


def improvement(separator, voices):
    """Mean over voices, in dB."""
    mixture = voices.sum(axis=1)
    return si_sdr_improvement(voices, separator.separate(mixture), mixture, permute=True).mean()


gains = {}
for mask in ("soft", "hard"):
    model.set_params(mask=mask)
    gains[f"{mask} masks"] = [improvement(model, voices) for voices in unseen]

# %%
# An embedding of your own
# ------------------------
# A function from magnitudes (n_frames, n_bins) to directions can take the place of the network:
# one that was trained elsewhere, say. This one cheats: it knows which voice is louder, and points
# bins of the first one way and those of the second another. A network can hardly do better.

from anmf.deep.spectra import active_bins, to_spectra


def dominance(voices):
    """Which voice is the louder one in each bin, (n_frames, n_bins)."""
    return np.abs(to_spectra(voices.T)).argmax(axis=0)


def perfect(voices):
    """Deep clustering by the truth."""
    return DeepClustering(embedding=lambda magnitude: np.eye(2)[dominance(voices)], mask="hard")


gains["the truth"] = [improvement(perfect(voices), voices) for voices in unseen]
print(f"\nmean improvement of the SI-SDR in {len(unseen)} mixtures")
for name, values in gains.items():
    print(f"{name:10} {np.mean(values):5.1f} dB")

# %%
# Directions and masks
# --------------------
# ``transform`` gives the directions themselves, here of the mixture that is separated about as well
# as most. Talkers come in any order: that which agrees with the truth is shown.

from anmf.deep.soft_masks import embedding_masks

voices = unseen[np.argsort(gains["soft masks"])[len(unseen) // 2]]
mixture, truth = voices.sum(axis=1), dominance(voices)
magnitude = np.abs(to_spectra(mixture))
loud = active_bins(magnitude, xp=np, level=40)
directions = model.transform(mixture)  # (n_frames, n_bins, embedding_size)
masks = {
    kind: embedding_masks(directions, magnitude, 2, xp=np, kind=kind, random_state=0)[:, 1]
    for kind in ("hard", "soft")
}
right = np.mean(masks["hard"][loud] == truth[loud])
if right < 0.5:
    masks, right = {kind: 1 - mask for kind, mask in masks.items()}, 1 - right
print(f"\nof the bins within 40 dB of the loudest, {right:.0%} go to the right talker")

# %%
# All in one picture
# ------------------
# Directions have 12 components; the two in which they differ most are shown, a dot a bin. Bins more
# than 40 dB below the loudest are left grey in the masks, as they hardly count.

import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

BLUE, ORANGE = "#0072B2", "#E69F00"
cmap = LinearSegmentedColormap.from_list("talkers", [BLUE, "white", ORANGE])
cmap.set_bad("0.85")
fig, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
view = {"origin": "lower", "aspect": "auto", "extent": (0, len(mixture) / RATE, 0, RATE / 2000)}
level = 20 * np.log10(magnitude / magnitude.max() + 1e-6)
picture = axes[0, 0].imshow(level.T, cmap="magma", vmin=-60, vmax=0, **view)
fig.colorbar(picture, ax=axes[0, 0], label="dB below the peak")
panels = {"louder voice, true": truth, "hard mask": masks["hard"], "soft mask": masks["soft"]}
for ax, (title, share) in zip(axes.flat[[1, 3, 4]], panels.items(), strict=True):
    picture = ax.imshow(np.where(loud, share, np.nan).T, cmap=cmap, vmin=0, vmax=1, **view)
    ax.set_title(title)
fig.colorbar(picture, ax=axes[1, 1], label="share of the second voice")
axes[0, 0].set_title("mixture")
for ax in axes.flat[[0, 1, 3, 4]]:
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)", xlim=(0, 2))

rng = np.random.default_rng(0)
shown = rng.choice(np.flatnonzero(loud), 3000, replace=False)
points = directions.reshape(-1, directions.shape[-1])[shown]
points = points - points.mean(axis=0)
points = points @ np.linalg.svd(points, full_matrices=False)[2][:2].T
colours = np.where(truth.flat[shown] == 1, ORANGE, BLUE)
axes[0, 2].scatter(*points.T, c=colours, s=5, alpha=0.5, lw=0)
for colour, name in ((BLUE, "first"), (ORANGE, "second")):
    axes[0, 2].plot([], [], "o", color=colour, ms=5, label=f"{name} voice louder")
axes[0, 2].legend(frameon=False, loc="lower center")
axes[0, 2].set(title="directions of bins", xlabel="first component", ylabel="second component")
axes[0, 2].set_aspect("equal", adjustable="datalim")

for k, values in enumerate(gains.values()):
    axes[1, 2].plot(values, [k] * len(values), "o", color="#009E73", alpha=0.5)
    axes[1, 2].plot(np.mean(values), k, "|", ms=26, mew=2.5, color="#222222")
axes[1, 2].axvline(0, color="0.6", lw=1)
axes[1, 2].set_yticks(range(len(gains)), list(gains))
axes[1, 2].set(ylim=(len(gains) - 0.5, -0.5), xlabel="SI-SDR improvement (dB)")
axes[1, 2].set_title("unseen voices, and their mean")
axes[1, 2].grid(alpha=0.3)
plt.show()
