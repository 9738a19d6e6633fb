"""CPU time on a busy machine: interleaved runs, medians, ratios of neighbouring runs."""

import platform
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np


def cpu_seconds(function):
    """CPU time of one call, and its result."""
    began = time.process_time()
    result = function()
    return time.process_time() - began, result


def interleaved(functions, repeats=3):
    """CPU times of several functions that take turns, so that a slow spell hits all of them.

    Parameters
    ----------
    functions : dict of str to callable
        Called without arguments; `repeats` rounds, the order reversed in every other one.
    repeats : int

    Returns
    -------
    dict of str to ndarray (repeats,)
    """
    times = {name: [] for name in functions}
    for i in range(repeats):
        for name in list(functions)[:: 1 if i % 2 == 0 else -1]:
            times[name].append(cpu_seconds(functions[name])[0])
    return {name: np.array(values) for name, values in times.items()}


def ratio(slow, fast):
    """Median over the rounds of slow / fast, each ratio from one round."""
    return float(np.median(np.asarray(slow) / np.asarray(fast)))


class Stopwatch:
    """CPU time since it was made, without what happens inside ``with stopwatch.paused():``."""

    def __init__(self):
        self._began = time.process_time()

    @property
    def seconds(self):
        """CPU time so far."""
        return time.process_time() - self._began

    @contextmanager
    def paused(self):
        """Leave out the CPU time of the block."""
        began = time.process_time()
        try:
            yield
        finally:
            self._began += time.process_time() - began


def environment():
    """One line that says what was measured with and on."""
    packages = ("numpy", "scipy", "scikit-learn", "numba")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {versions}; {_processor()}; one thread; CPU time"


def _processor():
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.split(":")[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
