"""How many speakers does `SVDDecorrelator` find in embeddings of segments, how well, at what cost?

In a linear world whose truth is known, on real d-vectors of simulated conversations
(``$ANMF_DATA/embeddings``) and from sound (``$ANMF_DATA/speech``): cosine to the true embedding,
from the origin and from the background's mean, identification among all speakers, counts, speakers
who talk over each other from beginning to end, and CPU time.
"""

import pandas as pd

from benchmarks import embedding_activity, embedding_cost, embedding_quality
from benchmarks.embedding_data import LEVELS, OVERLAPS, SHARED, SIZES, World, dvectors
from benchmarks.embedding_quality import CONE, PEER, counts, intervals, means
from benchmarks.embedding_quality import OURS as NAME
from benchmarks.embedding_sound import sound
from benchmarks.report import (
    BAR,
    OTHERS,
    OURS,
    Bar,
    bars_frame,
    figure,
    print_bars,
    save_figure,
    save_table,
)

MIDDLE = LEVELS[1]
WORLD_COSINES = dict(zip(OVERLAPS, (0.985, 0.983, 0.97), strict=True))
WORLD_MARGIN = 0.07
"""More than k-means, where most segments are overlapped."""
WORLD_COUNT, WORLD_NOISE = 0.95, MIDDLE
"""Share of right counts at every overlap, up to this level of noise."""
KNOWN = {
    "centred cosine": dict(zip(OVERLAPS, (0.84, 0.80, 0.67), strict=True)),
    "identification": dict(zip(OVERLAPS, (0.98, 0.96, 0.84), strict=True)),
}
COUNTS = dict(zip(OVERLAPS, (0.80, 0.72, 0.47), strict=True))
END_TO_END = dict(zip(OVERLAPS, (0.92, 0.91, 0.69), strict=True))
PAIRS = {"interferer": 0.70, "target": 0.53}
GIVEN_MS, COUNTED_MS = 25.0, 80.0
FIT_RATIO, SINE = 5.0, 1e-8
FULL = {
    "world": {"levels": LEVELS, "n_worlds": 10, "sizes": SIZES},
    "shared": {"levels": (MIDDLE,), "n_worlds": 10, "sizes": SIZES, "shared": SHARED},
    "step": 1,
    "sound": {"n_per_cell": 8, "sizes": (1, 2, 3, 4, 5)},
    "separate": {"repeats": 15},
    "fit": {"n_rows": 20000, "n_features": 256, "repeats": 5},
}
QUICK = {
    "world": {"levels": (MIDDLE,), "n_worlds": 1, "sizes": (2,)},
    "shared": {"levels": (MIDDLE,), "n_worlds": 1, "sizes": (2,), "shared": SHARED},
    "step": 5,
    "sound": {"n_per_cell": 1, "sizes": (2,)},
    "separate": {"repeats": 2},
    "fit": {"n_rows": 600, "n_features": 32, "repeats": 1},
}


def world_bars(known, unknown):
    """Bars of the linear world: cosines at the middle level, and counts at its quiet ones."""
    table = known[known["level"] == MIDDLE].pivot(columns="method", index="overlap")["cosine"]
    bars = [
        Bar(f"world, overlap {p:g}: cosine", table.loc[p, NAME], bar)
        for p, bar in WORLD_COSINES.items()
    ]
    most = OVERLAPS[-1]
    more = table.loc[most, NAME] - table.loc[most, PEER]
    bars.append(Bar(f"world, overlap {most:g}: cosine − {PEER}", more, WORLD_MARGIN))
    right = unknown[(unknown["method"] == NAME) & (unknown["level"] <= WORLD_NOISE)]
    for p, lines in right.groupby("overlap"):
        bars.append(Bar(f"world, overlap {p:g}: counts", lines["accuracy"].min(), WORLD_COUNT))
    return bars


