"""How fast is AuxIVA beside its peers, what does it separate, and at what cost in memory?

Time of an iteration with one thread and with two, peak memory, the SI-SDR improvement in simulated
rooms against iterations and CPU time, and a stream against the whole. Talkers are those of
``$ANMF_DATA/speech/test``, or else synthetic. Peers that aren't installed are left out.
"""

import numpy as np
import pandas as pd

from benchmarks import iva_cost, iva_quality
from benchmarks.iva_programs import absent
from benchmarks.iva_quality import DEFAULT, MANY, PEER, REFERENCE
from benchmarks.iva_rooms import SECONDS, Talkers, method
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
from benchmarks.report import PEER as PEER_COLOUR

THREADS_BAR, MEMORY_BAR, MARGIN, TIMES_PEER, STREAM_LOSS = 1.6, 2.5, 1.5, 10.0, 1.5
MOST_ITERATIONS = 20
FULL = {
    "quality": {
        "n_rooms": {2: 30, 3: 30, 4: 10},
        "checkpoints": (1, 2, 5, 10, 20, 50, MANY),
        "seconds": SECONDS,
    },
    "stream": {
        "n_rooms": {2: 5, 3: 5},
        "seconds": iva_quality.STREAM_SECONDS,
        "last": iva_quality.LAST_SECONDS,
    },
    "times": {"sizes": (2, 3, 4), "repeats": 7, **iva_cost.FULL},
    "threads": {"repeats": 15, **iva_cost.FULL},
    "memory": {"names": iva_cost.MEMORY, **iva_cost.FULL},
}
QUICK = {
    "quality": {
        "n_rooms": {2: 1, 3: 1},
        "checkpoints": (1, 5, MANY),
        "seconds": 1.0,
        "frames": (512, 128),
    },
    "stream": {"n_rooms": {2: 1}, "seconds": 6, "last": 2, "frames": (512, 128)},
    "times": {"sizes": (2,), "repeats": 2, **iva_cost.QUICK},
    "threads": {"repeats": 1, **iva_cost.QUICK},
    "memory": {"names": ("anmf default",), **iva_cost.QUICK},
}


def speed_bars(times):
    """Bars of the time of an iteration."""
    held = times[times["bar"].notna()]
    return [
        Bar(f"{r.n_channels} channels, {r.precision}: {r.peer} / {r.ours}", r.ratio, r.bar, "x")
        for r in held.itertuples()
    ]


def cost_bars(threads, memory):
    """Bars of threads and memory."""
    bars = []
    if threads is not None:
        bars += [
            Bar(
                f"{r.n_channels} channels, {r.program}: one thread / two", r.ratio, THREADS_BAR, "x"
            )
            for r in threads.itertuples()
        ]
    if memory is not None:
        mine = memory[memory["program"].str.startswith("anmf")]
        bars += [
            Bar(f"{n} channels, {name}: extra memory / X", extra, MEMORY_BAR, "x", False)
            for n, name, extra in zip(
                mine["n_channels"], mine["program"], mine["extra / X"], strict=True
            )
        ]
    return bars


def quality_bars(rooms):
    """Bars of the default: what it gains over the reference, iterations and time it takes."""
    bars = []
    for n, lines in rooms[rooms["n_sources"] < 4].groupby("n_sources"):
        last = lines[(lines["method"] == REFERENCE) & (lines["n_iter"] == MANY)]
        mine, peer = (lines[lines["method"] == name].set_index("room") for name in (DEFAULT, PEER))
        more = mine["gain"].mean() - last["gain"].mean()
        bars += [
            Bar(f"{n} sources: default − {REFERENCE} at {MANY}", more, MARGIN, "dB"),
            Bar(f"{n} sources: its iterations", mine["n_iter"].max(), MOST_ITERATIONS, "", False),
        ]
        if len(peer):
            times = (peer["seconds"] / mine["seconds"]).median()
            bars.append(Bar(f"{n} sources: {PEER} at {MANY} / default", times, TIMES_PEER, "x"))
    return bars


def stream_bars(streams):
    """Bars of the stream."""
    bars = []
    for n, lines in streams.groupby("n_sources"):
        loss, growth = (lines["batch"] - lines["stream"]).mean(), lines["growth"].max()
        bars += [
            Bar(f"{n} sources: batch − stream", loss, STREAM_LOSS, "dB", False),
            Bar(f"{n} sources: state at the end / at a sixth", growth, 1.01, "x", False),
        ]
    return bars


def show(title, table, output, name):
    """Print a table, and save it."""
    print(f"\n{title}")
    print(table.to_string(index=False, float_format="{:.3g}".format, na_rep=""))
    save_table(table, output, name)


