"""Run benchmarks by name: ``python -m benchmarks [NAME ...] [--quick] [--output FOLDER]``."""

import argparse
import os
from importlib import import_module
from pathlib import Path

from benchmarks import BENCHMARKS

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def main(arguments=None):
    """Command line; without names it lists the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" or ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes; bars do not apply")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    for variable in THREAD_VARIABLES:  # libraries read these once, when NumPy is first imported
        os.environ[variable] = "1"
    modules = {name: import_module(BENCHMARKS[name]) for name in options.names or BENCHMARKS}
    if not options.names:
        for name, module in modules.items():
            print(f"{name:12} {module.__doc__.splitlines()[0]}")
        return
    options.output.mkdir(parents=True, exist_ok=True)
    print(import_module("benchmarks.timing").environment())
    for name, module in modules.items():
        print(f"\n{name}: {module.__doc__.splitlines()[0]}")
        module.run(options.output, options.quick)


if __name__ == "__main__":
    main()
