"""Bases trained to separate: the methods that learn from mixtures with known parts."""

from dataclasses import replace
from functools import partial

import numpy as np

from anmf._core.arrays import like, namespace
from anmf.nmf import bilevel, paired_mu
from anmf.nmf.adversarial import (
    adversarial_problem,
    learn_against_others,
    published_scheme,
    warm_starts,
)
from anmf.nmf.bilevel import Recipe

_START_SPARSITY = 2.0  # of the first bases, over that of the training


def learn_bilevel(task):
    """``'dnmf'``: descend the separation error itself, from sparse NMF bases."""
    _check(task)
    return partial(_begin, task, warm_starts, ()), bilevel.step


def learn_bilevel_adversarial(task):
    """``'anmf+dnmf'``: the same from adversarial bases, with their objective as a further term."""
    _check(task)
    terms = ()
    if task.options.data_weight:
        terms = tuple(adversarial_problem(task, s) for s in range(len(task.sources)))
    return partial(_begin, task, _adversarial_starts, terms), bilevel.step


def learn_paired_mu(task):
    """``'dnmf'`` and ``'anmf+dnmf'`` by the published multiplicative updates."""
    if task.parts is None:
        raise ValueError(
            f"method={task.options.method!r} with solver='mu' needs the true parts of each "
            "mixture: pass y of shape (n, n_sources, m), or use solver='bilevel', which makes "
            "mixtures of the rows of single sources"
        )
    problems = ()
    if task.options.method == "anmf+dnmf":
        problems = tuple(adversarial_problem(task, s) for s in range(len(task.sources)))
    scheme = paired_mu.Scheme(
        published_scheme(task), task.paired, task.parts, problems, task.options.data_weight,
        task.options.supervised_weight, tuple(task.n_components), _stacked_sparsity(task),
        task.shrinkage,
    )  # fmt: skip
    start = partial(paired_mu.start, scheme, tuple(warm_starts(task)))
    return start, partial(paired_mu.step, scheme)


def _check(task):
    if len(task.sources) < 2:
        raise ValueError(
            f"method={task.options.method!r} learns to tell sources apart and needs rows of at "
            "least two; use method='nmf' or 'anmf' for one known source"
        )
    if task.missing == "ignore":
        xp = namespace(*task.sources)
        if any(bool(xp.any(xp.isnan(rows))) for rows in task.sources):
            raise ValueError(
                f"method={task.options.method!r} doesn't learn from rows with missing entries; "
                "use method='nmf' or 'anmf'"
            )
    if not task.options.remix and task.parts is None:
        raise ValueError(
            f"method={task.options.method!r} with remix=False needs the true parts of each "
            "mixture: pass y of shape (n, n_sources, m), or set remix=True"
        )


def _begin(task, first_bases, terms):
    sparser = replace(task, sparsity=[_START_SPARSITY * alpha for alpha in task.sparsity])
    options, reference = task.options, task.sources[0]
    recipe = Recipe(
        sources=task.sources,
        paired=None if options.remix else (task.paired, task.parts),
        terms=terms,
        sizes=tuple(task.n_components),
        sparsity=like(_stacked_sparsity(task), reference),
        tied=options.reconstruction == "tied",
        scale=task.scale or 1.0,
        batch_size=options.batch_size or bilevel.BATCH_SIZE,
        n_epochs=options.max_iter,
        learning_rate=options.learning_rate,
        data_weight=options.data_weight,
        supervised_weight=options.supervised_weight,
        rng=task.rng,
        xp=namespace(reference),
    )
    return bilevel.start(recipe, first_bases(sparser))


def _adversarial_starts(task):
    """Bases after `warm_up` iterations of the safeguarded solver."""
    cold = {**vars(task.options), "warm_up": 0, "batch_size": None}
    begin, go = learn_against_others(replace(task, options=type(task.options)(**cold)))
    state = begin()
    for _ in range(task.options.warm_up):
        state = go(state)
    return state.bases


def _stacked_sparsity(task):
    return np.concatenate([np.asarray(alpha) for alpha in task.sparsity])
