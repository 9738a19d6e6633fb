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
    """One line of the table: which digits, how many rows, which model, and what it is held to."""

    pair: tuple
    n_train: int
    n_test: int
    method: str
    n_components: int
    quality: float
    seconds: float | None = None


CASES = (
    Case((0, 1), 5000, 1000, "nmf", 64, 25.0, 3.0),
    Case((0, 1), 5000, 1000, "nmf", 128, 25.5, 3.9),
    Case((0, 1), 5000, 1000, "nmf", 256, 26.0),
    Case((0, 1), 5000, 1000, "exemplar", 64, 23.5),
    Case((0, 1), 5000, 1000, "exemplar", 1000, 26.0),
    Case((3, 8), 2000, 500, "nmf", 64, 16.9),
    Case((2, 5), 2000, 500, "nmf", 64, 18.4),
    Case((1, 7), 2000, 500, "nmf", 64, 24.8),
    Case((4, 9), 2000, 500, "nmf", 64, 17.6),
)
QUICK = (Case((0, 1), 300, 50, "nmf", 8, 0.0, 60.0), Case((3, 8), 300, 50, "exemplar", 8, 0.0))


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
    """Quality, and median CPU seconds of fit and of separate."""
    X, y = stack_sources(train)
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
    options = {"method": case.method, "n_components": case.n_components}
    quality, fit, separate = separation(train, parts, repeats, **options)
    label = f"{case.pair[0]} + {case.pair[1]}, {case.method}, d = {case.n_components}"
    bars = [Bar(f"{label}: median PSNR", quality, case.quality, "dB")]
    if case.seconds:
        bars.append(Bar(f"{label}: CPU time of fit", fit, case.seconds, "s", at_least=False))
    row = {**vars(case), "pair": f"{case.pair[0]}+{case.pair[1]}", "median PSNR": quality}
    return row | {"fit seconds": fit, "separate seconds": separate}, bars


def run(output, quick):
    """Measure all cases."""
    sample = digits()
    small = quick or not sample.real
    warm_up, parts = split_pair(sample.data, sample.target, (0, 1), 200, 20)
    separation(warm_up, parts, n_components=8)  # compile
    rows, bars = [], []
    for case in QUICK if small else CASES:
        row, verdicts = measure(case, sample, repeats=1 if small else 3)
        rows.append(row)
        bars += verdicts
    table = pd.DataFrame(rows).rename(columns={"quality": "PSNR bar", "seconds": "fit bar"})
    save_table(table, output, "mnist_pairs")
    save_table(bars_frame(bars), output, "mnist_pairs_bars")
    print(table.to_string(index=False, float_format="%.3f"))
    print()
    print_bars(bars, applies=not small)
    draw(table, output)


def draw(table, output):
    """Quality of every case with its bar, and where the time goes."""
    canvas, axes = figure(1, 2, (11, 4.2))
    labels = [f"{r.pair}  {r.method} {r.n_components}" for r in table.itertuples()]
    height = np.arange(len(table))[::-1]
    quality, time = axes[0]
    quality.barh(height, table["median PSNR"], color=OURS, height=0.65)
    quality.vlines(table["PSNR bar"], height - 0.42, height + 0.42, color=BAR, lw=2, label="bar")
    for y, value in zip(height, table["median PSNR"], strict=True):
        quality.text(value + 0.15, y, f"{value:.2f}", va="center")
    quality.set_yticks(height, labels)
    quality.set_xlim(max(0, table["median PSNR"].min() - 4), table["median PSNR"].max() + 1.5)
    quality.set_xlabel("median PSNR (dB)")
    quality.set_title("Quality of separation")
    time.barh(height + 0.17, table["fit seconds"], height=0.33, color=OURS, label="fit")
    time.barh(height - 0.17, table["separate seconds"], height=0.33, color="#9cc5e0",
              label="separate")  # fmt: skip
    time.vlines(table["fit bar"], height - 0.02, height + 0.42, color=BAR, lw=2, label="bar")
    time.set_yticks(height, [""] * len(height))
    time.set_xscale("log")
    time.xaxis.set_major_formatter("{x:g}")
    time.set_xlabel("CPU time (s), one thread")
    time.set_title("Time")
    canvas.legend(*time.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax in (quality, time):
        ax.grid(axis="y", visible=False)
    save_figure(canvas, output, "mnist_pairs")
