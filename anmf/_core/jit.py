"""Numba, imported here only, and the rule that sends NumPy arrays to the compiled twin."""

from functools import partial, wraps
from importlib import import_module

import numpy as np

_OPTIONS = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


def jit(function):
    """Compile a numerical kernel: cached on disk, without the interpreter lock.

    ``fastmath`` lets sums be reordered into SIMD lanes; inputs are finite by the checks at the
    front door, so nothing relies on NaN inside a kernel.
    """
    from numba import njit

    return njit(**_OPTIONS)(function)


def inlined(function):
    """The same for a small part of kernels, which becomes code of its callers."""
    from numba import njit

    return njit(forceinline=True, **_OPTIONS)(function)


def with_twin(reference=None, *, module):
    """Call the function of the same name in `module` for NumPy arrays, else `reference` itself.

    The undecorated reference stays available as ``function.reference`` for tests.
    """
    if reference is None:
        return partial(with_twin, module=module)

    @wraps(reference)
    def dispatch(first, *args, xp, **kwargs):
        if isinstance(first, np.ndarray):
            twin = getattr(import_module(module), reference.__name__)
            return twin(first, *args, **kwargs)
        return reference(first, *args, xp=xp, **kwargs)

    dispatch.reference = reference
    return dispatch


def most_threads():
    """Threads that compiled code may use, which the variable NUMBA_NUM_THREADS sets."""
    from numba.core import config

    return config.NUMBA_NUM_THREADS
