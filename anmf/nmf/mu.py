"""Multiplicative updates for every β-divergence, fused over blocks of rows.

The model H W exists for one block of rows at a time, so memory beyond the factors stays constant.
An iteration updates the components from the terms gathered in the last pass, then passes over X
once: activations of a block, its objective, and its share of the terms for the next iteration.
"""

from dataclasses import dataclass, replace
from typing import Any

from anmf._core.arrays import total, weighted_inner
from anmf.nmf import hals
from anmf.nmf.rows import solve_rows
from anmf.nmf.updates import log_inner, mm_exponent, multiply, ratio_terms, tangent_terms, unit_rows


@dataclass(frozen=True)
class State:
    """Factors, and the gradient terms (k, m) or (k, 1) for the next update of the components."""

    components: Any
    activations: Any
    numerator: Any
    denominator: Any
    objective: float
    constant: float
    exponent: float
    converged: bool = False


def start(problem, W):
    """State at components W, activations after one update from a constant."""
    constant = problem.constant()
    H = first_activations(problem, W)
    H, numerator, denominator, value = _pass(problem, W, H, constant)
    exponent = mm_exponent(problem.beta)
    return State(W, H, numerator, denominator, value, constant, exponent)


def step(problem, state):
    """One iteration that did not raise the objective.

    Without penalties that is the theorem of Févotte and Idier (2011). With them, components move
    along the unit sphere and the exponent is halved until the objective does not rise.
    """
    penalised, largest = problem.penalised, mm_exponent(problem.beta)
    exponent = state.exponent if penalised else largest
    while exponent > 1e-3:
        W, length = _components(problem, state, exponent, penalised)
        H, numerator, denominator, value = _pass(
            problem, W, state.activations, state.constant, length
        )
        if value <= state.objective:
            exponent = min(largest, 2 * exponent)
            return State(W, H, numerator, denominator, value, state.constant, exponent)
        exponent = exponent / 2 if penalised else 0.0
    return replace(state, converged=True)


def solve(problem, W):
    """Activations of given components, each row until it settles, from a constant start."""
    if problem.beta == 2:
        return hals.solve(problem, W)
    xp, exponent = problem.xp, mm_exponent(problem.beta)
    mass = xp.sum(W, axis=1)[None, :]
    data = (problem.X,) if problem.observed is None else (problem.X, problem.observed)

    def sweep(H, X, observed=None):
        old = H
        for _ in range(10):
            H = _update(problem, X, observed, W, H, exponent, mass)
        largest = xp.max(H, axis=1)
        change = xp.max(xp.abs(H - old), axis=1)
        return H, xp.where(largest > 0, change / xp.where(largest > 0, largest, 1), 0)

    return solve_rows([sweep], first_activations(problem, W), data, tol=1e-5, xp=xp)


def start_memory(problem, W):
    """Empty statistics of a stream: w^(1/γ) ∘ numerator, and denominator."""
    zero = problem.xp.zeros_like(W)
    return zero, zero


def absorb(problem, W, H, memory, keep):
    """Update components with one mini-batch.

    A ← keep A + W^(1/γ) ∘ N, B ← keep B + D, W ← (A / B)^γ (Lefèvre, Bach and Févotte, "Online
    algorithms for NMF with the Itakura-Saito divergence", WASPAA 2011); N and D as in `step`.

    Returns
    -------
    W, H, memory, objective
    """
    xp, exponent = problem.xp, mm_exponent(problem.beta)
    constant = problem.constant()
    n_updates = 30 if H is None else 3
    H = first_activations(problem, W) if H is None else H
    for _ in range(n_updates - 1):
        H, *_ = _pass(problem, W, H, constant)
    H, numerator, denominator, value = _pass(problem, W, H, constant)
    lifted = W ** (1 / exponent)
    A, B = keep * memory[0] + lifted * numerator, keep * memory[1] + denominator
    numerator = xp.where(lifted > 0, A / xp.where(lifted > 0, lifted, 1), 0)
    state = State(W, H, numerator, B, value, constant, exponent)
    W, length = _components(problem, state, exponent, problem.penalised)
    memory = A * length ** (1 - 1 / exponent), B * length  # at the new scale of the components
    return W, H * length.T, memory, value


def first_activations(problem, W):
    """Constant start whose model has the mean of each row of the data: h_i = Σ_j x_ij / Σ W."""
    xp = problem.xp
    mass = total(W, xp) or 1.0
    share = problem.X @ xp.ones_like(W[:1, :]).T / mass
    share = xp.where(share > 0, share, problem.floor or 1.0)
    return share * xp.ones_like(W[:, :1]).T


