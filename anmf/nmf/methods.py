"""How one basis a source is learnt: the methods of `NMF_separation`, by name.

A method is a function that takes a `Task` and returns ``(start, step)`` for
`anmf._core.iterate.iterate`. A state has ``bases`` (list of arrays (k_s, m)), ``objective`` and
``converged``. To add one, write such a function and put it into `METHODS`; nothing else changes.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from anmf._core.arrays import namespace
from anmf.nmf.init import exemplar
from anmf.nmf.problem import make_problem
from anmf.nmf.start import start_components
from anmf.nmf.stream import descent


@dataclass(frozen=True)
class Task:
    """What a method learns from.

    Attributes
    ----------
    sources : list of array (n_s, m)
        Labelled rows of each known source.
    mixtures : array (n, m) or None
    n_components : list of int
    sparsity : list of array (k_s,)
        Weight of the activations of each source's components.
    solver : module
        A value of `anmf.nmf.solvers.SOLVERS`.
    init : str or list of array
    shrinkage : float
    beta : float
    floor : float
    missing : str
    rng : numpy.random.Generator
    options : dict
        Of `anmf.nmf.stream.descent`: ``batch_size``, ``forget_factor``.
    """

    sources: list
    mixtures: Any
    n_components: list
    sparsity: list
    solver: Any
    init: Any
    shrinkage: float
    beta: float
    floor: float
    missing: str
    rng: Any
    options: dict

    def only(self, chosen):
        """The same task for some of the sources."""
        init = self.init
        return replace(
            self,
            sources=[self.sources[s] for s in chosen],
            n_components=[self.n_components[s] for s in chosen],
            sparsity=[self.sparsity[s] for s in chosen],
            init=init if isinstance(init, str) else [init[s] for s in chosen],
        )

    def start(self, source, X, n_components):
        """Initial components of a source, from the rows X."""
        init = self.init if isinstance(self.init, str) else self.init[source]
        return start_components(X, n_components, init, None, self.rng)[0]


@dataclass(frozen=True)
class Bases:
    """State of a method that learns the sources side by side."""

    states: tuple

    @property
    def bases(self):
        return [state.components for state in self.states]

    @property
    def objective(self):
        return float(sum(state.objective for state in self.states))

    @property
    def converged(self):
        return all(state.converged for state in self.states)


@dataclass(frozen=True)
class Fixed:
    """State of a method with nothing to iterate."""

    bases: list
    objective: float = 0.0
    converged: bool = True


def learn_each(task):
    """``'nmf'``: factorise the rows of every source by themselves, in step."""
    runs = []
    for s, X in enumerate(task.sources):
        problem = make_problem(
            X, task.n_components[s], missing=task.missing, alpha_H=task.sparsity[s],
            alpha_W=task.shrinkage, beta=task.beta, floor=task.floor,
        )  # fmt: skip
        W = task.start(s, X, task.n_components[s])
        runs.append(descent(problem, W, task.solver, rng=task.rng, **task.options))

    def start():
        return Bases(tuple(begin() for begin, _ in runs))

    def step(state):
        return Bases(tuple(go(part) for (_, go), part in zip(runs, state.states, strict=True)))

    return start, step


def take_exemplars(task):
    """``'exemplar'``: rows of the data are the basis (Smaragdis, Shashanka and Raj, NIPS 2009)."""
    for s, (X, k) in enumerate(zip(task.sources, task.n_components, strict=True)):
        if k > X.shape[0]:
            raise ValueError(
                f"n_components={k} must be at most the number of rows of source {s} "
                f"({X.shape[0]}) for method='exemplar'; lower it or add rows"
            )
    bases = [exemplar(X, k, task.rng) for X, k in zip(task.sources, task.n_components, strict=True)]
    return lambda: Fixed(bases), lambda state: state


METHODS = {"nmf": learn_each, "exemplar": take_exemplars}


def learn_missing(task, known, missing):
    """Bases of sources without labelled rows, from the mixtures, while the known ones are frozen.

    Parameters
    ----------
    task : Task
        With mixtures; `sparsity` and `n_components` of all sources.
    known : dict of int to array (k_s, m)
        Learnt bases by source.
    missing : list of int
        The other sources.

    Returns
    -------
    start, step
        As a method's, with the bases of all sources in their order.
    """
    order = [*known, *missing]
    xp = namespace(task.mixtures)
    free = [task.start(s, task.mixtures, task.n_components[s]) for s in missing]
    W = xp.concat([*known.values(), *free], axis=0)
    n_known = sum(basis.shape[0] for basis in known.values())
    problem = make_problem(
        task.mixtures, W.shape[0], missing=task.missing,
        alpha_H=np.concatenate([task.sparsity[s] for s in order]), alpha_W=task.shrinkage,
        frozen=np.arange(W.shape[0]) < n_known, beta=task.beta, floor=task.floor,
    )  # fmt: skip
    start, step = descent(problem, W, task.solver, rng=task.rng, **task.options)
    sizes = [task.n_components[s] for s in order]
    place = [order.index(s) for s in range(len(order))]

    def wrap(inner):
        pieces = split_rows(inner.components, sizes)
        return Partial([pieces[i] for i in place], inner)

    return lambda: wrap(start()), lambda outer: wrap(step(outer.inner))


@dataclass(frozen=True)
class Partial:
    """State of `learn_missing`."""

    bases: list
    inner: Any

    @property
    def objective(self):
        return self.inner.objective

    @property
    def converged(self):
        return self.inner.converged


def split_rows(W, sizes):
    """Consecutive groups of rows of W."""
    edges = np.cumsum([0, *sizes]).tolist()
    return [W[a:b, :] for a, b in pairwise(edges)]