def run(output, quick=False):
    """Measure, and write the tables iva_*.csv and the figures iva.png and iva_speed.png."""
    plan, talkers = QUICK if quick else FULL, Talkers()
    if absent():
        print(f"can't be run, so left out: {', '.join(absent())}")
    times = iva_cost.compare_times(**plan["times"])
    show("CPU time of an iteration", times, output, "iva_speed")
    threads = iva_cost.compare_threads(**plan["threads"])
    if threads is not None:
        show("elapsed time of an iteration", threads, output, "iva_threads")
    memory = iva_cost.compare_memory(**plan["memory"])
    if memory is not None:
        show("peak memory above that before, complex64", memory, output, "iva_memory")
    streams = iva_quality.compare_stream(talkers, **plan["stream"])
    show("SI-SDR improvement (dB) of the end of a stream", streams, output, "iva_stream")
    rooms = iva_quality.compare_quality(talkers, **plan["quality"])
    save_table(rooms, output, "iva_rooms")
    table = iva_quality.summary(rooms)
    save_table(table, output, "iva_quality")
    print(f"\nSI-SDR improvement (dB) in rooms ({method()}) after so many iterations")
    wide = table.pivot_table("gain", ["n_sources", "method"], "n_iter", sort=False)
    print(wide.sort_index(axis=1).to_string(float_format="{:.2f}".format, na_rep=""))
    bars = [*speed_bars(times), *cost_bars(threads, memory)]
    bars += [*quality_bars(rooms), *stream_bars(streams)]
    print()
    print_bars(bars, applies=talkers.real and not quick)
    save_table(bars_frame(bars), output, "iva_bars")
    draw_quality(table, output)
    draw_speed(times, output)


COLOURS = {"iss2": OURS, "ip2": OTHERS[1], "iss": OTHERS[0], "ip": OTHERS[2]}
LINES = {"gauss": "-", "laplace": "--", "nmf": ":", "surrogate": (0, (1, 1))}


def draw_quality(table, output):
    """Improvement against iterations and against time, a column a number of sources."""
    sizes = table["n_sources"].unique()
    canvas, axes = figure(2, len(sizes), (3.6 * len(sizes) + 1.8, 6.4))
    for (row, _), ax in np.ndenumerate(axes):
        ax.set(xscale="log", xlabel=("iterations", "CPU time (s), one thread")[row])
    for column, n in enumerate(sizes):
        lines = table[table["n_sources"] == n]
        last = lines[(lines["method"] == REFERENCE) & (lines["n_iter"] == MANY)]["gain"].item()
        for ax, x in zip(axes[:, column], ("n_iter", "seconds"), strict=True):
            draw_methods(ax, lines, x)
            ax.axhline(last + MARGIN, color=BAR, lw=1, label=f"{REFERENCE} at {MANY} + {MARGIN} dB")
            ax.set_title(f"{n} sources")
    for row in axes:
        row[0].set_ylabel("SI-SDR improvement (dB)")
    handles = axes[0, 0].get_legend_handles_labels()
    canvas.legend(*handles, loc="outside right center")
    save_figure(canvas, output, "iva")


def draw_methods(ax, lines, x):
    """Curves of the methods, and points of the default and the peer."""
    for name, curve in lines.groupby("method", sort=False):
        model, _, update = name.rpartition(" ")
        if name == DEFAULT:
            ax.plot(curve[x], curve["gain"], "*", color="black", ms=12, zorder=3, label="default")
        elif name == PEER:
            ax.plot(curve[x], curve["gain"], "X", color=OTHERS[3], ms=8, zorder=3, label=name)
        else:
            style = {"color": COLOURS[update], "ls": LINES.get(model, "-.")}
            ax.plot(curve[x], curve["gain"], marker=".", label=name, **style)


def draw_speed(times, output):
    """Time of an iteration of every program, a panel a precision, a point a number of channels."""
    kinds, sizes = times["precision"].unique(), sorted(times["n_channels"].unique())
    canvas, axes = figure(1, len(kinds), (5.4 * len(kinds), 4.2))
    names = ["n_channels", "program", "ms"]
    for ax, kind in zip(axes[0], kinds, strict=True):
        lines = times[times["precision"] == kind]
        parts = [lines[["n_channels", *columns]].set_axis(names, axis=1)
                 for columns in (["ours", "ms"], ["peer", "peer ms"])]  # fmt: skip
        wide = pd.concat(parts).dropna().pivot_table("ms", "program", "n_channels")
        wide = wide.sort_values(sizes[-1], ascending=False)
        colours = [OURS if name.startswith("anmf") else PEER_COLOUR for name in wide.index]
        ax.hlines(range(len(wide)), wide.min(axis=1), wide.max(axis=1), colors=colours, alpha=0.4)
        for n in sizes:
            ax.scatter(wide[n], range(len(wide)), c="white", edgecolors=colours, s=95, zorder=3)
            for y, x in enumerate(wide[n]):
                ax.text(x, y, n, ha="center", va="center", size=7, zorder=4)
        ax.set_yticks(range(len(wide)), wide.index)
        ax.set(xscale="log", xlabel="CPU time an iteration (ms), by number of channels", title=kind)
        ax.xaxis.set_minor_formatter("")  # labels of minor ticks run into each other
    save_figure(canvas, output, "iva_speed")
