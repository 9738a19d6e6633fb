"""The stochastic multiplicative scheme for adversarial bases, as published, for reproduction.

Every epoch shuffles the rows and updates the activations once; each batch then moves the basis:

    W ← W ∘ [Hᵀ U/n + τ Ĥᵀ Ĥ W/n̂] / [Hᵀ H W/n + τ Ĥᵀ Û/n̂ + μ_W]

with true rows U and adversarial rows Û. Components are brought to unit length at the end of an
epoch. Rows that don't fill a last batch wait for the next shuffle. Nothing guards the objective: it
may rise; `anmf.nmf.safeguarded` minimises the same one faster and never lets it.

Reference: Ludvigsen and Grasmair, "Maximum discrepancy generative regularization and non-negative
matrix factorization for single channel source separation", arXiv 2404.15296, 2024.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from anmf._core.arrays import put_rows, take_rows, total, weighted_inner
from anmf.nmf.mu import first_activations
from anmf.nmf.updates import multiply, unit_rows

BATCH_SIZE = 500
_FIRST_UPDATES = 50


@dataclass(frozen=True)
class Scheme:
    """How epochs run.

    Attributes
    ----------
    rng : numpy.random.Generator
        Shuffles the rows.
    batch_size : int
        True rows of a batch.
    adversarial_batch_size : int
    update_H : bool
        Refresh the activations of a batch when it is met, not all of them once an epoch.
    """

    rng: Any
    batch_size: int = BATCH_SIZE
    adversarial_batch_size: int = BATCH_SIZE
    update_H: bool = False  # noqa: N815 (as published)


@dataclass(frozen=True)
class State:
    """Basis, activations of the true and adversarial rows, the objective and its fixed part."""

    components: Any
    activations: Any
    objective: float
    constant: float
    converged: bool = False


def descent(problem, W, scheme):
    """What makes the first state and what takes an epoch, as `iterate` wants them."""
    return partial(start, problem, W), partial(step, problem, scheme)


def start(problem, W, H=None):
    """State at components W; activations from multiplicative updates of a constant."""
    H = starting_activations(problem, W) if H is None else H
    constant = problem.constant()
    return State(W, H, objective(problem, H, W, constant), constant)


def step(problem, scheme, state):
    """One epoch."""
    xp, W, H = problem.xp, state.components, state.activations
    if not scheme.update_H:
        H = activation_update(problem, H, W)
    for rows in batches(problem, scheme):
        batch, h = problem.rows(rows), take_rows(H, rows)
        if scheme.update_H:
            h = activation_update(batch, h, W)
            H = put_rows(H, rows, h)
        W = basis_update(W, *terms(batch, h, W), problem.shrinkage, problem.frozen, xp=xp)
    unit, length = unit_rows(W, xp=xp)
    unit, length = xp.where(problem.frozen, W, unit), xp.where(problem.frozen, 1, length)
    H = H * length.T
    return State(unit, H, objective(problem, H, unit, state.constant), state.constant)


def start_memory(problem, W):
    """Nothing is remembered between mini-batches."""
    return ()


def absorb(problem, W, H, memory, keep):
    """Update components with one mini-batch of true and adversarial rows.

    Returns
    -------
    W, H, memory, objective
        The objective is that of the batch under the components it met.
    """
    xp, H = problem.xp, starting_activations(problem, W)
    value = objective(problem, H, W, problem.constant())
    moved = basis_update(W, *terms(problem, H, W), problem.shrinkage, problem.frozen, xp=xp)
    return xp.where(problem.frozen, W, unit_rows(moved, xp=xp)[0]), H, memory, value


def batches(problem, scheme):
    """Ascending host indices of the rows of each batch; adversarial rows start over at the end."""
    n, n_adversarial = problem.n_true, problem.X.shape[0] - problem.n_true
    true = scheme.rng.permutation(n)
    adversarial = n + scheme.rng.permutation(n_adversarial)
    for b in range(max(1, n // scheme.batch_size)):
        rows = turn(true, b, scheme.batch_size), turn(adversarial, b, scheme.adversarial_batch_size)
        yield np.sort(np.concatenate(rows))


def turn(order, b, size):
    """The b-th group of `size` entries of `order`, starting over at the end."""
    size = min(size, len(order))
    return np.take(order, np.arange(b * size, (b + 1) * size), mode="wrap") if size else order


def basis_update(W, above, below, shrinkage, frozen, *, xp):
    """W ∘ above / (below + μ_W), frozen rows (k, 1) as they were."""
    return xp.where(frozen, W, multiply(W, above, below + shrinkage[:, None], 1.0, xp=xp))


def activation_update(problem, H, W):
    """H ∘ X Wᵀ / (H W Wᵀ + α)."""
    X, G = _filled(problem, H, W), W @ W.T
    return multiply(H, X @ W.T, H @ G + problem.sparsity, 1.0, xp=problem.xp)


def terms(problem, H, W):
    """Hᵀ Ω U + τ Ĥᵀ Ω̂ Ĥ W and Hᵀ Ω H W + τ Ĥᵀ Ω̂ Û."""
    n, weighted, X = problem.n_true, H * problem.weight, _filled(problem, H, W)
    true, adversarial = problem.grams(H)
    above = weighted[:n, :].T @ X[:n, :] + adversarial @ W
    return above, true @ W - weighted[n:, :].T @ X[n:, :]


def starting_activations(problem, W):
    """A constant start after some multiplicative updates, so that no entry is zero by chance."""
    H = first_activations(problem, W)
    for _ in range(_FIRST_UPDATES):
        H = activation_update(problem, H, W)
    return H


def objective(problem, H, W, constant):
    """Adversarial objective at given activations, penalties included."""
    if problem.observed is not None:
        return problem.loss(H, W) + problem.penalty(H, W)
    xp = problem.xp
    fit = 0.5 * total(problem.gather(H, H) * (W @ W.T), xp)
    cross = weighted_inner(problem.X @ W.T, H, problem.weight, xp)
    return constant - cross + fit + problem.penalty(H, W)


def _filled(problem, H, W):
    """Data with missing entries from the model."""
    if problem.observed is None:
        return problem.X
    return problem.X + (1 - problem.observed) * (H @ W)
