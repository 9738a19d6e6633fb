"""What every benchmark leaves behind: a tidy table, a figure, and a verdict for each bar."""

from dataclasses import dataclass

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

OURS, PEER, BAR = "#1b6ca8", "#e08e45", "#b03a2e"
"""Colours of this package, of others, and of a bar to clear."""
OTHERS = ("#e08e45", "#6a994e", "#8a6fae", "#7f8c8d", "#c9a227", "#5fa8a1")

STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Bar:
    """A measured value next to the value it is held to.

    Attributes
    ----------
    question : str
    measured : float
    bar : float
    unit : str
    at_least : bool
        Whether the value should be at least `bar`; otherwise at most.
    """

    question: str
    measured: float
    bar: float
    unit: str = ""
    at_least: bool = True

    @property
    def verdict(self):
        """'ok' or 'short'."""
        cleared = self.measured >= self.bar if self.at_least else self.measured <= self.bar
        return "ok" if cleared else "short"


def print_bars(bars, *, applies=True):
    """Print one line a bar; `applies` is False for sizes or data that the bars aren't meant for."""
    rows = [
        {
            "question": bar.question,
            "measured": f"{bar.measured:.3g}",
            "bar": f"{'>=' if bar.at_least else '<='} {bar.bar:g} {bar.unit}".rstrip(),
            "verdict": bar.verdict if applies else "(bar not meant for this)",
        }
        for bar in bars
    ]
    table = pd.DataFrame(rows)
    widths = [max(map(len, [name, *table[name]])) for name in table]
    for row in [list(table), *table.to_numpy().tolist()]:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def bars_frame(bars):
    """The same as a table to be saved."""
    return pd.DataFrame([{**vars(bar), "verdict": bar.verdict} for bar in bars])


def save_table(frame, output, name):
    """Write a data frame as CSV."""
    frame.to_csv(output / f"{name}.csv", index=False, float_format="%.6g")


def figure(n_rows, n_columns, size):
    """A figure in the common style, and its axes as an array (n_rows, n_columns)."""
    matplotlib.rcParams.update(STYLE)
    canvas = Figure(figsize=size, layout="constrained")
    return canvas, canvas.subplots(n_rows, n_columns, squeeze=False)


def save_figure(canvas, output, name):
    """Write a figure as PNG, and say where."""
    canvas.savefig(output / f"{name}.png", dpi=150)
    print(f"figure: {output / name}.png")
