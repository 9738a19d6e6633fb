"""Bases that refuse the other sources: adversarial data, and the methods that learn from them."""

import warnings

import numpy as np

from anmf._core.arrays import namespace
from anmf.nmf import safeguarded, stochastic_mu
from anmf.nmf.solvers import SOLVERS
from anmf.nmf.stream import descent
from anmf.nmf.task import Bases, side_by_side


def adversarial_rows(task, source):
    """What the basis of a source should not explain: the other sources' rows, and the mixtures.

    Source j weighs ω_j in all, the mixtures, scaled by β, the rest 1 − Σ_j ω_j. Without given ω
    every row weighs the same.

    Parameters
    ----------
    task : Task
        Its options `adversarial_shares` (ω, (n_sources, n_sources)) and `mixture_gain` (β).
    source : int

    Returns
    -------
    rows : array (n, m) or None
        None where nothing is left to refuse.
    weight : ndarray (n,)
        Host weights that sum to one.
    """
    others = [j for j in range(len(task.sources)) if j != source]
    groups = [task.sources[j] for j in others]
    shares = task.options.adversarial_shares
    shares = None if shares is None else np.asarray(shares, dtype=float)[source, others].tolist()
    if task.mixtures is not None:
        groups.append(task.mixtures * task.options.mixture_gain[source])
        shares = None if shares is None else [*shares, 1 - sum(shares)]
    sizes = [rows.shape[0] for rows in groups]
    if not sum(sizes):
        return None, np.empty(0)
    shares = [size / sum(sizes) for size in sizes] if shares is None else shares
    total = sum(shares)
    if not total > 0:
        return None, np.empty(0)
    weight = [np.full(n, share / total / n) for n, share in zip(sizes, shares, strict=True) if n]
    return namespace(*groups).concat(groups, axis=0), np.concatenate(weight)


def adversarial_problem(task, source):
    """The factorisation of a source's rows, its adversarial rows after them."""
    X, tau = task.sources[source], task.options.adversarial_weight[source]
    other, weight = adversarial_rows(task, source) if tau else (None, None)
    if other is None:
        if tau:
            warnings.warn(
                "one source only, and no mixture: there are no adversarial rows, and this is plain "
                "NMF",
                stacklevel=2,
            )
        return task.problem(source, X)
    n, n_adversarial = X.shape[0], other.shape[0]
    return task.problem(
        source, namespace(X).concat([X, other], axis=0),
        sample_weight=np.concatenate([np.full(n, 1 / n), weight]), n_adversarial=n_adversarial,
        adversarial_weight=tau,
    )  # fmt: skip


def warm_starts(task):
    """Components of each source after some iterations of plain sparse NMF (none: as drawn)."""
    bases = []
    for s, X in enumerate(task.sources):
        W = task.start(s, X, task.n_components[s])
        if task.options.warm_up:
            begin, go = descent(task.problem(s, X), W, SOLVERS["hals"], rng=task.rng)
            state = begin()
            for _ in range(task.options.warm_up):
                state = go(state)
            W = state.components
        bases.append(W)
    return bases


def learn_against_others(task):
    """``'anmf'``: adversarial bases of all sources, side by side, by the safeguarded solver."""
    runs = [
        descent(adversarial_problem(task, s), W, safeguarded, rng=task.rng, **task.batching)
        for s, W in enumerate(warm_starts(task))
    ]
    return side_by_side(runs, Bases)


def learn_against_others_mu(task):
    """``'anmf'`` by the published stochastic multiplicative updates."""
    scheme = published_scheme(task)
    runs = [
        stochastic_mu.descent(adversarial_problem(task, s), W, scheme)
        for s, W in enumerate(warm_starts(task))
    ]
    return side_by_side(runs, Bases)


def published_scheme(task):
    """How epochs of the published updates run."""
    options = task.options
    size = options.batch_size or stochastic_mu.BATCH_SIZE
    return stochastic_mu.Scheme(
        task.rng, size, options.adversarial_batch_size or size, bool(options.update_H)
    )
