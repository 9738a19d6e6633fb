"""How much CPU time does a factorisation need to come within 1 % of the best error?

The error is ‖X − H W‖. First the error after every iteration is recorded, untimed. That tells how
many iterations each implementation needs from the same start. Then fresh runs of just so many
iterations are timed in turn, checks and all, with no evaluation of errors in them.
"""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.decomposition import non_negative_factorization

from anmf import NMF
from benchmarks.peers import RESTARTED, coordinate_descent, installed_peers
from benchmarks.report import Bar
from benchmarks.timing import Stopwatch, interleaved, ratio

OURS = "anmf"
CLOSE = 1.01
BARS = {"MNIST": 3.0, "speech-like": 8.0, "speech": 8.0}
LIMITS = {"MNIST": 25.0, "speech-like": 40.0, "speech": 100.0}
"""CPU seconds after which scikit-learn's coordinate descent is given up, the others at a fourth.

Its time then counts as what it has used so far: less than it would have needed.
"""


def exemplar_start(X, k, seed=0):
    """Our kind of start: rows of the data, slightly raised, and activations of the right mean."""
    rng = np.random.default_rng(seed)
    W = X[rng.choice(np.flatnonzero(X.any(axis=1)), k, replace=False)]
    W = W / np.linalg.norm(W, axis=1, keepdims=True) + X.dtype.type(0.03 / X.shape[1] ** 0.5)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    return np.repeat(X.sum(axis=1, keepdims=True) / W.sum(), k, axis=1), W


def random_start(X, k, seed=0):
    """scikit-learn's ``init='random'``: √(mean / k) |N(0, 1)|."""
    rng, scale = np.random.default_rng(seed), np.sqrt(X.mean() / k)
    H, W = (scale * np.abs(rng.standard_normal(s)) for s in ((len(X), k), (k, X.shape[1])))
    return H.astype(X.dtype), W.astype(X.dtype)


def nndsvd_start(X, k, seed=0):
    """scikit-learn's default start, after the one iteration its public function runs at least."""
    options = {"init": "nndsvd", "max_iter": 1, "tol": 0, "random_state": seed}
    H, W, _ = non_negative_factorization(X, n_components=k, **options)
    return H, W


STARTS = {"exemplar": exemplar_start, "random": random_start, "nndsvd": nndsvd_start}


def error(X, H, W, block=1000):
    """‖X − H W‖, the sum over blocks of rows in double precision."""
    square = 0.0
    for rows in (slice(i, i + block) for i in range(0, len(X), block)):
        rest = X[rows] - H[rows] @ W
        square += float(np.vdot(rest, rest))
    return square**0.5


def ours(X, W, n_iter, callback=None):
    """`anmf.NMF` for exactly `n_iter` iterations from the components W."""
    return NMF(len(W), init=W, max_iter=n_iter, tol=0, callback=callback).fit(X)


def trace_ours(X, W, limit, n_iter=200):
    """Iterations, CPU seconds and errors along one run of ours."""
    points, watch = [], Stopwatch()

    def record(info):
        with watch.paused():
            state = info.state
            points.append((info.n_iter, error(X, state.activations, state.components)))
        seconds.append(watch.seconds)
        return watch.seconds > limit

    seconds = []
    ours(X, W, n_iter, record)
    n, errors = zip(*points, strict=True)
    return pd.DataFrame({"n_iter": n, "seconds": seconds, "error": errors})


def trace_peer(peer, X, H, W, limit, target, n_iter=1000):
    """The same of a peer, until it is below `target` or has used up `limit` seconds."""
    if peer in RESTARTED:
        return _trace_restarted(peer, X, H, W, limit, target)
    points, watch = [], Stopwatch()
    for i in range(1, n_iter + 1):
        H, W = peer(X, H, W, 1)
        with watch.paused():
            points.append((i, watch.seconds, error(X, H, W)))
        if points[-1][-1] <= target or watch.seconds > limit:
            break
    return pd.DataFrame(points, columns=["n_iter", "seconds", "error"])


