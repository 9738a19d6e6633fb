"""
Who speaks when, from speaker embeddings
========================================

A *speaker embedding* is a list of numbers that a network makes of a second or two of speech: close
for the same voice, apart for different ones. :class:`anmf.SVDDecorrelator` takes those of one
recording, and finds how many people talk, what the embedding of each is, and who talks when, also
where two talk at once. Nobody has to say a word for it beforehand. The embeddings are synthetic
here, so that the truth is known; of your own, pass what any extractor gives, one segment a row.
"""

# %%
# A world of voices
# -----------------
# An embedding has 64 numbers. All have a large part in common, here ``everybody``; what a person
# adds to it is ``own``. No two segments are alike, even of the same voice: that is the noise, which
# is much stronger in some directions than in others, and nearly as long as what tells people apart.

import numpy as np

rng = np.random.default_rng(0)
SIZE = 64


def spectrum(decay, length):
    """Random axes, long in few directions and short in most; ``length`` is that of a row."""
    variance = np.arange(1.0, SIZE + 1) ** -decay
    axes = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    return length * np.sqrt(variance / variance.sum())[:, None] * axes


VOICES, NOISE = spectrum(0.5, 1.0), spectrum(0.7, 0.8)
everybody = 1.2 * rng.normal(size=SIZE) @ VOICES


def people(n):
    """What each of n new people adds, one a row."""
    return rng.normal(size=(n, SIZE)) @ VOICES


def noise(n):
    """How n segments differ from what they would be."""
    return rng.normal(size=(n, SIZE)) @ NOISE


# %%
# Learn from other people
# -----------------------
# ``fit`` takes segments of a crowd, and who each is of: here 150 people, ten segments each. From
# them it learns the mean of all voices, and which differences are between people and which only
# between segments. With ``covariance="within"`` the latter become equally strong in all directions,
# so that they can drown nobody out. Where embeddings are sums of what people add, as here at first,
# speakers are best counted by the singular values that stand out of such noise: that is the rule
# ``"gavish-donoho"``. No one of the crowd is heard again below.

from anmf import SVDDecorrelator

crowd = people(150)
who = np.repeat(np.arange(150), 10)
singles = everybody + crowd[who] + noise(len(who))
model = SVDDecorrelator(covariance="within", n_speakers="gavish-donoho", random_state=0)
model.fit(singles, who)
print(f"learnt from {model.n_samples_seen_} segments of {len(crowd)} people")

# %%
# A conversation of strangers
# ---------------------------
# Three new people take turns for 72 segments, and sometimes one talks into the turn of another.
# Then the segment is a sum of both. Seen from the mean of the crowd, each segment is thus a sum of
# what three people add, never a difference: all segments lie in a *cone* that has the three people
# as its edges.


def conversation(n, n_people, overlap):
    """How loud each person is in each of n segments, (n, n_people)."""
    turns = rng.integers(1, n_people, size=n).cumsum() % n_people  # never the same twice
    first = np.repeat(turns, rng.integers(3, 8, size=n))[:n]
    second = (first + np.repeat(rng.integers(1, n_people, size=n), 3)[:n]) % n_people
    both = np.repeat(rng.random(n) < overlap, 3)[:n]
    share = np.where(both, rng.uniform(0.3, 0.5, n), 0)
    talk = np.zeros((n, n_people))
    talk[np.arange(n), first] = 1 - share
    talk[np.arange(n), second] += share
    return talk


def record(talk, own):
    """Embeddings of segments that are sums of what they hold."""
    return everybody + talk @ own + noise(len(talk))


own = people(3)
talk = conversation(72, 3, overlap=0.35) * rng.uniform(0.7, 1.3, size=(72, 1))
X = record(talk, own)

# %%
# Take it apart
# -------------
# ``separate`` returns what is each speaker's in each segment, and leaves the rest in attributes.
# Speakers come in any order. The true ones are looked at only now, to compare: by the cosine, as
# seen from the mean of the crowd, since the large common part makes everybody look alike.

from anmf.metrics import centred_cosine, pairwise_cosine, speaker_error_rate

parts = model.separate(X)
true = everybody + own
cosines, order = centred_cosine(true, model.speaker_embeddings_, mean=model.mean_)
found = model.speaker_embeddings_[order]
table = pairwise_cosine(true, found, mean=model.mean_)
others = table[~np.eye(3, dtype=bool)]
print(f"\n{model.n_speakers_} speakers found; cosine to the true ones", cosines.round(2))
print(f"to the two others, between {others.min():.2f} and {others.max():.2f}")

# %%
# Who talks? The error counts what was missed, made up, or given to the wrong one.

talks = model.talking_[:, order]
error = speaker_error_rate(talk > 0, talks)
both = (talk > 0).sum(axis=1) > 1
print(f"who speaks when: {error.rate:.1%} of the speaking time is wrong")
print(f"overlap: {both.sum()} segments, {(both & model.overlap_).sum()} of them found,", end=" ")
print(f"{(~both & model.overlap_).sum()} made up")

# %%
# The parts of a segment add up to it, noise and all. True parts for comparison: what each person
# adds, with everything else in proportion.

