"""Safeguarded descent for the adversarial (maximum-discrepancy) objective.

F(W) = Σ_true ω_i g(x_i; W) − τ Σ_adversarial ω_i g(x_i; W),
g(x; W) = min_{h ≥ 0} ½‖x − h W‖² + α|h|.

By Danskin's theorem the gradient of g is that at the optimal activations. At W_k the true part is
majorised as in `anmf.nmf.hals`, the adversarial part replaced by its tangent, and ½ρ‖W − W_k‖²
added, all of which is one call of `sphere_sweeps`. The activations of all rows are then updated and
the objective evaluated; the step is kept only if it did not rise, else momentum goes and ρ grows.
So no weight τ, however large, can make it diverge, and without adversarial rows it is HALS.
"""

from dataclasses import dataclass, replace
from typing import Any

from anmf._core.arrays import total
from anmf.nmf import hals
from anmf.nmf.updates import extrapolate, sphere_sweeps, unit_rows

_SWEEPS_H, _SWEEPS_W, _FIRST_SWEEPS = 4, 3, 20
_GROW, _SHRINK, _REGAIN, _LEAST = 1.05, 1.5, 0.8, 0.1  # of momentum
_FIRST_PROXIMAL, _MOST_PROXIMAL, _RELAX = 0.05, 1e6, 0.95


@dataclass(frozen=True)
class State(hals.State):
    """As that of HALS, with ρ over the mean curvature of the true rows."""

    proximal: float = 0.0


@dataclass(frozen=True)
class Surrogate:
    """Linear term P = Hᵀ Ω X + τ ĤᵀΩ̂Ĥ W_k, Gram matrix Q of the true rows, its mean diagonal."""

    P: Any
    Q: Any
    curvature: float


def start(problem, W):
    """State at components W, with activations from more sweeps than usual, from zero."""
    if problem.n_true == problem.X.shape[0]:
        return hals.start(problem, W)
    H = problem.xp.zeros_like(problem.X @ W.T)
    constant = problem.constant()
    H, value = activations(problem, W, H, _FIRST_SWEEPS, constant)
    return State(W, H, W, H, value, constant)


def step(problem, state):
    """One accepted iteration; ``converged`` when no step, however short, lowers the objective.

    Without adversarial rows it is that of HALS.
    """
    if problem.n_true == problem.X.shape[0]:
        return hals.step(problem, state)
    momentum, proximal = state.momentum, state.proximal
    plain = None  # the surrogate without momentum, which retries share
    while proximal <= _MOST_PROXIMAL:
        H = _ahead(problem, state, momentum)
        model = plain if plain and not momentum else surrogate(problem, H, state.components)
        plain = model if not momentum else plain
        W = _components(problem, state, model, momentum, proximal)
        H, value = activations(problem, W, H, _SWEEPS_H, state.constant)
        if value <= state.objective:
            momentum = min(1.0, max(_REGAIN if proximal else _LEAST, _GROW * momentum))
            return State(W, H, state.components, state.activations, value, state.constant,
                         momentum, proximal=_RELAX * proximal)  # fmt: skip
        if proximal or momentum <= _LEAST:
            proximal = max(_FIRST_PROXIMAL, 2 * proximal)
            momentum = momentum / 2 if momentum > _LEAST else 0.0
        else:
            momentum = momentum / _SHRINK
    return replace(state, converged=True)


def surrogate(problem, H, W):
    """The majoriser of the true rows plus the tangent of the adversarial ones, at W."""
    Q, adversarial = problem.grams(H)
    P = hals.linear_statistic(problem, H, W) + adversarial @ W
    return Surrogate(P, Q, total(problem.xp.linalg.diagonal(Q), problem.xp) / Q.shape[0])


def activations(problem, W, H, n_sweeps, constant):
    """A few sweeps over the activations, and the objective.

    What is still to be gained for adversarial rows, by geometric extrapolation, is added to it:
    poor activations of theirs would make components look better than they are.
    """
    xp, n = problem.xp, problem.n_true
    H, value, gains = hals.activations(problem, W, H, n_sweeps, constant)
    before, last = gains[n:, 0], gains[n:, 1]
    ratio = xp.where(before > 0, last / xp.where(before > 0, before, 1), 0)
    ratio = xp.clip(ratio, 0, 0.9)
    left = last * ratio / (1 - ratio)
    return H, value - total(problem.weight[n:, 0] * left, xp)


def _ahead(problem, state, momentum):
    """Activations, those of the true rows extrapolated (the tangent needs the others untouched)."""
    if not momentum:
        return state.activations
    xp, n = problem.xp, problem.n_true
    H, before = state.activations, state.previous_activations
    true = extrapolate(H[:n, :], before[:n, :], momentum, xp=xp)
    return xp.concat([true, H[n:, :]], axis=0)


def _components(problem, state, model, momentum, proximal):
    """Minimiser of the surrogate, extrapolated."""
    xp, old = problem.xp, state.components
    P = model.P + proximal * model.curvature * old
    W = sphere_sweeps(old, P, model.Q, problem.shrinkage, problem.free, _SWEEPS_W, xp=xp)
    if not momentum:
        return W
    W, _ = unit_rows(extrapolate(W, old, momentum, xp=xp), xp=xp)
    return xp.where(problem.frozen, old, W)


def start_memory(problem, W):
    """Empty statistics of a stream: P, Q of the true rows, −Q of the adversarial, weight behind."""
    zero = problem.xp.zeros_like(W @ W.T)
    return problem.xp.zeros_like(W), zero, zero, 0.0


def absorb(problem, W, H, memory, keep):
    """Update components with one mini-batch: the statistics of `surrogate`, with forgetting.

    With no objective to guard the step, ρ majorises the adversarial curvature row by row.

    Returns
    -------
    W, H, memory, objective
        The objective is that of the batch under the components it met.
    """
    xp = problem.xp
    H = xp.zeros_like(problem.X @ W.T) if H is None else H
    H, value, _ = hals.activations(problem, W, H, 10, problem.constant())
    news = hals.linear_statistic(problem, H, W), *problem.grams(H), 1.0
    P, Q, adversarial, seen = (keep * old + new for old, new in zip(memory, news, strict=True))
    proximal = xp.sum(adversarial, axis=1)[:, None]
    linear = P + adversarial @ W + proximal * W
    shrinkage = problem.shrinkage * seen
    W = sphere_sweeps(W, linear, Q, shrinkage, problem.free, _SWEEPS_W, xp=xp)
    return W, H, (P, Q, adversarial, seen), value
