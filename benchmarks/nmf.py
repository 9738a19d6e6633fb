"""How fast is `anmf.NMF`: to 1 % of the best error, in transform, for KL, against the hardware?"""

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks import nmf_convergence, nmf_kl, nmf_rate, nmf_transform
from benchmarks.data import speed_cases
from benchmarks.report import (
    BAR,
    OTHERS,
    OURS,
    bars_frame,
    figure,
    print_bars,
    save_figure,
    save_table,
)

PARTS = {
    "rate": nmf_rate.measure,
    "transform": nmf_transform.measure,
    "kl": nmf_kl.measure,
    "convergence": nmf_convergence.measure,
}
ROWS_TO_TRANSFORM = {"MNIST": 10000, "speech-like": 10000, "speech": 1000}
"""Real speech has nearly dependent components: scikit-learn needs minutes for more rows of it, and
ours doesn't reach the gap on ten thousand."""


def run(output, quick):
    """Measure all parts on every matrix."""
    bars, curves, tables = [], [], {part: [] for part in PARTS}
    for name, (X, k) in speed_cases(quick).items():
        for part, measure in PARTS.items():
            table, verdicts, *more = measure(
                name, X[: ROWS_TO_TRANSFORM[name]] if part == "transform" else X, k
            )
            print(f"\n{part}\n{table.to_string(index=False, float_format='%.4g')}", flush=True)
            tables[part].append(table)
            bars += verdicts
            curves += more
    tables = {part: pd.concat(pieces) for part, pieces in tables.items()}
    tables |= {"curves": pd.concat(curves), "bars": bars_frame(bars)}
    for part, table in tables.items():
        save_table(table, output, f"nmf_{part}")
    print()
    print_bars(bars, applies=not quick)
    draw(tables["curves"], bars, output)


def draw(curves, bars, output):
    """Error against CPU time from every start, and how far each ratio is from its bar."""
    matrices, starts = curves["matrix"].unique(), curves["start"].unique()
    canvas, axes = figure(len(matrices), len(starts), (11, 3 * len(matrices) + 0.4))
    others = [s for s in curves["solver"].unique() if s != nmf_convergence.OURS]
    colours = dict(zip([nmf_convergence.OURS, *others], [OURS, *OTHERS], strict=False))
    for row, matrix in zip(axes, matrices, strict=True):
        for ax, start in zip(row, starts, strict=True):
            chosen = curves[(curves["matrix"] == matrix) & (curves["start"] == start)]
            _draw_curves(ax, chosen, colours)
            ax.set_title(f"{matrix}, {start} start")
        row[0].set_ylabel("error / best error − 1")
    handles, labels = axes[0, list(starts).index("random")].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    save_figure(canvas, output, "nmf_curves")
    ratios = [bar for bar in bars if bar.at_least]
    canvas, axes = figure(1, 1, (9, 0.32 * len(ratios) + 1))
    _draw_bars(axes[0, 0], ratios)
    save_figure(canvas, output, "nmf_bars")


def _draw_curves(ax, curves, colours):
    for name, curve in curves.groupby("solver", sort=False):
        marker = "o" if len(curve) == 1 else None
        excess = (curve["relative"] - 1).clip(lower=1e-4)
        ax.loglog(curve["seconds"], excess, color=colours[name], label=name, lw=1.8, marker=marker)
    ax.axhline(nmf_convergence.CLOSE - 1, color=BAR, lw=1, ls="--", label="1 % above the best")
    ax.set_xlabel("CPU time (s)")
    ax.set_ylim(8e-4, 1.5)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _draw_bars(ax, bars):
    """One horizontal bar a question, in units of what it is held to."""
    height = range(len(bars))[::-1]
    share = [bar.measured / bar.bar for bar in bars]
    ax.barh(height, share, color=[OURS if bar.verdict == "ok" else BAR for bar in bars])
    for y, x, bar in zip(height, share, bars, strict=True):
        label = f"{bar.measured:.2f} {bar.unit} (bar {bar.bar:g})"
        ax.text(max(x, 1) + 0.04, y, label, va="center", fontsize=8)
    ax.axvline(1, color="black", lw=1)
    ax.set_xlim(right=1.25 * max(*share, 1))
    ax.set_yticks(height, [bar.question for bar in bars], fontsize=8)
    ax.set_xlabel("measured / bar")
    ax.set_title("Ratios against their bars")
    ax.grid(axis="y", visible=False)
