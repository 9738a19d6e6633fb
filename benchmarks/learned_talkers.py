"""Does it take apart talkers of one microphone that it never heard?

Deep clustering as it comes with the package, and permutation-invariant training (PIT) of masks,
trained here jointly with deep clustering; beside the ideal binary mask, and clusters of spectral
patches, for which nothing is learned. Mixtures of two talkers of the same sex and of different
ones, and of three with the model of two, 4 s at 8 kHz; further talkers are 0 to 5 dB lower.
"""

from copy import copy
from functools import partial

import numpy as np
import pandas as pd

from anmf import deep
from anmf.deep.spectra import log_features, mixture_and_sources, stack_context, to_waveforms
from anmf.masks import ideal_binary
from anmf.metrics import si_sdr_improvement
from benchmarks import learned_voices
from benchmarks.learned_voices import KINDS, RATE, training_sources, unheard_mixture, unheard_speech
from benchmarks.report import BAR, OTHERS, OURS, Bar, figure, save_figure, save_table
from benchmarks.timing import cpu_seconds

IDEAL, PATCHES, HARD, SOFT, PIT = (
    "ideal binary mask",
    "patches, not trained",
    "deep clustering, hard",
    "deep clustering, soft",
    "PIT",
)
BARS = {
    (SOFT, "same sex"): 3.2,
    (SOFT, "different sex"): 4.7,
    (SOFT, "three talkers"): 2.3,
    (PIT, "same sex"): 1.2,
    (PIT, "different sex"): 3.7,
}
"""Mean SI-SDR improvement in dB."""
PATCH = 5
"""Frames and bins of a patch."""
TINY = {
    "embedding_size": 4, "width": 8, "hidden": 8, "dilations": (1, 2), "batch_size": 2,
    "duration": 1.0, "max_iter": 4,
}  # fmt: skip
FULL = {
    "n_mixtures": 30,
    "first": 0,
    "seconds": 4.0,
    "training": {"n_mixtures": 3000, "seconds": 4.0, "seed": 0},
    "settings": {"max_iter": 9000, "duration": 4.0, "batch_size": 4, "remix": True},
    "tiny": None,
}
QUICK = {
    "n_mixtures": 2,
    "first": 1000,  # mixtures that the full size doesn't have
    "seconds": 1.5,
    "training": {"n_mixtures": 6, "seconds": 1.5, "seed": 0, "speakers": 24, "n_utterances": 1},
    "settings": TINY,
    "tiny": TINY,
}


