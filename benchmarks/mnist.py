"""Does the package find what Ludvigsen and Grasmair (2024) found on overlaid MNIST digits?

Four experiments of arXiv 2404.15296, the published figures beside ours: (a) the objective of
adversarial bases against batch size, (b) quality against the number of components, (c) quality
against the weight of the adversarial rows, (d) gain over NMF when data are few, on nine pairs of
digits. Their rows were others than ours; the original code also ran on ours, for (b). Quality is
the median over mixtures of the mean PSNR of the parts.

Every measurement is written to ``mnist_quality.csv`` or ``mnist_curves.csv`` in the output folder
as soon as it is made. After an interruption, the same command goes on with what is missing; move
these files away to measure anew.
"""

import numpy as np
import pandas as pd

from benchmarks import mnist_experiments as experiments
from benchmarks.data import digits
from benchmarks.mnist_figures import draw_components, draw_convergence, draw_few_data, draw_weights
from benchmarks.report import Bar, bars_frame, print_bars, save_table
from benchmarks.resume import Ledger

PAPER_COMPONENTS = {
    "nmf": {64: 24.4, 128: 24.7, 256: 24.4, 512: 24.4},
    "anmf": {64: 25.4, 128: 26.0, 256: 26.2, 512: 26.0},
    "dnmf": {64: 25.0, 128: 25.6, 256: 25.3, 512: 25.1},
    "exemplar": {64: 23.9, 128: 24.4, 256: 25.1, 512: 25.8},
}
ORIGINAL_CODE = {
    "nmf": {64: 24.64, 128: 24.87},
    "anmf": {64: 25.12, 128: 25.78},
    "dnmf": {64: 25.19, 128: 25.42},
    "exemplar": {64: 23.86, 128: 24.53},
}
"""What the authors' programs give on the rows of `split_pair`."""
PAPER_GAINS = {
    "anmf+dnmf": {0: 0.9, 2: 0.55, 3: 0.2, 4: -0.1, 5: 0.9, 6: 0.3, 7: 0.0, 8: 0.0, 9: 0.6},
    "anmf": {0: 0.85, 2: 0.5, 3: 0.3, 4: 0.1, 5: 0.75, 6: 0.15, 7: -0.1, 8: -0.15, 9: 0.5},
    "dnmf": {0: 0.65, 2: 0.55, 3: 0.15, 4: -0.1, 5: 0.75, 6: 0.35, 7: -0.2, 8: 0.2, 9: 0.3},
}
CLOSE, GAIN = 0.3, 1.0
"""Largest difference from the original code, and least mean gain when data are few, in dB."""


def run(output, quick):
    """All experiments; what was measured before an interruption isn't measured again."""
    sample = digits()
    small = quick or not sample.real
    plan = experiments.QUICK if small else experiments.Plan()
    data = "MNIST" if sample.real else "synthetic"
    curve_columns = experiments.CURVE_SETTING, experiments.CURVE_RESULT
    ledgers = [
        Ledger(output / "mnist_quality.csv", experiments.SETTING, experiments.RESULT),
        Ledger(output / "mnist_curves.csv", *curve_columns),
    ]
    experiments.warm_up(sample)
    convergence(ledgers[1], sample, plan, data, output)
    bars = []
    for experiment in (components, published, weights, few_data):
        bars += experiment(ledgers[0], sample, plan, data, output)
    n_found = sum(ledger.n_found for ledger in ledgers)
    print(f"\n{n_found} measurements were there already\n" if n_found else "")
    save_table(bars_frame(bars), output, "mnist_bars")
    print_bars(bars, applies=not small)


def show(title, table):
    """Print a table under its title."""
    print(f"\n{title}\n{table.to_string(float_format='%.4g', na_rep='')}", flush=True)


def frame(ledger, sample, settings, plan):
    """Measurements of quality as a data frame."""
    return pd.DataFrame(experiments.measure_quality(ledger, sample, settings, plan))