def real_bars(known, number, whole):
    """Bars of real d-vectors: number of speakers given, counted, and end to end."""
    bars = []
    for title, table, column, limits in (
        *((score, known, score, limits) for score, limits in KNOWN.items()),
        ("counts", number, "accuracy", COUNTS),
        ("identification, counted", whole, "identification", END_TO_END),
    ):
        mine = table[table["method"] == NAME].set_index("overlap")[column]
        bars += [Bar(f"overlap {p:g}: {title}", mine[p], bar) for p, bar in limits.items()]
    return bars


def pair_bars(pairs):
    """Bars of fully overlapped pairs of equal level."""
    mine = pairs[(pairs["method"] == CONE) & (pairs["sir"] == 0)].set_index("role")
    return [
        Bar(f"pairs at 0 dB: identification of the {role}", mine.loc[role, "identification"], bar)
        for role, bar in PAIRS.items()
    ]


def cost_bars(times, fit):
    """Bars of CPU time."""
    limits = {"given": GIVEN_MS, "counted": COUNTED_MS}
    bars = [
        Bar(f"{r.method}: separate, number {r.number}", r.ms, limits[r.number], "ms", False)
        for r in times.itertuples()
    ]
    line = fit.iloc[0]
    bars.append(Bar("fit: scikit-learn's full PCA / anmf", line["ratio"], FIT_RATIO, "x"))
    return [*bars, Bar("fit: sine between leading directions", line["sine"], SINE, "", False)]


def show(title, table, output, name):
    """Print a table, and save it."""
    print(f"\n{title}")
    print(table.to_string(index=False, float_format="{:.3g}".format, na_rep=""))
    save_table(table, output, name)


def show_wide(title, table, by, columns):
    """Print one line a method, overlaps side by side."""
    print(f"\n{title}")
    wide = table.pivot_table(columns, [*by, "method"], "overlap", sort=False)
    print(wide[columns].to_string(float_format="{:.3f}".format, na_rep=""))


def run_world(plan, output):
    """Measure in both worlds; the bars are those of the one of orthogonal speakers."""
    results = [embedding_quality.compare_world(**plan[name]) for name in ("world", "shared")]
    known, unknown = (pd.concat(parts) for parts in zip(*results, strict=True))
    by = ["shared", "level"]
    table, number = means(known, [*by, "overlap"]), counts(unknown, [*by, "overlap"])
    columns = ["cosine", "centred cosine"]
    show_wide("linear world: cosine to the clean embedding, number given", table, by, columns)
    show_wide("linear world: counts, accuracy and mean error", number, by, ["accuracy", "error"])
    save_table(table, output, "embedding_world")
    save_table(number, output, "embedding_world_counts")
    orthogonal = (frame[frame["shared"] == 0] for frame in (table, number))
    return table[table["shared"] == 0], world_bars(*orthogonal)


def run_dvectors(data, models, step, output):
    """Measure on real conversations; returns the tables that bars and figure need."""
    known, unknown = embedding_quality.compare_dvectors(data, models, step=step)
    save_table(known, output, "embedding_conversations")
    save_table(unknown, output, "embedding_conversations_counted")
    table = intervals(known)
    save_table(table, output, "embedding_real")
    several = unknown[unknown["n_speakers"] > 1]
    number, whole = counts(unknown, ["overlap"]), means(several, ["overlap"])
    scores = embedding_quality.SCORES
    show_wide("d-vectors, number given", means(known, ["overlap"]), [], scores)
    ours = table[table["method"].isin([NAME, CONE])]
    show(f"bootstrap intervals, and what is had over {PEER}", ours, output, "embedding_intervals")
    show_wide("d-vectors: counts, 1 to 5 speakers", number, [], ["accuracy", "error"])
    show_wide("d-vectors, number counted", whole, [], scores)
    activity = embedding_activity.compare_activity(data, models, step)
    columns = [name for name in activity if name not in ("method", "overlap")]
    show_wide("d-vectors: who speaks when, share of the time", activity, [], columns)
    save_table(activity, output, "embedding_activity")
    save_table(number, output, "embedding_real_counts")
    save_table(whole, output, "embedding_end_to_end")
    return known, number, whole


