"""Mini-batches: the same solvers, fed with a part of the rows at a time."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Stream:
    """Components, what has been gathered about them, and the activations of each batch."""

    components: Any
    activations: tuple
    memory: Any
    objective: float
    converged: bool = False


def start(problem, W, solver, batches):
    """Stream that has seen nothing yet; its objective is that of the first batch."""
    first = solver.start(problem.rows(batches[0]), W).objective
    return Stream(W, (None,) * len(batches), solver.start_memory(problem, W), first)


def epoch(problem, state, solver, batches, rng, forget_factor):
    """One pass over all batches in random order.

    The statistics of a batch have lost the factor `forget_factor` by the time it returns. The
    objective is the mean over batches, each measured under the components it met.
    """
    keep = forget_factor ** (1 / len(batches))
    activations, values = list(state.activations), []
    for i in rng.permutation(len(batches)):
        W, activations[i], memory, value = solver.absorb(
            problem.rows(batches[i]), state.components, activations[i], state.memory, keep
        )
        state = replace(state, components=W, memory=memory)
        values.append(value)
    return replace(state, activations=tuple(activations), objective=float(np.mean(values)))


def descent(problem, W, solver, *, batch_size=None, forget_factor=0.7, rng=None):
    """What makes the first state and what lowers its objective: all rows or mini-batches.

    Parameters
    ----------
    problem : Problem
    W : array (k, m)
        Start.
    solver : module
        A value of `anmf.nmf.solvers.SOLVERS`.
    batch_size : int or None
        None for all rows at once.
    forget_factor : float
    rng : numpy.random.Generator
        Draws the batches.

    Returns
    -------
    start, step : callable
        As `anmf._core.iterate.iterate` takes them.
    """
    n = problem.X.shape[0]
    if batch_size is None or batch_size >= n:
        return partial(solver.start, problem, W), partial(solver.step, problem)
    order = rng.permutation(n)
    batches = [np.sort(order[i : i + batch_size]) for i in range(0, n, batch_size)]

    def step(state):
        return epoch(problem, state, solver, batches, rng, forget_factor)

    return partial(start, problem, W, solver, batches), step
