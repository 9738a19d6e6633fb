"""How much sooner is the safeguarded solver of `ANMF` where the published updates end up?

Rows of one MNIST digit against rows of another and mixtures of both. ``solver='mu'`` runs 300
epochs; the safeguarded solver starts from the same components and stops once its objective is as
low as the last of those. CPU times are of `ANMF.fit` from its start, checks and callback included,
the two solvers taking turns. ``solver='mu'`` evaluates its objective after every epoch, which it
could do without; a second ratio leaves the time of that out. What it reports is at the activations
it has: those of adversarial rows, while they are poor, make it look lower than it is. A start from
which the safeguarded solver doesn't get as low counts as ratio 0. Last, the safeguarded objective
must never rise, whatever the weight.
"""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from anmf import ANMF
from anmf.nmf import mix_at_random, stochastic_mu
from anmf.nmf.init import draw_components
from anmf.nmf.problem import make_problem
from benchmarks.data import digits
from benchmarks.mnist_pairs import split_pair
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
from benchmarks.timing import cpu_seconds

SPEED_BARS = {0.1: 40.0, 0.5: 8.0}
"""By adversarial weight, how many times sooner."""
WEIGHTS_THAT_NEVER_RISE = (0.0, 0.1, 0.5, 2.0, 10.0, 100.0)
BATCH_SIZE = 500
PATIENCE = 2000
"""Iterations after which the safeguarded solver counts as not getting there."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    n_rows: int = 2500
    n_components: int = 64
    n_epochs: int = 300
    n_starts: int = 5
    n_iter: int = 200


QUICK = Size(200, 8, 20, 2, 20)


def adversarial_data(sample, n_rows, pair=(0, 1)):
    """Rows of a digit to explain, then as many of another and of random mixtures, labelled −1.

    Returns
    -------
    X : array (3 × n_rows, m)
    y : array (3 × n_rows,)
    """
    train, _ = split_pair(sample.data, sample.target, pair, n_rows, 0)
    mixtures, _ = mix_at_random(train, n_rows, np.random.default_rng(0))
    return np.concatenate([*train, mixtures]), np.repeat([0, -1, -1], n_rows)


def draw_start(X, y, n_components, seed):
    """Components from which all solvers start."""
    return draw_components(X[y == 0], n_components, "exemplar", np.random.default_rng(seed))


def trace(X, y, W, n_iter, stop=None, **options):
    """Objective and CPU seconds since `fit` began after each iteration, and the last state.

    Parameters
    ----------
    X, y : arrays
    W : array (k, m)
        Start.
    n_iter : int
    stop : float, optional
        The run ends once the objective is as low.
    **options
        Of `ANMF`.

    Returns
    -------
    curve : DataFrame
        Columns n_iter, seconds, objective.
    state : object
    """
    points, states = [], [None]

    def record(info):
        states[0] = info.state
        points.append((info.n_iter, time.process_time() - began, info.objective))
        return stop is not None and info.objective <= stop

    model = ANMF(
        len(W),
        init=W,
        alpha_H=0,
        tol=0,
        max_iter=n_iter,
        random_state=0,
        callback=record,
        **options,
    )
    began = time.process_time()
    with np.errstate(over="ignore", invalid="ignore"):  # the published updates may blow up
        model.fit(X, y)
    return pd.DataFrame(points, columns=["n_iter", "seconds", "objective"]), states[0]


def evaluation_seconds(X, y, weight, state, repeats=9):
    """Median CPU time of one evaluation of the objective by the published updates."""
    problem = make_problem(
        X, len(state.components), n_adversarial=int(np.sum(y == -1)), adversarial_weight=weight
    )
    known = state.activations, state.components, state.constant
    times = [
        cpu_seconds(lambda: stochastic_mu.objective(problem, *known))[0] for _ in range(repeats)
    ]
    return float(np.median(times))


def race(X, y, weight, size, seed):
    """One line: CPU times of both solvers from one start; and the curve of the published one."""
    W = draw_start(X, y, size.n_components, seed)
    options = {"adversarial_weight": weight}
    curve, state = trace(X, y, W, size.n_epochs, solver="mu", batch_size=BATCH_SIZE, **options)
    slow, target = curve["seconds"].iloc[-1], curve["objective"].iloc[-1]
    evaluations = size.n_epochs * evaluation_seconds(X, y, weight, state)
    ours, _ = trace(X, y, W, PATIENCE, stop=target, **options)
    reached = ours["objective"].iloc[-1] <= target
    fast = ours["seconds"].iloc[-1] if reached else np.inf
    return {
        "weight": weight,
        "seed": seed,
        "target": target,
        "mu seconds": slow,
        "of which objective": evaluations,
        "safeguarded seconds": fast,
        "safeguarded iterations": len(ours),
        "ratio": slow / fast,
        "ratio without objective": (slow - evaluations) / fast,
    }, curve


def largest_rise(objective):
    """Largest rise from one iteration to the next, over the first value."""
    objective = np.asarray(objective)
    return float(max(np.diff(objective), default=0.0) / abs(objective[0]))


def run(output, quick):
    """Race both solvers, and watch the safeguarded one at all weights."""
    sample = digits()
    small = quick or not sample.real
    size = QUICK if small else Size()
    X, y = adversarial_data(sample, size.n_rows)
    W = draw_start(X, y, size.n_components, 0)
    trace(X, y, W, 2)  # compile
    rows, curves = [], []
    for seed in range(size.n_starts):
        for weight in SPEED_BARS:
            row, curve = race(X, y, weight, size, seed)
            rows.append(row)
            curves.append(curve.assign(solver="mu", weight=weight, seed=seed))
    for weight in WEIGHTS_THAT_NEVER_RISE:
        curve, _ = trace(X, y, W, size.n_iter, adversarial_weight=weight)
        curves.append(curve.assign(solver="safeguarded", weight=weight, seed=0))
    table, curves = pd.DataFrame(rows), pd.concat(curves)
    bars = verdicts(table, curves)
    save_table(table, output, "adversarial")
    save_table(curves, output, "adversarial_curves")
    save_table(bars_frame(bars), output, "adversarial_bars")
    print(table.to_string(index=False, float_format="%.4g"))
    print(
        f"\n{table.groupby('weight')[list(table)[-2:]].median().to_string(float_format='%.1f')}\n"
    )
    print_bars(bars, applies=not small)
    draw(table, curves, output)


def verdicts(table, curves):
    """Bars: median ratio at each weight, and no rise at any."""
    ratios = table.groupby("weight")["ratio"].median()
    bars = [
        Bar(f"weight {weight:g}: CPU time to the objective of mu, mu / safeguarded",
            ratios[weight], bar, "x")
        for weight, bar in SPEED_BARS.items()
    ]  # fmt: skip
    ours = curves[curves["solver"] == "safeguarded"]
    return bars + [
        Bar(f"weight {weight:g}: largest relative rise of the safeguarded objective",
            largest_rise(curve["objective"]), 0.0, at_least=False)
        for weight, curve in ours.groupby("weight")
    ]  # fmt: skip


def draw(table, curves, output):
    """Objective over CPU time, from the first start."""
    canvas, axes = figure(1, len(SPEED_BARS), (10, 4))
    first = curves[curves["seed"] == 0]
    for ax, weight in zip(axes[0], SPEED_BARS, strict=True):
        for solver, colour in (("safeguarded", OURS), ("mu", OTHERS[0])):
            curve = first[(first["weight"] == weight) & (first["solver"] == solver)]
            ax.semilogx(curve["seconds"], curve["objective"], color=colour, label=solver, lw=1.8)
        chosen = table[table["weight"] == weight]
        target = chosen["target"].iloc[0]
        ax.axhline(target, color=BAR, lw=1, ls="--", label="last of mu")
        ours = first[(first["weight"] == weight) & (first["solver"] == "safeguarded")]
        lowest = min(target, ours["objective"].min())
        margin = target - lowest + 0.05 * abs(target)
        ax.set_ylim(lowest - 0.3 * margin, target + 4 * margin)  # mu may start far off
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("CPU time (s), one thread")
        ax.set_title(f"weight {weight:g}: {chosen['ratio'].median():.1f} x sooner (median)")
    axes[0, 0].set_ylabel("objective")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    save_figure(canvas, output, "adversarial")
