"""What does a step of training cost, and are its gradients right?

The surrogate source model, trained through ten iterations of iterative source steering: gradients
beside finite differences and autograd, time beside PyTorch, and memory against the number of
iterations, in a process of its own (``python -m benchmarks.learned_training``). And the loss of
deep clustering with its gradient, of many bins.
"""

import gc
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from anmf.deep import keep_memory
from anmf.deep.clustering_loss import affinity_loss
from anmf.iva.losses import si_sdr_loss
from anmf.iva.surrogate_training import Weighing
from anmf.iva.unrolled import unrolled_loss
from benchmarks import learned_gradients, learned_torch
from benchmarks.iva_cost import ALLOCATION
from benchmarks.learned_gradients import AT, N_ITER, problem, training_loss
from benchmarks.report import Bar, save_table
from benchmarks.timing import interleaved, ratio

DIFFERENCES_BAR, AUTOGRAD_BAR, SECONDS_BAR, RATIO_BAR = 1e-6, 1e-10, 0.35, 1.0
MEMORY_BAR, CLUSTERING_BAR, NAIVE_BAR = 1.1, 0.3, 1e-10
SAME_LOSS = 1e-4
"""Largest relative difference of losses in single precision."""
LEARNED = {"sample_rate": 16000, "seconds": 4.0, "n_fft": 1024, "n_bands": 40, "width": 115}
SMALL = {"sample_rate": 8000, "seconds": 0.5, "n_fft": 256, "n_bands": 6, "width": 4}
FULL = {
    "gradients": {**SMALL, "seconds": 1.0, "n_bands": 8, "width": 6},
    "step": {"repeats": 7, **LEARNED},
    "memory": {"iterations": (5, 10, 20, 40), **LEARNED},
    "clustering": {"n_bins": 160_000, "repeats": 7},
}
QUICK = {
    "gradients": {**SMALL, "seconds": 0.25, "n_bands": 4, "width": 2},
    "step": {"repeats": 2, **SMALL},
    "memory": {"iterations": (2, 4), **SMALL},
    "clustering": {"n_bins": 2000, "repeats": 2},
}


def row(what, value, unit):
    """A line of the table."""
    return {"what": what, "value": float(value), "unit": unit}


def measure_gradients(**size):
    """Lines and bars of the gradient through the iterations, in double precision."""
    given, rows = problem(**size, dtype="complex128"), []
    for loss in ("sdr", "coherence"):
        error = learned_gradients.by_finite_differences(*given, loss=loss)
        rows.append(row(f"gradient, {loss}: finite differences", error, "relative"))
    bar = max(r["value"] for r in rows)
    bars = [Bar("surrogate: gradient, finite differences", bar, DIFFERENCES_BAR, "relative", False)]
    error = learned_gradients.by_autograd(*given)
    if error is not None:
        rows.append(row("gradient, sdr: autograd", error, "relative"))
        bars.append(Bar("surrogate: gradient, autograd", error, AUTOGRAD_BAR, "relative", False))
    return rows, bars


def torch_step(weights, bands, X, R):
    """Function that returns PyTorch's loss and leaves gradients behind, on one thread."""
    import torch

    torch.set_num_threads(1)
    tensors, given = learned_torch.parameters(weights), learned_torch.prepared(bands, X, R)

    def step():
        for tensor in tensors.values():
            tensor.grad = None
        loss = learned_torch.loss(tensors, *given, N_ITER, AT)
        loss.backward()
        return float(loss.detach())

    return step


def measure_step(repeats, **size):
    """Lines and bars of the time of loss and gradient of one mixture, in single precision."""
    given = problem(**size)
    n = sum(w.size for w in given[0].values())
    runs = {"anmf": partial(training_loss, *given)}
    keep_memory()
    loss = float(runs["anmf"]()[0])  # compiles, too
    if learned_torch.installed():
        runs["torch"] = torch_step(*given)
        other = runs["torch"]()
        if not abs(loss - other) <= SAME_LOSS * max(1, abs(loss)):
            raise RuntimeError(f"losses differ, {loss:.6g} and {other:.6g} of PyTorch")
    else:
        print("torch isn't installed, so the time of a step isn't compared with it")
    taken = interleaved(runs, repeats)
    what = f"step of {n:,} parameters"
    rows = [row(f"{what}, {name}", np.median(times), "s") for name, times in taken.items()]
    bars = [Bar(f"surrogate: {what}", rows[0]["value"], SECONDS_BAR, "s", False)]
    if "torch" in taken:
        times = ratio(taken["torch"], taken["anmf"])
        rows.append(row("difference of the losses", abs(loss - other), "dB"))
        rows.append(row(f"{what}, torch / anmf", times, "x"))
        bars.append(Bar("surrogate: step, torch / anmf", times, RATIO_BAR, "x"))
    return rows, bars


