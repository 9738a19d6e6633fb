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

from anmf._core.arrays import total
from anmf.nmf import hals
from anmf.nmf.updates import extrapolate, sphere_sweeps, unit_rows

_SWEEPS_H, _SWEEPS_W, _FIRST_SWEEPS = 4, 3, 12
_GROW, _SHRINK, _REGAIN, _LEAST = 1.05, 1.5, 0.8, 0.1  # of momentum
_FIRST_PROXIMAL, _MOST_PROXIMAL = 0.05, 1e6
_NUDGE, _DOUBLE, _RELAX = 1.3, 2.0, 0.95  # of ρ: while momentum may be at fault, then, on success


@dataclass(frozen=True)
class State(hals.State):
    """As that of HALS, with ρ over the mean curvature of the true rows."""

    proximal: float = 0.0


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
    (true, adversarial), n = problem.kinds(), problem.n_true
    own, other = state.activations[:n, :], state.activations[n:, :]
    refused = tangent(adversarial, other, state.components)
    momentum, proximal, before = state.momentum, state.proximal, state.previous_activations[:n, :]
    while proximal <= _MOST_PROXIMAL:
        ahead = extrapolate(own, before, momentum, xp=problem.xp)
        W = _components(true, state, ahead, refused, momentum, proximal)
        H = problem.xp.concat([ahead, other], axis=0)
        H, value = activations(problem, W, H, _SWEEPS_H, state.constant)
        if value <= state.objective:
            momentum = min(1.0, max(_REGAIN if proximal else _LEAST, _GROW * momentum))
            return State(W, H, state.components, state.activations, value, state.constant,
                         momentum, proximal=_RELAX * proximal)  # fmt: skip
        if proximal or momentum <= _LEAST:
            growth = _NUDGE if momentum > _LEAST else _DOUBLE
            proximal = max(_FIRST_PROXIMAL, growth * proximal)
            momentum = momentum / 2 if momentum > _LEAST else 0.0
        else:
            momentum = momentum / _SHRINK
    return replace(state, converged=True)


def tangent(adversarial, H, W):
    """Linear term of the adversarial rows, minus their slope at W: τ (ĤᵀΩ̂Ĥ W − ĤᵀΩ̂Û)."""
    gram = adversarial.gather(H, H)  # with negative weights
    return hals.linear_statistic(adversarial, H, W) - gram @ W


def activations(problem, W, H, n_sweeps, constant):
    """A few sweeps over the activations, and the objective.

    What is still to be gained for adversarial rows, by geometric extrapolation, is added to it:
    poor activations of theirs would make components look better than they are.
    """
    xp, n = problem.xp, problem.n_true
    H, value, gains = hals.activations(problem, W, H, n_sweeps, constant)
    before, last = gains[n:, 0], gains[n:, 1]
    ratio = xp.where(before > 0, last / xp.where(before > 0, before, 1), 0)
    ratio = xp.clip(ratio, 0.0, 0.9)
    left = last * ratio / (1 - ratio)
    return H, value - total(problem.weight[n:, 0] * left, xp)


def _components(true, state, H, refused, momentum, proximal):
    """Minimiser of majoriser, tangent and ½ρ‖W − W_k‖² together, extrapolated."""
    xp, old = true.xp, state.components
    P, Q = hals.statistics(true, H, old)
    curvature = total(xp.linalg.diagonal(Q), xp) / Q.shape[0]
    P = P + refused + proximal * curvature * old
    W = sphere_sweeps(old, P, Q, true.shrinkage, true.free, _SWEEPS_W, xp=xp)
    if not momentum:
        return W
    W, _ = unit_rows(extrapolate(W, old, momentum, xp=xp), xp=xp)
    return xp.where(true.frozen, old, W)


def start_memory(problem, W):
    """Empty statistics of a stream: P, Q of the true rows, −Q of the adversarial, weight behind."""
    zero = problem.xp.zeros_like(W @ W.T)
    return problem.xp.zeros_like(W), zero, zero, 0.0


def absorb(problem, W, H, memory, keep):
    """Update components with one mini-batch: the statistics of a step, with forgetting.

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
