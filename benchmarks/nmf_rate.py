"""At what share of the machine's matrix product rate does an iteration of HALS run?

A product X Wᵀ of the same shape is timed between the iterations, so both see the same machine.
"""

import numpy as np
import pandas as pd

from anmf import NMF
from anmf.nmf import hals
from benchmarks.report import Bar
from benchmarks.timing import Stopwatch, cpu_seconds

RATE_BAR = 0.7


def iteration_flops(n, m, k, sweeps_H=hals._SWEEPS_H, sweeps_W=hals._SWEEPS_W):
    """Additions and multiplications of one iteration of HALS on X (n, m) with k components.

    X Wᵀ and Hᵀ X take 2 n m k each; Hᵀ H (for the components, and for the objective) 2 n k² each;
    W Wᵀ 2 m k²; a sweep over the activations 2 n k², one over the components 2 m k².
    """
    products = 2 * (2 * n * m * k)
    gram = 2 * (2 * n * k**2) + 2 * m * k**2
    return products + gram + sweeps_H * 2 * n * k**2 + sweeps_W * 2 * m * k**2


def product_flops(n, m, k):
    """The same of X Wᵀ."""
    return 2 * n * m * k


def paired_seconds(X, k, n_iter):
    """CPU seconds of every iteration but the first few, and of the product timed after each."""
    W = np.ascontiguousarray(X[:k].T)
    iterations, products, watch = [], [], None

    def record(_):
        nonlocal watch
        if watch is not None:
            iterations.append(watch.seconds)
        products.append(min(cpu_seconds(lambda: X @ W)[0] for _ in range(2)))
        watch = Stopwatch()

    NMF(k, max_iter=n_iter, tol=0, random_state=0, callback=record).fit(X)
    return np.array(iterations), np.array(products[1:])


def measure(name, X, k, *, n_iter=40):
    """Table and bar for one matrix.

    The share is that of the mean iteration: an extrapolation that is taken back costs time and
    earns nothing.
    """
    paired_seconds(X[:200], k, 3)
    iterations, products = paired_seconds(X, k, n_iter)
    shape = (*X.shape, k)
    ours = iteration_flops(*shape) / iterations / 1e9
    product = product_flops(*shape) / products / 1e9
    sustained = iteration_flops(*shape) / iterations.mean() / 1e9
    share = sustained / np.median(product)
    table = pd.DataFrame([{
        "matrix": name,
        "sustained GFLOP/s": sustained,
        "median iteration GFLOP/s": np.median(ours),
        "product GFLOP/s": np.median(product),
        "share": share,
    }])  # fmt: skip
    return table, [Bar(f"{name}: rate of HALS / matrix product", share, RATE_BAR)]