def peaks(iterations, **size):
    """Peak memory above that before, in MB, of a step through so many iterations each (Linux)."""
    weights, bands, X, R = problem(**size)
    model, found = Weighing(weights, bands), []
    loss = partial(si_sdr_loss, R=R, x=X[:, :, 0, :], xp=np)
    status = Path("/proc/self/status")

    def megabytes(field):
        return int(status.read_text().split(f"{field}:")[1].split()[0]) * 1024 / 1e6

    unrolled_loss(X, model, loss, 2, xp=np)  # compiles, imports
    for n_iter in iterations:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = megabytes("VmRSS")
        unrolled_loss(X, model, loss, n_iter, xp=np)
        found.append(megabytes("VmHWM") - before)
    return found


def measure_memory(iterations, **size):
    """Lines and bar of the memory of a step, in a process that gives back what it frees."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        print("peak memory can't be read from this system, so it is left out")
        return [], []
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps({"iterations": iterations, **size})],
        env={**os.environ, **ALLOCATION}, cwd=Path(__file__).parents[1], check=True, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    rows = [row(f"peak memory of a step, {n} iterations", peak, "MB")
            for n, peak in zip(iterations, found, strict=True)]  # fmt: skip
    what = f"surrogate: memory, {iterations[-1]} iterations / {iterations[0]}"
    return rows, [Bar(what, found[-1] / found[0], MEMORY_BAR, "x", False)]


def embeddings(n_bins, dtype, n_components=16, n_sources=2):
    """Directions (1, n_bins, n_components), indicators of sources, and weights with sum one."""
    rng = np.random.default_rng(0)
    V = rng.standard_normal((1, n_bins, n_components))
    V /= np.linalg.norm(V, axis=-1, keepdims=True)
    Y = np.eye(n_sources)[rng.integers(n_sources, size=(1, n_bins))]
    weight = rng.random((1, n_bins))
    return tuple(a.astype(dtype) for a in (V, Y, weight / weight.sum()))


def naive_difference(n_bins=300):
    """Largest relative difference of loss and gradient to those of matrices of bins by bins."""
    V, Y, weight = embeddings(n_bins, np.float64)
    value, gradient = affinity_loss(V, Y, weight, xp=np)
    v, y, pairs = V[0], Y[0], np.outer(weight[0], weight[0])
    apart = v @ v.T - y @ y.T
    naive, slopes = np.sum(pairs * apart**2), 4 * (pairs * apart) @ v
    errors = abs(value / naive - 1), np.abs(gradient[0] - slopes).max() / np.abs(slopes).max()
    return float(max(errors))


def measure_clustering(n_bins, repeats):
    """Lines and bars of the loss of deep clustering and its gradient."""
    given = embeddings(n_bins, np.float32)
    taken = interleaved({"loss": partial(affinity_loss, *given, xp=np)}, repeats)["loss"]
    seconds, error = float(np.median(taken)), naive_difference()
    what = f"deep clustering: loss and gradient, {n_bins:,} bins"
    return [row(what, seconds, "s"), row("deep clustering: naive form", error, "relative")], [
        Bar(what, seconds, CLUSTERING_BAR, "s", False),
        Bar("deep clustering: loss and gradient, naive form", error, NAIVE_BAR, "relative", False),
    ]


def measure(output, quick):
    """Write the table learned_training.csv; bars, and True: voices are synthetic for a purpose."""
    plan, rows, bars = QUICK if quick else FULL, [], []
    for name, function in (
        ("gradients", measure_gradients),
        ("step", measure_step),
        ("memory", measure_memory),
        ("clustering", measure_clustering),
    ):
        lines, held = function(**plan[name])
        rows, bars = rows + lines, bars + held
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.3g}".format))
    save_table(table, output, "learned_training")
    return bars, True


if __name__ == "__main__":
    print(json.dumps(peaks(**json.loads(sys.argv[1]))))
