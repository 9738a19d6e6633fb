"""How fast is `bss_eval`, does it agree with its peers, and what does a permutation cost?

Sources are coloured noises with slow envelopes, 10 s at 16 kHz; estimates leak, are filtered and
noisy, and come in another order. All compute SDR, SIR and SAR with 512 taps, and the permutation.
"""

import time
import warnings
from importlib.util import find_spec
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from anmf.metrics import bss_eval, solve_permutation
from benchmarks.report import (
    OTHERS,
    OURS,
    Bar,
    bars_frame,
    figure,
    print_bars,
    save_figure,
    save_table,
)
from benchmarks.timing import interleaved, ratio

RATE, SECONDS, N_SOURCES, REPEATS = 16000, 10.0, (2, 3, 4), 5
QUICK_SECONDS, QUICK_SOURCES, QUICK_REPEATS = 1.0, (2,), 2
FAST, SLOW = "fast_bss_eval", "mir_eval"
AGREEMENT = 1e-8
"""Largest difference from fast_bss_eval, in dB."""
SPEED_BARS = {FAST: 1.0, SLOW: 5.0}
PERMUTATION_SIZES = (2, 4, 8, 16, 32)
PERMUTATION_BAR = 1.0
"""Milliseconds for 16 sources."""


def recording(n_sources, n_times, seed=0):
    """Sources and estimates (n_times, n_sources)."""
    rng, shape = np.random.default_rng(seed), (n_times, n_sources)
    envelope = np.abs(lfilter([1.0], [1.0, -0.999], rng.standard_normal(shape), axis=0))
    sources = envelope * lfilter([1.0], [1.0, -0.9], rng.standard_normal(shape), axis=0)
    sources /= np.std(sources, axis=0)
    leaks = np.eye(n_sources) + 0.2 * rng.standard_normal((n_sources, n_sources))
    heard = lfilter([1.0, 0.4, -0.2], [1.0], sources @ leaks, axis=0)
    estimate = heard + 0.2 * rng.standard_normal(shape)
    return sources, estimate[:, rng.permutation(n_sources)]


def installed_peers():
    """``peer(reference, estimate)``, (n_times, n_sources) each, by name."""
    peers = {}
    if find_spec(FAST):
        from fast_bss_eval.numpy import bss_eval_sources as fast

        peers[FAST] = lambda s, x: fast(s.T, x.T)
    if find_spec(SLOW):
        from mir_eval.separation import bss_eval_sources as slow

        def quietly(s, x):
            with warnings.catch_warnings(action="ignore"):
                return slow(s.T, x.T)

        peers[SLOW] = quietly
    return peers


def measure(n_sources, n_times, repeats):
    """One line a program: median seconds, median ratio to ours, largest difference in dB."""
    s, x = recording(n_sources, n_times)
    programs = {"anmf": bss_eval, **installed_peers()}
    results = {}

    def run(name):
        results[name] = np.array(programs[name](s, x))

    times = interleaved({name: lambda name=name: run(name) for name in programs}, repeats)
    return [
        {
            "n_sources": n_sources,
            "program": name,
            "seconds": np.median(seconds),
            "ratio": ratio(seconds, times["anmf"]),
            "difference (dB)": np.abs(results[name] - results["anmf"]).max(),
        }
        for name, seconds in times.items()
    ]


def permutation_times(sizes, repeats=200):
    """Milliseconds that the best order of n sources takes, the median."""
    rows = []
    for n in sizes:
        tables = np.random.default_rng(n).normal(0, 15, (repeats, n, n))
        seconds = []
        for table in tables:
            began = time.perf_counter()
            solve_permutation(table)
            seconds.append(time.perf_counter() - began)
        rows.append({"n_sources": n, "milliseconds": 1e3 * np.median(seconds)})
    return pd.DataFrame(rows)


def shortfall(n_sources=6, n_tables=50):
    """Largest total of any order minus that of `solve_permutation`, the worst of many tables."""
    worst = 0.0
    for table in np.random.default_rng(0).normal(0, 15, (n_tables, n_sources, n_sources)):
        rows = np.arange(n_sources)
        best = max(table[rows, list(order)].sum() for order in permutations(range(n_sources)))
        worst = max(worst, best - table[rows, solve_permutation(table)].sum())
    return worst


def make_bars(table, permutation):
    """What is held to a value."""
    bars = []
    for name, bar in SPEED_BARS.items():
        for line in table[table["program"] == name].itertuples():
            if name == FAST or line.n_sources == max(table["n_sources"]):
                question = f"bss_eval of {line.n_sources} sources: {name} / ours"
                bars.append(Bar(question, line.ratio, bar, "x"))
    for name, lines in table[table["program"] != "anmf"].groupby("program", sort=False):
        worst = lines["difference (dB)"].max()
        bars.append(Bar(f"difference from {name}", worst, AGREEMENT, "dB", at_least=False))
    sixteen = permutation.set_index("n_sources")["milliseconds"][16]
    return [
        *bars,
        Bar("best order of 16 sources", sixteen, PERMUTATION_BAR, "ms", at_least=False),
        Bar("best order against all orders of 6", shortfall(), 1e-9, "dB", at_least=False),
    ]


def draw(table, permutation, output):
    """CPU time by number of sources, and that of the permutation."""
    canvas, axes = figure(1, 2, (8.6, 3.4))
    colours = dict(zip(table["program"].unique(), (OURS, *OTHERS), strict=False))
    for name, lines in table.groupby("program", sort=False):
        axes[0, 0].plot(lines["n_sources"], lines["seconds"], "o-", color=colours[name], label=name)
    axes[0, 0].set(yscale="log", xlabel="sources", ylabel="CPU time (s)", title="SDR, SIR and SAR")
    axes[0, 0].set_xticks(sorted(table["n_sources"].unique()))
    axes[0, 0].legend()
    microseconds = 1e3 * permutation["milliseconds"]
    axes[0, 1].plot(permutation["n_sources"], microseconds, "o-", color=OURS)
    axes[0, 1].set(xlabel="sources", ylabel="time (µs)", title="best order of a table", ylim=0)
    axes[0, 1].set_xticks(permutation["n_sources"])
    save_figure(canvas, output, "metrics")


def run(output, quick=False):
    """Measure, and write metrics.csv, metrics_bars.csv and metrics.png."""
    seconds, sizes, repeats = (
        (QUICK_SECONDS, QUICK_SOURCES, QUICK_REPEATS) if quick else (SECONDS, N_SOURCES, REPEATS)
    )
    n_times = int(seconds * RATE)
    s, x = recording(2, n_times)
    bss_eval(s, x)  # what is imported or planned once is not counted
    table = pd.DataFrame([line for n in sizes for line in measure(n, n_times, repeats)])
    permutation = permutation_times(PERMUTATION_SIZES, 20 if quick else 200)
    absent = [name for name in SPEED_BARS if name not in set(table["program"])]
    if absent:
        print(f"not installed, so left out: {', '.join(absent)}")
    print(table.to_string(index=False, float_format="{:.3g}".format))
    print(permutation.to_string(index=False, float_format="{:.3g}".format))
    bars = make_bars(table, permutation)
    print_bars(bars, applies=not quick)
    save_table(table, output, "metrics")
    save_table(bars_frame(bars), output, "metrics_bars")
    draw(table, permutation, output)
