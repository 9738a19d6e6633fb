"""Time, threads and memory of an iteration of determined separation.

The time of an iteration is the difference of a long and a short run, divided by that of their
iterations: what is done once isn't counted. What depends on how a process was started is measured
in one of its own, ``python -m benchmarks.iva_cost threads`` or ``memory``, by `measure_apart`.
"""

import gc
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.iva_programs import PROGRAMS, installed
from benchmarks.iva_rooms import HOP, N_FFT, SECONDS, babble
from benchmarks.timing import interleaved, ratio

LONG = {"anmf": 42}
"""Iterations of the long run, by package; of the others `PEERS_LONG`, of the short run `SHORT`."""
SHORT, PEERS_LONG = 2, 10
SPEED_BARS = {
    ("anmf ip", "pyroomacoustics ip", "complex128"): {2: 8, 3: 7, 4: 6},
    ("anmf iss", "ssspy iss, objective", "complex128"): {2: 15, 3: 15, 4: 15},
    ("anmf iss", "torchiva iss", "complex64"): {2: 12, 3: 12, 4: 12},
    ("anmf iss", "ssspy iss", "complex128"): {},
    ("anmf ip", "ssspy ip", "complex128"): {},
    ("anmf ip2", "ssspy ip2", "complex128"): {},
    ("anmf iss2", "ssspy iss2", "complex128"): {},
    ("anmf ip, nmf", "pyroomacoustics ip, nmf", "complex128"): {},
}
"""Least ratio of the peer's time to ours, by number of channels; none where it's only reported. The
bar of ssspy is for its default, which evaluates the objective in every iteration, as ours does."""
ONLY_OURS = {
    "complex128": ("anmf default", "anmf iss2, gauss", "anmf iss2, nmf"),
    "complex64": ("anmf default", "anmf ip", "anmf ip2", "anmf iss2"),
}
TWO_THREADS = {"NUMBA_NUM_THREADS": "2"}
THREADED = ("anmf default", "anmf iss", "anmf iss2", "anmf ip", "anmf ip2")
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Has the C library give back what is freed; else runs would live on what earlier work left."""
MEMORY = (
    *THREADED,
    "anmf iss2, nmf",
    "pyroomacoustics ip",
    "ssspy ip",
    "ssspy iss",
    "torchiva iss",
)


def long_run(name):
    """Iterations of the long run of a program."""
    return LONG.get(name.split()[0], PEERS_LONG)


def milliseconds(X, names, repeats):
    """CPU time of an iteration, (repeats,), of each program, measured in turns."""
    runs = {name: PROGRAMS[name](X) for name in names}
    turns = {
        (name, n): partial(run, n) for name, run in runs.items() for n in (SHORT, long_run(name))
    }
    for run in runs.values():
        run(SHORT)  # compile, import
    taken = interleaved(turns, repeats)
    return {
        name: 1e3 * (taken[name, long_run(name)] - taken[name, SHORT]) / (long_run(name) - SHORT)
        for name in names
    }


def compare_times(sizes, repeats, **scene):
    """One line a program or pair of programs, by number of channels and precision."""
    rows = []
    for n in sizes:
        for dtype, alone in ONLY_OURS.items():
            pairs = [(a, b) for a, b, kind in SPEED_BARS if kind == dtype]
            names = installed(dict.fromkeys([*sum(pairs, ()), *alone]))
            taken = milliseconds(babble(n, dtype=dtype, **scene), names, repeats)
            for name, peer in [*pairs, *((name, None) for name in alone)]:
                row = {"n_channels": n, "precision": dtype, "ours": name}
                row["ms"] = np.median(taken[name])
                if peer in taken:
                    row |= {"peer": peer, "peer ms": np.median(taken[peer])}
                    row["ratio"] = ratio(taken[peer], taken[name])
                    row["bar"] = SPEED_BARS[name, peer, dtype].get(n)
                rows.append(row)
    columns = ["n_channels", "precision", "ours", "ms", "peer", "peer ms", "ratio", "bar"]
    table = pd.DataFrame(rows, columns=columns).astype({"ratio": float, "bar": float})
    return table.drop_duplicates(["n_channels", "precision", "ours", "peer"])


def wall_seconds(function):
    """Elapsed time of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def thread_times(n, repeats, **scene):
    """Of each of our programs the elapsed milliseconds an iteration with one thread and with two.

    The shortest of the rounds: whatever else the machine does adds to the others.
    """
    X, rows = babble(n, **scene), []
    for name in THREADED:
        runs = [PROGRAMS[name](X, n_threads=threads) for threads in (1, 2)]
        for run in runs:
            run(SHORT)
        n_iter = long_run("anmf")
        taken = [
            [wall_seconds(partial(run, n_iter)) - wall_seconds(partial(run, SHORT)) for run in runs]
            for _ in range(repeats)
        ]
        one, two = 1e3 * np.min(taken, axis=0) / (n_iter - SHORT)
        rows.append({"n_channels": n, "program": name, "one (ms)": one, "two (ms)": two,
                     "ratio": one / two})  # fmt: skip
    return rows


def memory(name, n, n_iter=5, **scene):
    """Peak memory of a run above that before it, over the size of the spectrogram (Linux)."""
    status = Path("/proc/self/status")

    def kilobytes(field):
        return int(status.read_text().split(f"{field}:")[1].split()[0])

    tiny = {"seconds": 0.5, "n_fft": 256, "hop_length": 64, "dtype": "complex64"}
    PROGRAMS[name](babble(n, **tiny))(2)  # compile, import
    X = babble(n, dtype="complex64", **scene)
    run = PROGRAMS[name](X)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = kilobytes("VmRSS")
    run(n_iter)
    return {"n_channels": n, "program": name, "X (MB)": X.nbytes / 1e6,
            "extra / X": 1024 * (kilobytes("VmHWM") - before) / X.nbytes}  # fmt: skip


def measure_apart(what, environment, **options):
    """What `thread_times` or `memory` of `options` gives in a process with that environment."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, what, json.dumps(options)],
        env={**os.environ, **environment}, cwd=Path(__file__).parents[1], check=True, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def compare_threads(repeats, **scene):
    """One line a program, of four channels; None with a single core."""
    if len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0]) < 2:
        print("a single core, so two threads are left out")
        return None
    return pd.DataFrame(measure_apart("threads", TWO_THREADS, n=4, repeats=repeats, **scene))


def compare_memory(names=MEMORY, **scene):
    """One line a program, of four channels; None where the system doesn't tell."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        print("peak memory can't be read from this system, so it is left out")
        return None
    return pd.DataFrame(
        [measure_apart("memory", ALLOCATION, name=name, n=4, **scene) for name in installed(names)]
    )


FULL = {"seconds": SECONDS, "n_fft": N_FFT, "hop_length": HOP}
QUICK = {"seconds": 1.0, "n_fft": 512, "hop_length": 128}

if __name__ == "__main__":
    print(
        json.dumps(
            {"threads": thread_times, "memory": memory}[sys.argv[1]](**json.loads(sys.argv[2]))
        )
    )
