"""How long does `transform` take at the same accuracy, and does `fit_transform` agree with it?

Both libraries get the same components. The gap is (f(H) − f*) / f*, f = ½ ‖X − H W‖², with f* from
a solve in double precision that is exact up to rounding.
"""

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from sklearn import decomposition
from sklearn.exceptions import ConvergenceWarning

from anmf import NMF
from anmf.nmf.updates import coordinate_sweeps
from benchmarks.report import Bar
from benchmarks.timing import cpu_seconds, interleaved, ratio

GAP = 1e-6
TOLERANCES = 10.0 ** -np.arange(1, 8, 0.125)
"""Eight a decade, so that scikit-learn isn't made to do more than it has to."""
PATIENCE = 40.0
"""CPU seconds of one transform after which no tighter tolerance is tried."""
SPEED_BAR, AGREEMENT_BAR = 10.0, 1e-5


def objective(X, H, W):
    """½ ‖X − H W‖² in double precision."""
    return 0.5 * float(np.sum((X.astype(np.float64) - H.astype(np.float64) @ W) ** 2))


def exact_activations(X, W, n_sweeps=300):
    """Optimal activations in double precision, and the violation of the optimality conditions.

    Rows that coordinate descent leaves with a violation |min(h, ∇)| above rounding are solved by
    the active-set method of SciPy, which is exact on badly conditioned components too.
    """
    X, W = X.astype(np.float64), W.astype(np.float64)
    C, G = X @ W.T, W @ W.T
    H, _ = coordinate_sweeps(np.zeros_like(C), C, G, n_sweeps, xp=np)
    late = np.flatnonzero(_violation(H, C, G).max(axis=1) > 1e-13 * C.max())
    Q, R = np.linalg.qr(W.T)
    for i in late:
        H[i] = nnls(R, Q.T @ X[i])[0]
    return H, float(_violation(H, C, G).max() / C.max())


def _violation(H, C, G):
    return np.abs(np.minimum(H, H @ G - C))


def scikit_learn_model(X, W, tol):
    """scikit-learn's NMF with given components, ready to transform."""
    model = decomposition.NMF(
        len(W), solver="cd", init="random", tol=tol, max_iter=1, random_state=0
    )
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(X[: 2 * len(W)])
    model.components_ = np.ascontiguousarray(W)
    return model.set_params(max_iter=100000)


def loosest(X, W, best, gap=GAP):
    """scikit-learn's model of the loosest tolerance that reaches the gap, and the gap it reaches.

    Every fourth of `TOLERANCES` is tried until one reaches the gap, then those before it. Where
    none does within `PATIENCE`, the last one is kept: the comparison then favours scikit-learn.
    """
    first, stride = 0, 4
    for last in range(0, len(TOLERANCES), stride):
        seconds, model, reached = _attempt(X, W, TOLERANCES[last], best)
        if reached <= gap:
            break
        if seconds > PATIENCE:
            return model, reached
        first = last + 1
    for i in range(first, last):
        _, looser, reached_looser = _attempt(X, W, TOLERANCES[i], best)
        if reached_looser <= gap:
            return looser, reached_looser
    return model, reached


def _attempt(X, W, tol, best):
    model = scikit_learn_model(X, W, float(tol))
    seconds, H = cpu_seconds(lambda: model.transform(X))
    return seconds, model, objective(X, H, W) / best - 1


def measure(name, X, k, *, repeats=5):
    """Table and bars for one matrix."""
    model = NMF(k, max_iter=30, tol=0, random_state=0).fit(X)
    W = model.components_
    H, violation = exact_activations(X, W)
    best = objective(X, H, W)
    peer, peer_gap = loosest(X, W, best)
    gap = objective(X, model.transform(X), W) / best - 1
    runs = {"anmf": lambda: model.transform(X), "scikit-learn cd": lambda: peer.transform(X)}
    times = interleaved(runs, repeats)
    table = pd.DataFrame({
        "matrix": name,
        "solver": list(times),
        "seconds": [np.median(seconds) for seconds in times.values()],
        "relative gap": [gap, peer_gap],
        "tol": [np.nan, peer.tol],
        "violation of reference": violation,
    })  # fmt: skip
    speed = ratio(times["scikit-learn cd"], times["anmf"])
    return table, [
        Bar(f"{name}: transform, scikit-learn cd / ours at gap 1e-6", speed, SPEED_BAR, "x"),
        Bar(f"{name}: transform, our relative gap", gap, GAP, at_least=False),
        Bar(f"{name}: fit_transform against fit, transform", agreement(X, k), AGREEMENT_BAR,
            "relative", at_least=False),
    ]  # fmt: skip


def agreement(X, k):
    """Relative difference between ``fit_transform(X)`` and ``fit(X).transform(X)``."""
    options = {"max_iter": 20, "tol": 0, "random_state": 0}
    together = NMF(k, **options).fit_transform(X)
    apart = NMF(k, **options).fit(X).transform(X)
    return float(np.linalg.norm(together - apart) / np.linalg.norm(apart))
