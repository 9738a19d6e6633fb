"""What does a multiplicative iteration for the Kullback-Leibler divergence cost, time and memory?

Both libraries compute the same iterates from the same start, which is checked: scikit-learn
updates activations, then components; ours does too, and ends with one more update of activations.
The time of an iteration is the difference of two run lengths, so start-up isn't counted.
"""

import tracemalloc
from functools import partial

import numpy as np
import pandas as pd

from anmf import NMF
from benchmarks.peers import multiplicative
from benchmarks.report import Bar
from benchmarks.timing import interleaved

SPEED_BAR, MEMORY_BAR = 1.4, 0.25
SHORT, LONG = 3, 13
LOSS = "kullback-leibler"

peer = partial(multiplicative, beta_loss=LOSS)


def start(X, k, seed=0):
    """Activations whose model has each row's mean, and random components of unit length."""
    W = np.random.default_rng(seed).random((k, X.shape[1])).astype(X.dtype)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    return np.repeat(X.sum(axis=1, keepdims=True) / W.sum(), k, axis=1), W


def ours(X, W, n_iter, callback=None):
    """`anmf.NMF` with multiplicative updates for exactly `n_iter` iterations."""
    model = NMF(len(W), solver="mu", beta_loss=LOSS, init=W, max_iter=n_iter, tol=0)
    return model.set_params(callback=callback).fit(X)


def difference(X, H, W, n_iter=5):
    """Relative difference between the models H W of both libraries after the same updates."""
    states = []
    ours(X, W, n_iter, lambda info: states.append(info.state))
    H, V = peer(X, H, W, n_iter)
    Y = np.maximum(H @ V, np.finfo(X.dtype).eps)
    H = H * ((X / Y) @ V.T) / V.sum(axis=1)
    Y = states[-1].activations @ states[-1].components
    return float(np.linalg.norm(Y - H @ V) / np.linalg.norm(H @ V))


def seconds_an_iteration(X, H, W, repeats):
    """Median CPU seconds of one iteration by library, and the median ratio peer / ours."""
    runs = {}
    for n in (SHORT, LONG):
        runs["anmf", n] = partial(ours, X, W, n)
        runs["scikit-learn mu", n] = partial(peer, X, H, W, n)
    times = interleaved(runs, repeats)
    each = {who: (times[who, LONG] - times[who, SHORT]) / (LONG - SHORT) for who, _ in runs}
    medians = {who: float(np.median(seconds)) for who, seconds in each.items()}
    return medians, float(np.median(each["scikit-learn mu"] / each["anmf"]))


def peak_memory(run, X):
    """Largest memory NumPy held during `run` beyond what was there before, over that of X."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        run()
        return (tracemalloc.get_traced_memory()[1] - before) / X.nbytes
    finally:
        tracemalloc.stop()


def measure(name, X, k, *, repeats=5):
    """Table and bars for one matrix."""
    H, W = start(X, k)
    ours(X[:100], W, 2)
    seconds, speed = seconds_an_iteration(X, H, W, repeats)
    runs = {"anmf": partial(ours, X, W, 3), "scikit-learn mu": partial(peer, X, H, W, 3)}
    memory = {who: peak_memory(run, X) for who, run in runs.items()}
    activations = 2 * H.nbytes / X.nbytes  # before and after an update
    apart = difference(X, H, W)
    table = pd.DataFrame({
        "matrix": name,
        "solver": list(seconds),
        "seconds an iteration": list(seconds.values()),
        "peak extra memory / X": [memory[who] for who in seconds],
        "of which activations": activations,
        "difference of iterates": apart,
    })  # fmt: skip
    return table, [
        Bar(f"{name}: KL iteration, scikit-learn mu / ours", speed, SPEED_BAR, "x"),
        Bar(f"{name}: KL, our peak extra memory beside the activations",
            memory["anmf"] - activations, MEMORY_BAR, "of X", False),
        Bar(f"{name}: KL, same iterates", apart, 1e-4, "relative", at_least=False),
    ]  # fmt: skip