def patches(magnitude):
    """Unit vectors of the log spectrum around every bin, (n_frames, n_bins, `PATCH`²)."""
    x = stack_context(log_features(magnitude[None], xp=np), PATCH, xp=np)[0]
    x = x.reshape(len(x), PATCH, -1)
    x = np.pad(x, ((0, 0), (0, 0), (PATCH // 2, PATCH // 2)))
    n_bins = magnitude.shape[1]
    V = np.stack([x[:, :, i : i + n_bins] for i in range(PATCH)], axis=-1)
    V = np.moveaxis(V, 1, 2).reshape(*magnitude.shape, -1)
    length = np.linalg.norm(V, axis=-1, keepdims=True)
    return np.where(length > 0, V, 1 / PATCH) / np.where(length > 0, length, 1)


def by_ideal_mask(x, sources):
    """Sources by the best binary mask, which needs to know them."""
    X, S = mixture_and_sources(sources.T[None])
    parts = np.swapaxes(ideal_binary(S[0]) * X[0][:, None], 0, 1)
    return to_waveforms(parts, len(x)).T


def by_clustering(model, x, sources, **settings):
    """Sources by a `DeepClustering`, as many as there are."""
    return copy(model).set_params(n_sources=sources.shape[1], **settings).separate(x)


def trained(model, sources):
    """The model, fitted, after a line that says how long that took."""
    seconds, model = cpu_seconds(lambda: model.fit(None, sources))
    name = type(model).__name__
    print(f"{name}: {model.n_iter_} steps of training in {seconds / 60:.1f} min of CPU time")
    return model


def separators(training, settings, tiny):
    """Functions of a mixture and its sources, by name.

    Parameters
    ----------
    training : dict
        Of `training_sources`.
    settings : dict
        Of the model that is trained here.
    tiny : dict or None
        Settings of deep clustering that is trained here as well; None for the one of the package.
    """
    sources = training_sources(**training)
    common = {"sample_rate": RATE, "random_state": 0}
    pit = trained(deep.PITSeparator(clustering=1.0, **common, **settings), sources)
    if tiny is None:
        known = deep.load_deep_clustering().set_params(random_state=0)
    else:
        known = trained(deep.DeepClustering(**common, **tiny), sources)
    plain = deep.DeepClustering(embedding=patches, **common)
    return {
        IDEAL: by_ideal_mask,
        PATCHES: partial(by_clustering, plain, mask="hard"),
        HARD: partial(by_clustering, known, mask="hard"),
        SOFT: partial(by_clustering, known, mask="soft"),
        PIT: lambda x, sources: pit.separate(x),
    }


def compare(functions, n_mixtures, first, seconds):
    """One line a mixture and method.

    Parameters
    ----------
    functions : dict
        Of `separators`.
    n_mixtures : int
        Of each kind.
    first : int
        Seed of the first mixture; the others follow.
    seconds : float
    """
    speech, rows = unheard_speech(seconds), []
    for kind, n_sources in KINDS.items():
        for seed in range(first, first + n_mixtures):
            talkers, sources = unheard_mixture(speech, kind, seconds, seed)
            x = sources.sum(axis=1)
            for name, separate in functions.items():
                if name == PIT and n_sources != 2:
                    continue
                gains = si_sdr_improvement(sources, separate(x, sources), x, permute=True)
                rows.append({"kind": kind, "mixture": seed, "talkers": "+".join(talkers),
                             "method": name, "gain": np.mean(gains)})  # fmt: skip
    return pd.DataFrame(rows)


def summary(lines):
    """Mean gain by kind and method, its standard error, and the share that is above 0."""
    groups = lines.groupby(["kind", "method"], sort=False)["gain"]
    return groups.agg(
        mixtures="count", gain="mean", error="sem", median="median", worst="min",
        better=lambda gains: np.mean(gains > 0),
    ).reset_index()  # fmt: skip


def talker_bars(table):
    """Bars of the mean gains; `table` as of `summary`."""
    means = table.set_index(["method", "kind"])["gain"]
    return [Bar(f"{name}: {kind}", means[name, kind], bar, "dB")
            for (name, kind), bar in BARS.items()]  # fmt: skip


def measure(output, quick):
    """Write learned_talkers*.csv and the figure; bars, and whether speech is real."""
    plan = QUICK if quick else FULL
    if not learned_voices.real():
        print("No speech in ANMF_DATA; synthetic voices take its place")
    functions = separators(plan["training"], plan["settings"], plan["tiny"])
    lines = compare(functions, plan["n_mixtures"], plan["first"], plan["seconds"])
    table = summary(lines)
    print("SI-SDR improvement (dB), with standard errors")
    print(table.to_string(index=False, float_format="{:.2f}".format))
    save_table(lines, output, "learned_talkers_mixtures")
    save_table(table, output, "learned_talkers")
    draw(lines, output)
    return talker_bars(table), learned_voices.real()


COLOURS = {IDEAL: "black", PATCHES: OTHERS[3], HARD: "#7fb2d9", SOFT: OURS, PIT: OTHERS[1]}


def draw(lines, output):
    """A point a mixture, and means with standard errors, a panel a kind."""
    canvas, axes = figure(1, len(KINDS), (10.5, 4.4))
    rng = np.random.default_rng(0)
    for ax, kind in zip(axes[0], KINDS, strict=True):
        ax.sharey(axes[0, 0])
        ax.axhline(0, color="black", lw=0.8)
        for place, (name, colour) in enumerate(COLOURS.items()):
            gains = lines[(lines["kind"] == kind) & (lines["method"] == name)]["gain"]
            if not len(gains):
                continue
            spread = place + rng.uniform(-0.22, 0.22, len(gains))
            ax.scatter(spread, gains, s=13, color=colour, alpha=0.45, lw=0)
            ax.errorbar(place, gains.mean(), gains.sem(), fmt="_", color=colour, ms=16, mew=2.5,
                        capsize=3)  # fmt: skip
            ax.annotate(f"{gains.mean():.1f}", (place + 0.24, gains.mean()), size=8, va="bottom")
            if (name, kind) in BARS:
                ax.hlines(BARS[name, kind], place - 0.4, place + 0.4, color=BAR, lw=1.3, ls=":")
        ax.set_xticks(range(len(COLOURS)), COLOURS, rotation=35, ha="right")
        ax.set(title=kind, xlim=(-0.6, len(COLOURS) - 0.3))
    axes[0, 0].set_ylabel("SI-SDR improvement (dB)")
    axes[0, 0].plot([], [], color=BAR, ls=":", label="bar")
    axes[0, 0].legend(loc="upper right")
    save_figure(canvas, output, "learned_talkers")