def _trace_restarted(peer, X, H, W, limit, target):
    points, n, seconds = [], 1, 0.0
    while seconds < limit / 3:  # all runs so far cost about twice the last one
        watch = Stopwatch()
        H_n, W_n = peer(X, H, W, n)
        seconds = watch.seconds
        points.append((n, seconds, error(X, H_n, W_n)))
        if points[-1][-1] <= target:
            break
        n = int(np.ceil(1.5 * n))
    return pd.DataFrame(points, columns=["n_iter", "seconds", "error"])


def trace_all(X, k, start, peers, limit):
    """Curves of all implementations from one start, and the start."""
    H, W = STARTS[start](X, k)
    curves = {OURS: trace_ours(X, W, limit)}
    target = 1.003 * curves[OURS]["error"].min()
    for name, peer in peers.items():
        patience = limit if peer is coordinate_descent else limit / 4
        curves[name] = trace_peer(peer, X, H, W, patience, target)
    best = min(curve["error"].min() for curve in curves.values())
    for curve in curves.values():
        curve["relative"] = curve["error"] / best
    return (H, W), curves


def iterations_needed(curve):
    """Iterations until within 1 % of the best error, None if that was not reached."""
    close = curve["relative"] <= CLOSE
    return int(curve["n_iter"][close.idxmax()]) if close.any() else None


def time_needed(X, start, curves, peers, repeats):
    """Interleaved CPU seconds of fresh runs as long as needed, by name."""
    (H, W), runs = start, {}
    for name, curve in curves.items():
        n_iter = iterations_needed(curve)
        if n_iter is not None:
            runs[name] = (
                partial(ours, X, W, n_iter)
                if name == OURS
                else partial(peers[name], X, H, W, n_iter)
            )
    return interleaved(runs, repeats)


def measure(name, X, k, *, repeats=3):
    """Table of times, bars and curves for one matrix, from every start.

    Every peer runs from the random start; from the others only scikit-learn's coordinate descent,
    the fastest of them in scikit-learn.
    """
    ours(X[:100], X[:k], 2)  # compile
    tables, rows, bars = [], [], []
    for start in STARTS:
        peers = installed_peers()
        if start != "random":
            peers = {n: peer for n, peer in peers.items() if peer is coordinate_descent}
        factors, curves = trace_all(X, k, start, peers, LIMITS[name])
        times = time_needed(X, factors, curves, peers, repeats)
        for who, curve in curves.items():
            seconds = times.get(who)
            tables.append(_timed(curve, seconds).assign(matrix=name, start=start, solver=who))
            rows.append(_row(name, start, who, curve, seconds, times[OURS]))
        slow = times.get("scikit-learn cd", curves["scikit-learn cd"]["seconds"].max())
        question = f"{name}: time to 1 % of best error, scikit-learn cd / ours, {start} start"
        bars.append(Bar(question, ratio(slow, times[OURS]), BARS[name], "x"))
    return pd.DataFrame(rows), bars, pd.concat(tables)


def _timed(curve, seconds):
    """The curve with the time axis of the fresh runs, which have no overhead of recording."""
    if seconds is None:
        return curve
    reached = curve.loc[curve["n_iter"] == iterations_needed(curve), "seconds"].iloc[0]
    return curve.assign(seconds=curve["seconds"] * np.median(seconds) / reached)


def _row(name, start, who, curve, seconds, fastest):
    return {
        "matrix": name,
        "start": start,
        "solver": who,
        "iterations": iterations_needed(curve),
        "seconds": np.nan if seconds is None else float(np.median(seconds)),
        "times ours": np.nan if seconds is None else ratio(seconds, fastest),
        "best relative error": curve["relative"].min(),
        "gave up after": curve["seconds"].max() if seconds is None else np.nan,
    }