def _components(problem, state, exponent, penalised):
    """Components after one update, and the lengths (k, 1) to move into the activations."""
    xp, old = problem.xp, state.components
    numerator, denominator = state.numerator, state.denominator
    if penalised:
        denominator = denominator + problem.shrinkage[:, None]
        numerator = numerator if problem.pull is None else numerator + problem.pull
        numerator, denominator = tangent_terms(old, numerator, denominator, xp=xp)
    W = multiply(old, numerator, denominator, exponent, xp=xp)
    alive = xp.any(W > 0, axis=1, keepdims=True) & ~problem.frozen
    unit, length = unit_rows(W, xp=xp)
    one = xp.ones_like(length)
    return xp.where(alive, unit, old), one if penalised else xp.where(alive, length, one)


def _update(problem, X, observed, W, H, exponent, mass):
    """Activations of some rows after one update: h ← h ∘ (R₁ Wᵀ / (R₂ Wᵀ + α))^γ.

    `mass` (1, k) is the sum of each component, which R₂ Wᵀ is where R₂ = 1.
    """
    xp = problem.xp
    first, second = _ratios(problem, X, observed, H @ W)
    below = mass if second is None else second @ W.T
    return multiply(H, first @ W.T, below + problem.sparsity, exponent, xp=xp)


def _ratios(problem, X, observed, Y):
    """`ratio_terms` on the observed entries."""
    first, second = ratio_terms(X, Y, problem.beta, problem.floor, xp=problem.xp)
    if observed is not None:
        second = observed if second is None else second * observed
        first = first * observed
    return first, second


def _pass(problem, W, H, constant, length=None):
    """Activations, terms for the components and objective: `_pass_gram` or `_pass_blocks`.

    The activations are first multiplied by `length` (k, 1), which the components have lost.
    """
    plain = problem.beta == 2 and problem.observed is None
    length = problem.xp.ones_like(W[:, :1]) if length is None else length
    return (_pass_gram if plain else _pass_blocks)(problem, W, H, constant, length)


def _pass_gram(problem, W, H, constant, length):
    """The Frobenius loss needs the model only through Gram matrices."""
    xp, C, G = problem.xp, problem.X @ W.T, W @ W.T
    H = H * length.T
    H = multiply(H, C, H @ G + problem.sparsity, 1.0, xp=xp)
    Q = problem.gather(H, H)
    fit = constant - weighted_inner(C, H, problem.weight, xp) + 0.5 * total(Q * G, xp)
    return H, problem.gather(H, problem.X), Q @ W, fit + problem.penalty(H, W)


def _pass_blocks(problem, W, old, constant, length):
    xp, beta = problem.xp, problem.beta
    H, logs, numerator, denominator = xp.empty_like(old), 0.0, 0.0, 0.0
    mass = xp.sum(W, axis=1)[None, :]
    for rows in problem.blocks():
        h, above, below, log = _pass_block(problem, rows, W, old[rows, :] * length.T, mass)
        numerator, denominator, logs = numerator + above, denominator + below, logs + log
        H[rows, :] = h
    fit = constant + _model_value(W, numerator, denominator, beta, xp) + logs
    return H, numerator, denominator, fit + problem.penalty(H, W)


def _pass_block(problem, rows, W, h, mass):
    """Activations of a block of rows, and its share of the terms and of the logarithms."""
    X, observed, weight = problem.block(rows)
    h = _update(problem, X, observed, W, h, mm_exponent(problem.beta), mass)
    Y = h @ W
    log = _log_terms(problem, X, Y, observed, weight) if problem.beta in (0, 1) else 0.0
    first, second = _ratios(problem, X, observed, Y)
    weighted = (h * weight).T
    plain = second is None  # R₂ = 1
    below = problem.xp.sum(weighted, axis=1, keepdims=True) if plain else weighted @ second
    return h, weighted @ first, below, log


def _log_terms(problem, X, Y, observed, weight):
    """Σ ω (−x log y) for β = 1, Σ ω log y for β = 0, over the observed entries."""
    xp, factor = problem.xp, X  # x is 0 where it is missing
    if problem.beta == 0:
        factor = xp.ones_like(Y) if observed is None else observed
    value = total(log_inner(factor, Y, problem.floor, xp=xp)[:, None] * weight, xp)
    return value if problem.beta == 0 else -value


def _model_value(W, numerator, denominator, beta, xp):
    """Model part of the divergence from by-products: ⟨W, N⟩ = Σ ω x y^(β−1), ⟨W, D⟩ = Σ ω y^β."""
    if beta == 1:
        return total(W * denominator, xp)
    if beta == 0:
        return total(W * numerator, xp)
    return total(W * denominator, xp) / beta - total(W * numerator, xp) / (beta - 1)
