"""
Two talkers, one microphone
===========================

With one microphone, nothing tells where a sound comes from; all there is to go by is what voices
are like. *Deep clustering* has a network give every bin of a spectrogram a direction, such that
bins of one talker agree and those of others don't. Clusters of directions are then the masks of
the talkers. :class:`anmf.deep.DeepClustering` learns such a network, in NumPy. Voices are
synthetic here, and training takes seconds: enough to see it work, far too little for real speech,
for which :func:`anmf.deep.load_deep_clustering` gives a network that comes with the package.
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


def talk(seed, seconds=2.5):
    """Two voices, (n_times, 2)."""
    return make_voices(2, seconds, sample_rate=RATE, random_state=seed).waveforms


known = [talk(seed) for seed in range(12 if QUICK else 48)]

# %%
# Train
# -----
# None stands for mixtures that are the sums of their sources; excerpts then combine voices anew in
# every step. The network is much smaller than the default one.

from anmf.deep import DeepClustering

model = DeepClustering(
    sample_rate=RATE, embedding_size=12, width=48, hidden=48, dilations=(1, 2, 4, 8), duration=1.0,
    batch_size=2, max_iter=20 if QUICK else 700, learning_rate=1e-2, random_state=0,
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

unseen = [talk(1000 + i, 4.0) for i in range(2 if QUICK else 10)]


def improvement(separator, voices):
    """Mean over voices, in dB."""
    mixture = voices.sum(axis=1)
    return si_sdr_improvement(voices, separator.separate(mixture), mixture, permute=True).mean()


gains = {}
for mask in ("soft", "hard"):
    model.set_params(mask=mask)
    gains[f"{mask} masks"] = [improvement(model, voices) for voices in unseen]

# %%
# Listen
# ------
# To the mixture that is separated about as well as most. Talkers come in any order: that which
# agrees with the truth is played. All players share one gain, so that levels compare.

from anmf.metrics import pairwise, si_sdr, solve_permutation
from anmf.plotting import listen

voices = unseen[np.argsort(gains["soft masks"])[len(unseen) // 2]]
mixture = voices.sum(axis=1)
separated = model.set_params(mask="soft").separate(mixture)
separated = separated[:, solve_permutation(pairwise(si_sdr, voices, separated))]
listen(
    {
        "mixture": mixture,
        "voice 1, separated": separated[:, 0],
        "voice 1, true": voices[:, 0],
        "voice 2, separated": separated[:, 1],
        "voice 2, true": voices[:, 1],
    },
    RATE,
)

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
print(f"mean improvement of the SI-SDR in {len(unseen)} mixtures")
for name, values in gains.items():
    print(f"{name:10} {np.mean(values):5.1f} dB")

# %%
# Masks
# -----
# ``transform`` gives the directions themselves, here of the mixture above; their clusters give the
# masks. Bins more than 40 dB below the loudest are left grey, as they hardly count.

import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

from anmf.deep.soft_masks import embedding_masks

truth = dominance(voices)
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
print(f"of the bins within 40 dB of the loudest, {right:.0%} go to the right talker")

BLUE, ORANGE = "#0072B2", "#E69F00"
cmap = LinearSegmentedColormap.from_list("talkers", [BLUE, "white", ORANGE])
cmap.set_bad("0.85")
fig, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained", sharex=True, sharey=True)
view = {"origin": "lower", "aspect": "auto", "extent": (0, len(mixture) / RATE, 0, RATE / 2000)}
level = 20 * np.log10(magnitude / magnitude.max() + 1e-6)
picture = axes[0, 0].imshow(level.T, cmap="magma", vmin=-60, vmax=0, **view)
axes[0, 0].set(title="mixture", xlim=(0, 2))
fig.colorbar(picture, ax=axes[0, 0], label="dB below the peak")
panels = {"louder voice, true": truth, "hard mask": masks["hard"], "soft mask": masks["soft"]}
for ax, (title, share) in zip(axes.flat[1:], panels.items(), strict=True):
    picture = ax.imshow(np.where(loud, share, np.nan).T, cmap=cmap, vmin=0, vmax=1, **view)
    ax.set_title(title)
    fig.colorbar(picture, ax=ax, label="share of voice 2")
for ax in axes[1]:
    ax.set_xlabel("time (s)")
for ax in axes[:, 0]:
    ax.set_ylabel("frequency (kHz)")
plt.show()

# %%
# Directions, and what they are worth
# -----------------------------------
# Directions have 12 components; the two in which they differ most are shown, a dot a bin. Right,
# every unseen mixture, and the mean of all.

rng = np.random.default_rng(0)
shown = rng.choice(np.flatnonzero(loud), 3000, replace=False)
points = directions.reshape(-1, directions.shape[-1])[shown]
points = points - points.mean(axis=0)
points = points @ np.linalg.svd(points, full_matrices=False)[2][:2].T
colours = np.where(truth.flat[shown] == 1, ORANGE, BLUE)

fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
axes[0].scatter(*points.T, c=colours, s=6, alpha=0.5, lw=0)
for colour, name in ((BLUE, "voice 1"), (ORANGE, "voice 2")):
    axes[0].plot([], [], "o", color=colour, ms=5, label=f"{name} louder")
axes[0].legend(loc="lower center", ncols=2)
axes[0].set(title="directions of bins", xlabel="first component", ylabel="second component")
axes[0].set_aspect("equal", adjustable="datalim")
for k, values in enumerate(gains.values()):
    axes[1].plot(values, [k] * len(values), "o", color="#009E73", alpha=0.5)
    axes[1].plot(np.mean(values), k, "|", ms=26, mew=2.5, color="#222222")
axes[1].axvline(0, color="0.6", lw=1)
axes[1].set_yticks(range(len(gains)), list(gains))
axes[1].set(ylim=(len(gains) - 0.5, -0.5), xlabel="SI-SDR improvement (dB)")
axes[1].set_title("unseen voices")
axes[1].grid(alpha=0.3)
plt.show()
