"""Figures of the experiments on overlaid MNIST digits."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from benchmarks.report import BAR, OTHERS, OURS, figure, save_figure

COLOURS = {
    "nmf": OTHERS[3],
    "anmf": OTHERS[0],
    "dnmf": OURS,
    "exemplar": OTHERS[1],
    "anmf+dnmf": OTHERS[2],
}


def draw_convergence(curves, output):
    """Objective per epoch and per CPU second."""
    canvas, axes = figure(1, 2, (11, 4.3))
    for ax, column in zip(axes[0], ("n_iter", "seconds"), strict=True):
        colours = iter(OTHERS)
        for name, curve in curves.groupby("name", sort=False):
            ours = name == "safeguarded"
            colour = OURS if ours else next(colours)
            options = {"color": colour, "lw": 2.2 if ours else 1.4, "label": name}
            ax.semilogx(curve[column], curve["objective"], **options)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(*_window(curves))
    axes[0, 0].set_ylabel("objective")
    axes[0, 0].set_xlabel("epochs, or iterations")
    axes[0, 1].set_xlabel("CPU time (s), one thread")
    axes[0, 0].set_title("Objective of adversarial bases")
    axes[0, 1].set_title("The same over time")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    save_figure(canvas, output, "mnist_convergence")


def _window(curves):
    """From the lowest objective to somewhat above the highest of the last ones."""
    finite = curves[np.isfinite(curves["objective"])]
    last = finite.groupby("name")["objective"].last()
    low, high = finite["objective"].min(), last.max()
    whole = curves.groupby("name")["objective"].apply(lambda values: np.isfinite(values).all())
    high = last[whole].max() if whole.any() else high
    room = high - low + 0.02 * abs(low)
    return low - 0.2 * room, high + 3 * room


def draw_components(ours, paper, original, output):
    """Quality by number of components, with published figures."""
    canvas, axes = figure(1, 1, (7.5, 4.8))
    ax = axes[0, 0]
    for method, values in ours.iterrows():
        colour = COLOURS[method]
        ax.semilogx(values.index, values, "o-", color=colour, lw=2, ms=5, label=method)
        for source, style in ((paper, "s--"), (original, "x:")):
            points = pd.Series(source[method])
            points = points[points.index.isin(values.index)]
            ax.plot(points.index, points, style, color=colour, lw=1, ms=5, alpha=0.75)
    ax.set_xticks(ours.columns, [str(k) for k in ours.columns])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("components of each basis")
    ax.set_ylabel("median PSNR (dB)")
    ax.set_title("Digits 0 and 1, by number of components")
    handles, _ = ax.get_legend_handles_labels()
    handles += [
        Line2D([], [], color="0.4", marker=marker, ls=style, lw=width, label=label)
        for marker, style, width, label in
        (("o", "-", 2, "ours"), ("s", "--", 1, "paper"), ("x", ":", 1, "original code, our rows"))
    ]  # fmt: skip
    canvas.legend(handles=handles, loc="outside lower center", ncols=4)
    save_figure(canvas, output, "mnist_components")


def draw_weights(wide, output):
    """Quality by adversarial weight, for every pair and sparsity."""
    pairs = wide.index.unique("pair")
    canvas, axes = figure(1, len(pairs), (5.2 * len(pairs), 4))
    place = np.arange(wide.shape[1])
    for ax, pair in zip(axes[0], pairs, strict=True):
        for (sparsity, values), colour in zip(wide.loc[pair].iterrows(), (OTHERS[0], OURS),
                                              strict=True):  # fmt: skip
            label = "default sparsity" if sparsity == "auto" else f"alpha_H = {sparsity}"
            ax.plot(place, values, "o-", color=colour, lw=1.8, ms=5, label=label)
            ax.axhline(values.iloc[0], color=colour, lw=1, ls=":")
        ax.set_xticks(place, [f"{weight:g}" for weight in wide.columns])
        ax.set_xlabel("adversarial weight")
        ax.set_title(f"Digits {pair.replace('+', ' and ')}")
    axes[0, 0].set_ylabel("median PSNR (dB)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.4", lw=1, ls=":"))
    labels.append("without adversarial rows")
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    save_figure(canvas, output, "mnist_weight")


def draw_few_data(gains, paper, output):
    """Gain over NMF of each method on each pair, with what was published."""
    canvas, axes = figure(1, 1, (11, 4.5))
    ax = axes[0, 0]
    labels = ["mean", *(f"{digit} + 1" for digit in gains.columns)]
    width = 0.8 / len(gains)
    for i, (method, values) in enumerate(gains.iterrows()):
        place = np.arange(len(labels)) + (i - (len(gains) - 1) / 2) * width
        ax.bar(place, [values.mean(), *values], width=0.9 * width, color=COLOURS[method],
               label=method)  # fmt: skip
        if method in paper.index:
            known = paper.loc[method]
            marks = [known.mean(), *known]
            ax.plot(place, marks, "_", color="white", ms=13, mew=4)
            ax.plot(place, marks, "_", color="black", ms=11, mew=2,
                    label="paper" if method == "anmf" else None)  # fmt: skip
    ax.axhline(0, color="black", lw=0.8)
    ax.axvline(0.5, color=BAR, lw=0.8, ls=":")
    ax.set_xticks(range(len(labels)), labels)
    ax.set_ylabel("gain in median PSNR over nmf (dB)")
    ax.set_title("Few data: nine pairs of digits" if len(labels) == 10 else "Few data")
    ax.grid(axis="x", visible=False)
    canvas.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    save_figure(canvas, output, "mnist_few_data")
