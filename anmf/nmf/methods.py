"""How one basis a source is learnt: the methods of `NMF_separation`, by name.

A method is a function that takes a `Task` and returns ``(start, step)`` for
`anmf._core.iterate.iterate`. A state has ``bases`` (list of arrays (k_s, m)), ``objective`` and
``converged``, and ``reconstruction`` (as ``bases``) where other components rebuild the parts. To
add one, write such a function and put it into `METHODS`; nothing else changes. A method that can be
computed in several ways has a dictionary of `Learner`, by solver.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anmf._core.arrays import moved, namespace, total
from anmf.nmf import bilevel, stochastic_mu
from anmf.nmf.adversarial import learn_against_others, learn_against_others_mu
from anmf.nmf.discriminative import learn_bilevel, learn_bilevel_adversarial, learn_paired_mu
from anmf.nmf.init import exemplar
from anmf.nmf.problem import make_problem
from anmf.nmf.solvers import SOLVERS
from anmf.nmf.stream import descent
from anmf.nmf.task import Bases, Fixed, Member, side_by_side, split_rows

SPARSITY = 0.07
"""``alpha_H='auto'`` over the mean length of the rows of the sources; see `NMF_separation`."""


@dataclass(frozen=True)
class Learner:
    """One way to compute a method, and the defaults that go with it.

    Attributes
    ----------
    run : callable
        Takes a `Task`, returns (start, step).
    max_iter : int
        Iterations.
    sparsity : float
        Over the mean length of the rows.
    warm_up : int
        Iterations of plain NMF before the first of the method's own.
    batch_size : int or None
        None for all rows at once.
    any_beta : bool
        Whether it can minimise other divergences than the Frobenius loss.
    """

    run: Any
    max_iter: int = 30
    sparsity: float = SPARSITY
    warm_up: int = 0
    batch_size: int | None = None
    any_beta: bool = False


def learn_each(task):
    """``'nmf'``: factorise the rows of every source by themselves, in step."""
    solver, runs = SOLVERS[task.solver], []
    for s, X in enumerate(task.sources):
        W = task.start(s, X, task.n_components[s])
        runs.append(descent(task.problem(s, X), W, solver, rng=task.rng, **task.batching))
    return side_by_side(runs, Bases)


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


_PUBLISHED: dict[str, Any] = {"max_iter": 200, "batch_size": stochastic_mu.BATCH_SIZE}
_BILEVEL: dict[str, Any] = {
    "max_iter": 100,
    "sparsity": 0.012,
    "warm_up": 30,
    "batch_size": bilevel.BATCH_SIZE,
}

METHODS = {
    "nmf": {"hals": Learner(learn_each), "mu": Learner(learn_each, any_beta=True)},
    "exemplar": {
        "hals": Learner(take_exemplars),
        "mu": Learner(take_exemplars, any_beta=True),
    },
    "anmf": {
        "safeguarded": Learner(learn_against_others),
        "mu": Learner(learn_against_others_mu, **_PUBLISHED),
    },
    "dnmf": {
        "bilevel": Learner(learn_bilevel, **_BILEVEL),
        "mu": Learner(learn_paired_mu, **_PUBLISHED),
    },
    "anmf+dnmf": {
        "bilevel": Learner(learn_bilevel_adversarial, **_BILEVEL),
        "mu": Learner(learn_paired_mu, **_PUBLISHED),
    },
}
"""Methods of `NMF_separation` by name; of each, the `Learner` of every solver by name. The solver
'auto' is the first that suits the loss."""


def resolve_learner(method, solver, beta):
    """Name of the solver and `Learner` of a method; 'auto' takes the first that suits β."""
    learners = METHODS[method]
    if callable(learners):
        learners = dict.fromkeys(("hals", "mu"), Learner(learners, any_beta=True))
    fitting = [name for name, learner in learners.items() if beta == 2 or learner.any_beta]
    if not fitting:
        raise ValueError(
            f"method={method!r} minimises the Frobenius loss (beta_loss=2), not beta_loss={beta:g};"
            " use method='nmf' or 'exemplar'"
        )
    name = fitting[0] if isinstance(solver, str) and solver == "auto" else solver
    if not isinstance(name, str) or name not in learners:
        raise ValueError(
            f"solver={solver!r} must be one of {['auto', *learners]} for method={method!r}"
        )
    if name not in fitting:
        raise ValueError(
            f"solver={name!r} of method={method!r} minimises the Frobenius loss (beta_loss=2), not "
            f"beta_loss={beta:g}; use solver={fitting[0]!r}"
        )
    return name, learners[name]


def learn_missing(task, known, missing):
    """Bases of sources without labelled rows, from the mixtures, while the known ones are frozen.

    Parameters
    ----------
    task : Task
        With mixtures; `sparsity` and `n_components` of all sources.
    known : dict of int to (array (k_s, m), array (k_s, m))
        Learnt bases by source, and what rebuilds the parts.
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
    fixed = [moved(basis, task.mixtures) for basis, _ in known.values()]
    W = xp.concat([*fixed, *free], axis=0)
    n_known = sum(basis.shape[0] for basis in fixed)
    problem = make_problem(
        task.mixtures, W.shape[0], missing=task.missing,
        alpha_H=np.concatenate([task.sparsity[s] for s in order]), alpha_W=task.shrinkage,
        frozen=np.arange(W.shape[0]) < n_known, beta=task.beta, floor=task.floor,
        pull=_pull(task, fixed, free, missing),
    )  # fmt: skip
    solver = SOLVERS["hals" if task.beta == 2 and task.solver != "mu" else "mu"]
    start, step = descent(problem, W, solver, rng=task.rng, **task.batching)
    sizes = [task.n_components[s] for s in order]

    def wrap(inner):
        pieces = dict(zip(order, split_rows(inner.components, sizes), strict=True))
        rebuilt = pieces | {s: rows for s, (_, rows) in known.items()}
        in_order = [[group[s] for s in sorted(order)] for group in (pieces, rebuilt)]
        return Partial(Member(*in_order), inner)

    return lambda: wrap(start()), lambda outer: wrap(step(outer.inner))


def learn_nothing(task):
    """What comes before `learn_missing` or `join` where no source has rows to learn from."""
    return lambda: Fixed([]), lambda state: state


def join(task, known, missing=()):
    """Bases that are all known, in the order of the sources."""
    in_order = [known[s] for s in sorted(known)]
    state = Partial(Member(*map(list, zip(*in_order, strict=True))), Fixed([]))
    return lambda: state, lambda state: state


def _pull(task, fixed, free, missing):
    """ρ_t a_t of the components learnt from the mixtures, with the start as anchor; None for ρ = 0.

    ρ is relative to the energy of a mixture over the number of components.
    """
    strength = [task.options.anchor[s] for s in missing]
    if not any(strength):
        return None
    xp, X = namespace(task.mixtures), task.mixtures
    X = xp.where(xp.isnan(X), 0, X) if task.missing == "ignore" else X
    n_components = sum(W.shape[0] for W in (*fixed, *free))
    energy = total(xp.vecdot(X, X), xp) / X.shape[0] / n_components
    pulls = [rho * energy * W for rho, W in zip(strength, free, strict=True)]
    return xp.concat([*(0 * W for W in fixed), *pulls], axis=0)


@dataclass(frozen=True)
class Partial:
    """State of `learn_missing`."""

    member: Member
    inner: Any

    @property
    def bases(self):
        return self.member.bases

    @property
    def reconstruction(self):
        return self.member.reconstruction

    @property
    def objective(self):
        return self.inner.objective

    @property
    def converged(self):
        return self.inner.converged