share = (talk / talk.sum(axis=1, keepdims=True))[:, :, None]
true_parts = talk[:, :, None] * own + share * (X - talk @ own)[:, None]
print(f"parts against true parts: {model.score(X, true_parts):.1f} dB")
print(f"they add up to the recording within {np.abs(parts.sum(axis=1) - X).max():.0e}")

# %%
# The more they interrupt each other
# ----------------------------------
# k-means takes the mean of all segments of a cluster; where somebody else talks in some, that lies
# between the two. The cone goes by its edges, where people are most alone. Both are told that there
# are three people, in eight conversations at every share of overlap.

from sklearn.cluster import KMeans

OVERLAPS, N_REPEATS = [0.0, 0.2, 0.4, 0.6, 0.8], 8


def kmeans(X):
    """Centres of three clusters."""
    return KMeans(3, n_init=10, random_state=0).fit(X).cluster_centers_


def separated(model, X):
    """Embeddings of three speakers."""
    model.set_params(n_speakers=3).separate(X)
    return model.speaker_embeddings_


def compare(methods, record):
    """Mean cosine of each method at each share of overlap, arrays (n_overlaps,)."""
    scores = {name: np.zeros((len(OVERLAPS), N_REPEATS)) for name in methods}
    for i, j in np.ndindex(len(OVERLAPS), N_REPEATS):
        own = people(3)
        X = record(conversation(72, 3, OVERLAPS[i]), own)
        for name, method in methods.items():
            found = method(X)
            scores[name][i, j] = centred_cosine(everybody + own, found, mean=model.mean_)[0].mean()
    return {name: values.mean(axis=1) for name, values in scores.items()}


def show(title, curves):
    print(f"\n{title:22}" + "".join(f"{overlap:6.0%}" for overlap in OVERLAPS))
    for name, values in curves.items():
        print(f"{name:22}" + "".join(f"{value:6.2f}" for value in values))


methods = {"k-means": kmeans, "cone": lambda X: separated(model, X)}
sums = compare(methods, record)
show("cosine, sums; overlap", sums)

# %%
# When two voices are not a sum
# -----------------------------
# Real extractors were trained on single voices. What they make of two at once is no sum: overlapped
# segments have something in common that is nobody's, and less is left of either speaker. Such
# segments don't lie in the cone.

WITH_TWO = 0.5 * rng.normal(size=SIZE) @ VOICES


def record_of_network(talk, own):
    """Embeddings with a mean of their own and less of the speakers, where two talk."""
    two = (talk > 0).sum(axis=1, keepdims=True) > 1
    return everybody + np.where(two, WITH_TWO + 0.8 * talk @ own, talk @ own) + noise(len(talk))


# %%
# So ``fit`` is given examples: 600 segments in which two of the crowd talk. Then ``y`` has two
# columns, both speakers, and -1 for none. With overlapped rows seen, ``separate`` uses the second
# model, the *pair mixture*: each segment is of one speaker or of a pair. Its activations are
# probabilities. Where nobody interrupts, there is nothing to gain by it.

pairs = np.stack([rng.choice(150, size=2, replace=False) for _ in range(600)])
louder = rng.uniform(0.5, 0.7, size=(600, 1))
mixed = np.zeros((600, 150))
np.put_along_axis(mixed, pairs, np.hstack([louder, 1 - louder]), axis=1)

y = np.concatenate([np.stack([who, np.full(len(who), -1)], axis=1), pairs])
pair_model = SVDDecorrelator(random_state=0)
pair_model.fit(np.concatenate([singles, record_of_network(mixed, crowd)]), y)

methods["pair mixture"] = lambda X: separated(pair_model, X)
network = compare(methods, record_of_network)
show("cosine, not sums", network)

# %%
# Nor does it need to be told how many there are: it counts by evidence. Where most segments are
# overlapped, that begins to go wrong.

pair_model.set_params(n_speakers=None)
print("\ncounted in ten conversations of three")
for overlap in OVERLAPS:
    counts = []
    for _ in range(10):
        pair_model.separate(record_of_network(conversation(72, 3, overlap), people(3)))
        counts.append(pair_model.n_speakers_)
    print(f"  overlap {overlap:4.0%}:", *counts)

# %%
# The first conversation in a picture
# -----------------------------------
# Left, its two leading singular directions, which hold the most of it; a third one, not shown,
# sticks out of the paper. A dot in two colours is a segment of two people. Below, who talks when:
# true above, found beneath, and shaded where two are found at once.

import matplotlib.pyplot as plt

COLOURS = ["#0072B2", "#E69F00", "#009E73"]  # told apart by the colour-blind too
STYLES = {"k-means": ("#777777", "s"), "cone": ("#D55E00", "o"), "pair mixture": ("#7B3294", "D")}
NAMES = ["Ada", "Ben", "Cleo"]
INK, DASHED = "#222222", {"color": "#222222", "lw": 1.4, "ls": (0, (4, 3))}


