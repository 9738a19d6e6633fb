"""How well and how fast does `NMF_separation` take overlaid MNIST digits apart?

Images of two digits, at half intensity, are shuffled; of each digit the first rows train its basis
and the next ones are laid over each other in pairs. Quality is the median over mixtures of the
mean PSNR of the two parts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from anmf import NMF_separation, stack_sources
from anmf.metrics import psnr
from benchmarks.data import digits
from benchmarks.report import (
    BAR,
    OURS,
    Bar,
    bars_frame,
    figure,
    print_bars,
    save_figure,
    save_table,
)
from benchmarks.timing import cpu_seconds


@dataclass(frozen=True)
class Case:
    """One line of the table: which digits, how many rows, which model, and what it is held to.

    Parameters of the model that aren't named here have their defaults.
    """

    pair: tuple
    n_train: int
    n_test: int
    method: str
    n_components: int
    quality: float
    seconds: float | None = None
    reconstruction: str = "untied"
    n_estimators: int = 1

    @property
    def model(self):
        """The method and what it departs from, in words."""
        tied = " tied" if self.reconstruction == "tied" else ""
        several = f" x {self.n_estimators}" if self.n_estimators > 1 else ""
        return f"{self.method}{tied}{several}"

    @property
    def options(self):
        """Parameters of `NMF_separation`."""
        names = "method", "n_components", "reconstruction", "n_estimators"
        return {name: getattr(self, name) for name in names}

    @property
    def repeats(self):
        """How often it is timed: what takes long, once."""
        return 1 if "dnmf" in self.method else 3


TIED, SEVERAL = {"reconstruction": "tied"}, {"n_estimators": 3}
"""'dnmf' with fewer parameters, and the best that the package has: the mean of three models."""

DIGITS_0_1 = (
    Case((0, 1), 5000, 1000, "nmf", 64, 25.0, 3.0),
    Case((0, 1), 5000, 1000, "nmf", 128, 25.5, 3.9),
    Case((0, 1), 5000, 1000, "nmf", 256, 26.0),
    Case((0, 1), 5000, 1000, "exemplar", 64, 23.5),
    Case((0, 1), 5000, 1000, "exemplar", 1000, 26.0),
    Case((0, 1), 5000, 1000, "anmf", 64, 25.4, 4.0),
    Case((0, 1), 5000, 1000, "anmf", 128, 25.9, 8.0),
    Case((0, 1), 5000, 1000, "dnmf", 64, 27.5, 30.0, **TIED),
    Case((0, 1), 5000, 1000, "dnmf", 64, 28.1, 30.0),
    Case((0, 1), 5000, 1000, "dnmf", 128, 28.7, **SEVERAL),
)
OTHER_PAIRS = {
    (3, 8): (16.9, 17.1, 18.7, 19.0, 19.5),
    (2, 5): (18.4, 18.5, 20.1, 20.4, 21.0),
    (1, 7): (24.8, 24.8, 27.8, 28.3, 28.8),
    (4, 9): (17.6, 17.7, 19.8, 20.3, 20.8),
}
"""Bars of quality for the models of `cases_of_pair`, in their order."""


def cases_of_pair(pair, bars):
    """All models on 2000 rows of each digit."""
    models = ("nmf", 64, {}), ("anmf", 64, {}), ("dnmf", 64, TIED), ("dnmf", 64, {})
    return tuple(
        Case(pair, 2000, 500, method, k, bar, **options)
        for (method, k, options), bar in zip((*models, ("dnmf", 128, SEVERAL)), bars, strict=True)
    )


CASES = DIGITS_0_1 + sum(map(cases_of_pair, OTHER_PAIRS, OTHER_PAIRS.values()), start=())
QUICK = (
    Case((0, 1), 300, 50, "nmf", 8, 0.0, 60.0),
    Case((3, 8), 300, 50, "exemplar", 8, 0.0),
    Case((3, 8), 300, 50, "anmf", 8, 0.0),
    Case((3, 8), 300, 50, "dnmf", 8, 0.0, **TIED),
    Case((3, 8), 300, 50, "dnmf", 8, 0.0, **SEVERAL),
)


def split_pair(data, target, pair, n_train, n_test):
    """Training rows of both digits, and the true parts of the test mixtures.

    The order is that of NumPy's legacy generator with seed 1, to stay comparable with figures
    measured elsewhere on the same split.

    Returns
    -------
    train : list of two arrays (n_train, m)
    parts : array (n_test, 2, m)
    """
    order = np.random.RandomState(1).permutation(len(data))
    rows = [order[target[order] == digit][: n_train + n_test] for digit in pair]
    halves = [data[chosen] / 2 for chosen in rows]
    train = [half[:n_train] for half in halves]
    return train, np.stack([half[n_train:] for half in halves], axis=1)


def median_psnr(parts, estimate):
    """Median over mixtures of the mean PSNR over the parts."""
    return float(np.median(np.mean(psnr(parts, estimate), axis=1)))


def separation(train, parts, repeats=1, **options):
    """Quality, and median CPU seconds of fit and of separate, taught with rows of each source."""
    return taught_separation(*stack_sources(train), parts, repeats, **options)


def taught_separation(X, y, parts, repeats=1, **options):
    """The same with ``X, y`` of any form that `NMF_separation` takes."""
    mixtures = parts.sum(axis=1)
    fits, separations = [], []
    for _ in range(repeats):
        model = NMF_separation(random_state=0, **options)
        fits.append(cpu_seconds(lambda model=model: model.fit(X, y))[0])
        seconds, estimate = cpu_seconds(lambda model=model: model.separate(mixtures))
        separations.append(seconds)
    return median_psnr(parts, estimate), float(np.median(fits)), float(np.median(separations))


def measure(case, sample, repeats):
    """Table row and bars of one case."""
    train, parts = split_pair(sample.data, sample.target, case.pair, case.n_train, case.n_test)
    quality, fit, separate = separation(train, parts, repeats, **case.options)
    label = f"{case.pair[0]} + {case.pair[1]}, {case.model}, d = {case.n_components}"
    bars = [Bar(f"{label}: median PSNR", quality, case.quality, "dB")]
    if case.seconds:
        bars.append(Bar(f"{label}: CPU time of fit", fit, case.seconds, "s", at_least=False))
    row = {
        "pair": f"{case.pair[0]}+{case.pair[1]}",
        "n_train": case.n_train,
        "n_test": case.n_test,
        "model": case.model,
        "n_components": case.n_components,
        "median PSNR": quality,
        "PSNR bar": case.quality,
        "fit seconds": fit,
        "fit bar": case.seconds,
        "separate seconds": separate,
    }
    return row, bars


def run(output, quick):
    """Measure all cases."""
    sample = digits()
    small = quick or not sample.real
    warm_up, parts = split_pair(sample.data, sample.target, (0, 1), 200, 20)
    for method in ("nmf", "anmf", "dnmf"):  # compile
        separation(warm_up, parts, method=method, n_components=8, max_iter=2)
    rows, bars = [], []
    for case in QUICK if small else CASES:
        row, verdicts = measure(case, sample, repeats=1 if small else case.repeats)
        rows.append(row)
        bars += verdicts
    table = pd.DataFrame(rows)
    table["fit bar"] = table["fit bar"].astype(float)
    save_table(table, output, "mnist_pairs")
    save_table(bars_frame(bars), output, "mnist_pairs_bars")
    print(table.to_string(index=False, float_format="%.3f", na_rep=""))
    print()
    print_bars(bars, applies=not small)
    draw(table, output)


def draw(table, output):
    """Quality of every case with its bar, and where the time goes."""
    canvas, axes = figure(1, 2, (11, 0.27 * len(table) + 1.4))
    quality, time = axes[0]
    new_pair = table["pair"].ne(table["pair"].shift()).cumsum()
    height = -np.arange(len(table)) - 0.7 * new_pair.to_numpy()
    _draw_quality(quality, table, height)
    _draw_time(time, table, height)
    canvas.legend(*time.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax in (quality, time):
        ax.grid(axis="y", visible=False)
        ax.set_ylim(height.min() - 0.7, height.max() + 0.7)
    save_figure(canvas, output, "mnist_pairs")


def _draw_quality(ax, table, height):
    ax.barh(height, table["median PSNR"], color=OURS, height=0.65)
    ax.vlines(table["PSNR bar"], height - 0.42, height + 0.42, color=BAR, lw=2)
    for y, value, bar in zip(height, table["median PSNR"], table["PSNR bar"], strict=True):
        ax.text(max(value, bar) + 0.15, y, f"{value:.2f}", va="center")
    ax.set_yticks(height, [f"{r.pair}  {r.model}, {r.n_components}" for r in table.itertuples()])
    ax.set_xlim(max(0, table["median PSNR"].min() - 4), table["median PSNR"].max() + 1.5)
    ax.set_xlabel("median PSNR (dB)")
    ax.set_title("Quality of separation")


def _draw_time(ax, table, height):
    ax.barh(height + 0.17, table["fit seconds"], height=0.33, color=OURS, label="fit")
    ax.barh(height - 0.17, table["separate seconds"], height=0.33, color="#9cc5e0",
            label="separate")  # fmt: skip
    ax.vlines(table["fit bar"], height - 0.02, height + 0.42, color=BAR, lw=2, label="bar")
    ax.set_yticks(height, [""] * len(height))
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("CPU time (s), one thread")
    ax.set_title("Time")
