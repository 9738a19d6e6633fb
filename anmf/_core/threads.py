"""How many threads matrix products may take."""

from contextlib import nullcontext
from functools import cache
from math import prod

from threadpoolctl import ThreadpoolController

_WORTH = 2**27
"""Multiplications below which a product is not worth the waiting of threads for each other."""


def limited_threads(*sizes):
    """Context in which BLAS has one thread if a product of such `sizes` is a small one.

    Small products gain little from threads, and where other processes keep the cores busy, every
    one of them waits for the slowest thread.

    Parameters
    ----------
    *sizes : int
        Sizes whose product is the number of multiplications.
    """
    if prod(sizes) >= _WORTH:
        return nullcontext()
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    """Of the libraries loaded by now; finding them takes milliseconds."""
    return ThreadpoolController()