def convergence(ledger, sample, plan, data, output):
    """(a) Objective per epoch and per second."""
    curves = pd.DataFrame(experiments.measure_curves(ledger, sample, plan, data))
    curves["name"] = [
        f"mu, batches of {size:.0f}" if size else "safeguarded" for size in curves["batch_size"]
    ]
    checkpoints = sorted({max(1, plan.n_epochs // 30), plan.n_epochs // 3, plan.n_epochs})
    rows = {}
    for name, curve in curves.groupby("name", sort=False):
        at = curve.set_index("n_iter")["objective"].reindex(checkpoints).ffill()
        finite = np.isfinite(curve["objective"])
        rows[name] = {f"objective after {n}": value for n, value in at.items()} | {
            "CPU seconds": curve["seconds"].max(),
            "largest rise": curve["objective"].diff().max(),
            "breaks down after": np.nan if finite.all() else finite.sum(),
        }
    title = f"(a) {plan.n_rows} rows, {plan.n_components} components, weight 0.1"
    show(title, pd.DataFrame(rows).T)
    draw_convergence(curves, output)


def components(ledger, sample, plan, data, output):
    """(b) Quality against the number of components."""
    table = frame(ledger, sample, experiments.size_settings(plan, data), plan)
    ours = table.pivot(index="method", columns="n_components", values="median PSNR")
    ours = ours.reindex(experiments.METHODS)
    seconds = table.pivot(index="method", columns="n_components", values="fit seconds")
    pieces = {"ours": ours, "original code": ORIGINAL_CODE, "paper": PAPER_COMPONENTS}
    both = pd.concat({name: pd.DataFrame(piece).T if name != "ours" else piece
                      for name, piece in pieces.items()}, names=["who", "method"])  # fmt: skip
    both = both.reindex(columns=ours.columns).dropna(how="all")
    show("(b) median PSNR (dB) by number of components, digits 0 and 1", both)
    show("CPU seconds of fit", seconds.reindex(experiments.METHODS))
    draw_components(ours, PAPER_COMPONENTS, ORIGINAL_CODE, output)
    return []


def published(ledger, sample, plan, data, output):
    """(b) once more, by the published updates."""
    table = frame(ledger, sample, experiments.published_settings(plan, data), plan)
    table["original code"] = [
        ORIGINAL_CODE[method].get(plan.n_components, np.nan) for method in table["method"]
    ]
    table["difference"] = table["median PSNR"] - table["original code"]
    columns = ["median PSNR", "original code", "difference", "fit seconds"]
    title = f"(b) published updates (solver='mu', alpha_H=0.01), {plan.n_components} components"
    show(title, table.set_index("method")[columns])
    return [
        Bar(f"published updates, {row.method}: difference from the original code",
            abs(row.difference), CLOSE, "dB", at_least=False)
        for row in table.itertuples()
    ]  # fmt: skip


def weights(ledger, sample, plan, data, output):
    """(c) Quality against the weight of the adversarial rows."""
    table = frame(ledger, sample, experiments.weight_settings(plan, data), plan)
    table["alpha_H"] = table["alpha_H"].astype(str)
    wide = table.pivot(
        index=["pair", "alpha_H"], columns="adversarial_weight", values="median PSNR"
    )
    title = f"(c) median PSNR (dB) by adversarial weight, {plan.n_components} components"
    show(title, wide.rename(index={"auto": "default"}, level="alpha_H"))
    draw_weights(wide, output)
    return []


def few_data(ledger, sample, plan, data, output):
    """(d) Gain over NMF when data are few."""
    table = frame(ledger, sample, experiments.poor_settings(plan, data), plan)
    table["digit"] = [int(pair.split("+")[0]) for pair in table["pair"]]
    values = table.pivot(index="method", columns="digit", values="median PSNR")
    values = values.reindex(experiments.POOR_METHODS)
    gains = (values - values.loc["nmf"]).drop(index="nmf")
    paper = pd.DataFrame(PAPER_GAINS).T.reindex(columns=gains.columns)
    both = pd.concat({"ours": gains, "paper": paper}, names=["who", "method"])
    both.insert(0, "mean", both.mean(axis=1))
    title = f"(d) {plan.strong} pairs, {plan.weak} single rows, {plan.n_mixtures} mixtures"
    show(f"{title}: median PSNR (dB), digit 1 with", values)
    show("gain in median PSNR (dB) over nmf", both)
    seconds = table.groupby("method")["fit seconds"].median().reindex(experiments.POOR_METHODS)
    show("CPU seconds of fit, median over pairs", seconds.to_frame().T)
    draw_few_data(gains, paper, output)
    best = float(both.loc["ours", "mean"][["dnmf", "anmf+dnmf"]].max())
    return [Bar("few data: mean gain over nmf of the better discriminative method", best, GAIN,
                "dB")]  # fmt: skip