def plot_cone(ax):
    """Segments in two directions, as seen from the mean of the crowd, and the edges."""
    Z = model.transform(X)
    axes = np.linalg.svd(Z, full_matrices=False)[2][:2]
    axes *= np.sign(axes @ Z.mean(axis=0))[:, None]
    Y, *edges = (z @ axes.T for z in (Z, model.transform(found), model.transform(true)))
    reach = 1.1 * np.linalg.norm(Y, axis=1).max()
    edges = [reach * e / np.linalg.norm(e, axis=1, keepdims=True) for e in edges]
    for edge, true_edge, name, colour in zip(*edges, NAMES, COLOURS, strict=True):
        ax.plot([0, edge[0]], [0, edge[1]], color=colour, lw=3.5, alpha=0.8, zorder=1)
        ax.plot([0, true_edge[0]], [0, true_edge[1]], **DASHED, zorder=2)
        ax.text(*1.1 * edge, name, color=colour, ha="center", va="center", weight="bold")
    for point, weights in zip(Y, talk, strict=True):
        loudest = [COLOURS[k] for k in np.argsort(-weights) if weights[k] > 0]
        style = {"fillstyle": "left", "mfcalt": loudest[1]} if len(loudest) > 1 else {}
        ax.plot(*point, "o", color=loudest[0], ms=7.5, mew=0.5, mec="white", zorder=3, **style)
    ax.plot(0, 0, "+", color=INK, ms=13, mew=1.6, zorder=4)
    ax.text(0, -0.06 * reach, "mean of\nthe crowd", ha="center", va="top", fontsize=9)
    ax.plot([], [], color="#999999", lw=3.5, label="edge, found")
    ax.plot([], [], **DASHED, label="edge, true")
    ax.plot([], [], "o", color=COLOURS[0], mfcalt=COLOURS[2], fillstyle="left", ms=7.5,
            mew=0, label="two at once")  # fmt: skip
    ax.legend(loc="upper right", frameon=False)
    ax.set(title="segments lie in a cone", aspect="equal", xticks=[], yticks=[])
    ax.set(xlabel="first singular direction", ylabel="second singular direction")
    ax.margins(0.12)


def plot_table(ax):
    """Cosines of the true speakers with those found."""
    ax.imshow(table, cmap="Greys", vmin=0, vmax=1.2)
    for i, j in np.ndindex(table.shape):
        colour = "white" if table[i, j] > 0.6 else INK
        ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=colour)
    ax.set(title="cosine, true with found", xlabel="speaker found")
    ax.set_xticks(range(3), [f"{k}" for k in order])
    ax.set_yticks(range(3), NAMES)
    ax.tick_params(length=0)


def runs(active):
    """Beginning and length of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, active, 0]))
    return list(zip(edges[::2], edges[1::2] - edges[::2], strict=True))


def plot_lanes(ax):
    """Who talks when: a lane a speaker, true above and found beneath."""
    for start, length in runs(talks.sum(axis=1) > 1):
        ax.axvspan(start, start + length, color="#E3E3E3", lw=0)
    for k, colour in enumerate(COLOURS):
        ax.broken_barh(runs(talk[:, k] > 0), (k - 0.32, 0.16), color=INK, lw=0)
        ax.broken_barh(runs(talks[:, k]), (k - 0.12, 0.44), color=colour, lw=0)
    ax.set_yticks(range(3), NAMES)
    ax.set(xlim=(0, len(talk)), ylim=(2.5, -0.5), xlabel="segment")
    ax.set_title(f"who talks when: {error.rate:.1%} wrong (black: true; colour: found; "
                 "shaded: two at once, found)")  # fmt: skip


fig = plt.figure(figsize=(10, 8), layout="constrained")
top, bottom = fig.add_gridspec(2, 1, height_ratios=[1.6, 1], hspace=0.06)
grid = top.subgridspec(1, 2, width_ratios=[1.5, 1], wspace=0.1)
axes = [fig.add_subplot(grid[i]) for i in range(2)]
plot_cone(axes[0])
plot_table(axes[1])
lanes = fig.add_subplot(bottom)
plot_lanes(lanes)
for ax in (axes[1], lanes):
    for label, colour in zip(ax.get_yticklabels(), COLOURS, strict=True):
        label.set(color=colour, weight="bold")
for ax in fig.axes:
    ax.spines[["top", "right"]].set_visible(False)
axes[1].spines[:].set_visible(False)
plt.show()

# %%
# Overlap in a picture
# --------------------
# The more people interrupt each other, the more it pays to know that segments hold two of them.


def plot_curves(ax, curves, title):
    """Mean cosines over the share of overlap."""
    for name, values in curves.items():
        colour, marker = STYLES[name]
        ax.plot(100 * np.array(OVERLAPS), values, color=colour, marker=marker, ms=6, label=name)
    ax.set(title=title, xlabel="overlap (%)", xticks=range(0, 81, 20))
    ax.grid(alpha=0.3)


fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
plot_curves(axes[0], sums, "two voices are a sum")
plot_curves(axes[1], network, "two voices aren't a sum")
axes[0].set_ylabel("cosine to the true speakers")
axes[1].legend(loc="lower left", frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
