"""Which sparsity separates best, so that it makes the default `alpha_H` of `NMF_separation`?

Only training rows take part: the last fifth of them makes validation mixtures. The same sparsity,
a factor times the mean length of the rows, acts in training and in separation.
"""

import numpy as np
import pandas as pd

from anmf.nmf.methods import SPARSITY as DEFAULT_SPARSITY
from benchmarks.data import digits
from benchmarks.mnist_pairs import separation, split_pair
from benchmarks.report import BAR, OTHERS, OURS, figure, save_figure, save_table

FACTORS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.15, 0.2, 0.27)
PAIRS = {(0, 1): 5000, (3, 8): 2000}
"""Training rows of each digit, by pair."""
N_COMPONENTS = 64


def search(data, target, pair, n_rows, factors, n_components):
    """Validation quality for every factor.

    Returns
    -------
    DataFrame
        Columns pair, factor, median PSNR.
    """
    n_held = n_rows // 5
    train, parts = split_pair(data, target, pair, n_rows - n_held, n_held)
    length = float(np.linalg.norm(np.concatenate(train), axis=1).mean())
    rows = []
    for factor in factors:
        options = {"n_components": n_components, "alpha_H": factor * length}
        quality, *_ = separation(train, parts, **options)
        rows.append((f"{pair[0]} + {pair[1]}", factor, quality))
    return pd.DataFrame(rows, columns=["pair", "factor", "median PSNR"])


def run(output, quick):
    """Search on both pairs and say which factor is best."""
    sample = digits()
    small = quick or not sample.real
    factors, k = ((0.01, 0.07, 0.2), 8) if small else (FACTORS, N_COMPONENTS)
    pieces = [
        search(sample.data, sample.target, pair, 500 if small else n_rows, factors, k)
        for pair, n_rows in PAIRS.items()
    ]
    table = pd.concat(pieces)
    save_table(table, output, "sparsity")
    wide = table.pivot(index="factor", columns="pair", values="median PSNR")
    wide["mean"] = wide.mean(axis=1)
    print(wide.to_string(float_format="%.2f"))
    for name, quality in wide.items():
        there = ""
        if DEFAULT_SPARSITY in wide.index:
            there = f"; {quality[DEFAULT_SPARSITY]:.2f} dB at the default {DEFAULT_SPARSITY:g}"
        print(f"best for {name}: {quality.idxmax():g} ({quality.max():.2f} dB{there})")
    draw(wide, output)


def draw(wide, output):
    """Quality against sparsity, relative to the best of each pair."""
    canvas, axes = figure(1, 1, (6.5, 4))
    ax = axes[0, 0]
    for name, colour in zip(wide.columns, (OURS, OTHERS[0], OTHERS[3]), strict=True):
        best = wide[name].idxmax()
        label = f"{name} (best {wide[name].max():.2f} dB at {best:g})"
        ax.semilogx(
            wide.index, wide[name] - wide[name].max(), "o-", ms=4, color=colour, label=label
        )
    ax.axvline(DEFAULT_SPARSITY, color=BAR, ls="--", lw=1, label=f"default {DEFAULT_SPARSITY:g}")
    ax.set_xlabel("alpha_H / mean length of the rows")
    ax.set_ylabel("median PSNR below the best (dB)")
    ax.set_title("Sparsity, on held-out training rows of MNIST")
    ax.legend(loc="lower center")
    save_figure(canvas, output, "sparsity")