def run_sound(n_per_cell, sizes, output):
    """Measure on conversations that `SpeakerEmbedder` has embedded; no bars."""
    data = sound(n_per_cell, sizes)
    if data is None:
        return
    models = embedding_quality.of_dvectors(data)
    known, unknown = embedding_quality.compare_dvectors(data, models)
    table, number = means(known, ["overlap"]), counts(unknown, ["overlap"])
    show_wide("from sound, number given", table, [], embedding_quality.SCORES)
    show_wide("from sound: counts", number, [], ["accuracy", "error"])
    save_table(table, output, "embedding_sound")
    save_table(number, output, "embedding_sound_counts")


def run_pairs(data, models, step, output):
    """Measure on fully overlapped pairs; returns the table."""
    lines = embedding_quality.compare_pairs(data, models, step)
    pairs = means(lines, ["sir", "role"])
    wide = pairs.pivot_table(["identification", "centred cosine", "cosine"], "method",
                             ["sir", "role"], sort=False)  # fmt: skip
    print("\nfully overlapped pairs, by level of the target over the interferer (dB)")
    print(wide.to_string(float_format="{:.3f}".format))
    save_table(pairs, output, "embedding_pairs")
    return pairs


def run(output, quick=False):
    """Measure, and write the tables embedding_*.csv and the figure embedding.png."""
    plan, data = QUICK if quick else FULL, dvectors()
    world, bars = run_world(plan, output)
    panels = {"cosine, linear world": (world[world["level"] == MIDDLE], "cosine")}
    if data is None:
        worlds = World(MIDDLE, 0, n_features=256, n_segments=58)
        models = {NAME: embedding_quality.of_world(worlds)}
        recording = worlds.recording(4, 0.4)
    else:
        models = embedding_quality.of_dvectors(data)
        known, number, whole = run_dvectors(data, models, plan["step"], output)
        pairs = run_pairs(data, models, plan["step"], output)
        if not quick:
            bars += [*real_bars(means(known, ["overlap"]), number, whole), *pair_bars(pairs)]
        panels["identification, number given"] = means(known, ["overlap"]), "identification"
        panels["counts, 1 to 5 speakers"] = number, "accuracy"
        recording = next(r for r in data.conversations if r.n_speakers == 4)
    run_sound(**plan["sound"], output=output)
    times = embedding_cost.time_separate(models, recording, **plan["separate"])
    show("CPU time of one separate", times, output, "embedding_cost")
    fit = embedding_cost.compare_fit(**plan["fit"])
    show("CPU time of fit", fit, output, "embedding_fit")
    bars += cost_bars(times, fit)
    print()
    print_bars(bars, applies=not quick)
    save_table(bars_frame(bars), output, "embedding_bars")
    draw(panels, output)


def draw(panels, output):
    """A panel a score, against overlap, a line a method."""
    canvas, axes = figure(1, len(panels), (3.9 * len(panels) + 1.2, 3.6))
    names = dict.fromkeys(name for table, _ in panels.values() for name in table["method"])
    others = [name for name in names if name != NAME]
    colours = {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)} | {NAME: OURS}
    styles = {name: ("--" if i < len(OTHERS) else ":") for i, name in enumerate(others)}
    for ax, (title, (table, column)) in zip(axes[0], panels.items(), strict=True):
        for name, curve in table.groupby("method", sort=False):
            style = styles.get(name, "-")
            ax.plot(curve["overlap"], curve[column], style, marker=".", color=colours[name],
                    lw=2 if name == NAME else 1, label=name)  # fmt: skip
        ax.set(title=title, xlabel="overlap", xticks=OVERLAPS)
    for p, bar in WORLD_COSINES.items():
        axes[0, 0].plot(p, bar, "_", color=BAR, ms=14)
    handles = {h.get_label(): h for ax in axes[0] for h in ax.get_legend_handles_labels()[0]}
    canvas.legend(handles.values(), handles, loc="outside right center")
    save_figure(canvas, output, "embedding")
