"""Extrapolated hierarchical alternating least squares: the Frobenius solver.

One iteration updates the components on the unit sphere in closed form, then the activations by
exact coordinate descent; both are extrapolated (Ang and Gillis 2019). The step is kept only if the
penalised objective did not rise, so the recorded objective never does. All work of order n m k is
two matrix products, and the objective comes from their by-products.
"""

from dataclasses import dataclass
from typing import Any

from anmf._core.arrays import total, weighted_inner
from anmf.nmf.rows import solve_rows
from anmf.nmf.updates import (
    coordinate_sweeps,
    coordinate_sweeps_each,
    extrapolate,
    sphere_sweeps,
    support_step,
    unit_rows,
)

_SWEEPS_H, _SWEEPS_W = 4, 3
_FIRST_SWEEPS = 12
_SOLVE_SWEEPS, _SOLVE_TOL = 6, 1e-8
_PATIENCE, _JUMPS = 1024, 5  # sweeps get costlier with k; a jump costs the cube of its support
_GROW, _SHRINK, _LEAST = 1.05, 1.5, 0.1


@dataclass(frozen=True)
class State:
    """Factors, the ones before them, and the strength of the extrapolation."""

    components: Any
    activations: Any
    previous_components: Any
    previous_activations: Any
    objective: float
    constant: float
    momentum: float = 0.5
    ceiling: float = 1.0
    converged: bool = False


def start(problem, W):
    """State at components W, with activations from a few more sweeps than usual, from zero."""
    H = problem.xp.zeros_like(problem.X @ W.T)
    constant = problem.constant()
    H, value, _ = activations(problem, W, H, _FIRST_SWEEPS, constant)
    return State(W, H, W, H, value, constant)


def step(problem, state):
    """One accepted iteration; ``converged`` when not even a plain step lowers the objective."""
    momentum, ceiling = state.momentum, state.ceiling
    before = state.previous_activations
    while True:
        H = extrapolate(state.activations, before, momentum, xp=problem.xp)
        W = _components(problem, state, H, momentum)
        H, value, _ = activations(problem, W, H, _SWEEPS_H, state.constant)
        if value <= state.objective:
            ceiling = min(1.0, 1.01 * ceiling)
            momentum = min(ceiling, max(_LEAST, _GROW * momentum))
            return State(W, H, state.components, state.activations, value, state.constant,
                         momentum, ceiling)  # fmt: skip
        if momentum == 0:
            return State(**{**vars(state), "converged": True})
        restarted = before is state.activations
        ceiling, before = momentum, state.activations
        momentum = 0.0 if restarted or momentum <= _LEAST else momentum / _SHRINK


def solve(problem, W):
    """Activations of given components, each row to its own optimum.

    The start is the best multiple of [X Wᵀ − α]₊, which saves two sweeps over a start from zero.

    Parameters
    ----------
    problem : Problem
    W : array (k, m)

    Returns
    -------
    H : array (n, k)
    """
    xp = problem.xp
    if problem.observed is not None:
        return _solve_missing(problem, W)
    C, G = problem.X @ W.T - problem.sparsity, W @ W.T

    def sweep(H, C, n_sweeps=_SOLVE_SWEEPS):
        H, gains = coordinate_sweeps(H, C, G, n_sweeps, xp=xp)
        return H, relative_gap(gains, H, C, xp=xp)

    def jump(H, C):
        for _ in range(_JUMPS):
            H = support_step(H, C, G, xp=xp)
        return sweep(H, C, 2)

    H = first_guess(C, G, xp=xp)
    rounds = [sweep] * max(2, min(200, _PATIENCE // W.shape[0])) + [jump]
    return solve_rows(rounds, H, (C,), tol=_SOLVE_TOL, xp=xp)


def first_guess(C, G, *, xp):
    """The best multiple of [c]₊ for min_{h ≥ 0} ½ h G hᵀ − c hᵀ, row by row."""
    H = xp.clip(C, 0.0, None)
    slope, curvature = xp.vecdot(H, C), xp.vecdot(H @ G, H)
    scale = xp.where(curvature > 0, slope / xp.where(curvature > 0, curvature, 1), 0)
    return H * scale[:, None]


def start_memory(problem, W):
    """Empty statistics of a stream: Hᵀ X, Hᵀ H, and the weight behind them."""
    xp = problem.xp
    return xp.zeros_like(W), xp.zeros_like(W @ W.T), 0.0


def absorb(problem, W, H, memory, keep):
    """Update components with one mini-batch.

    P ← keep P + Hᵀ X, Q ← keep Q + Hᵀ H, then sphere sweeps (online dictionary learning, Mairal
    et al., JMLR 11, 2010, with forgetting).

    Returns
    -------
    W, H, memory, objective
        The objective is that of the batch under the components it met.
    """
    xp = problem.xp
    if H is None:
        H = xp.zeros_like(problem.X @ W.T)
    H, value, _ = activations(problem, W, H, 10, problem.constant())
    P, Q = statistics(problem, H, W)
    P, Q, seen = keep * memory[0] + P, keep * memory[1] + Q, keep * memory[2] + 1.0
    W = sphere_sweeps(W, P, Q, problem.shrinkage * seen, problem.free, _SWEEPS_W, xp=xp)
    return W, H, (P, Q, seen), value


def _components(problem, state, H, momentum):
    xp, old = problem.xp, state.components
    P, Q = statistics(problem, H, old)
    W = sphere_sweeps(old, P, Q, problem.shrinkage, problem.free, _SWEEPS_W, xp=xp)
    if not momentum:
        return W
    ahead, _ = unit_rows(extrapolate(W, old, momentum, xp=xp), xp=xp)
    return xp.where(problem.frozen, old, ahead)


def statistics(problem, H, W):
    """P = Hᵀ Ω X + ρ A and Q = Hᵀ Ω H; missing entries of X are filled in by H W."""
    P = linear_statistic(problem, H, W)
    return P if problem.pull is None else P + problem.pull, problem.gather(H, H)


def linear_statistic(problem, H, W):
    """P = Hᵀ Ω X; missing entries of X are filled in by H W."""
    if problem.observed is None:
        return problem.gather(H, problem.X)
    P, weighted = problem.xp.zeros_like(W), H * problem.weight
    for rows in problem.blocks():
        X, observed, _ = problem.block(rows)
        P += weighted[rows, :].T @ _filled(X, observed, H[rows, :] @ W)
    return P


def activations(problem, W, H, n_sweeps, constant):
    """A few sweeps over the activations, the objective there, and the last gains of each row."""
    xp, X = problem.xp, problem.X
    if problem.observed is not None:
        return _activations_missing(problem, W, H, n_sweeps)
    C, G = X @ W.T, W @ W.T
    H, gains = coordinate_sweeps(H, C - problem.sparsity, G, n_sweeps, xp=xp)
    Q = problem.gather(H, H)
    fit = constant - weighted_inner(C, H, problem.weight, xp) + 0.5 * total(Q * G, xp)
    return H, fit + problem.penalty(H, W), gains


def _activations_missing(problem, W, H, n_sweeps):
    """The same with missing entries imputed by the model, which majorises the observed loss."""
    xp, parts, last, fit = problem.xp, [], [], 0.0
    G = W @ W.T
    for rows in problem.blocks():
        X, observed, weight = problem.block(rows)
        C = _filled(X, observed, H[rows, :] @ W) @ W.T - problem.sparsity
        h, gains = coordinate_sweeps(H[rows, :], C, G, n_sweeps, xp=xp)
        fit += 0.5 * total(weight * observed * (X - h @ W) ** 2, xp)
        parts.append(h)
        last.append(gains)
    H = xp.concat(parts, axis=0)
    return H, fit + problem.penalty(H, W), xp.concat(last, axis=0)


def _filled(X, observed, Y):
    return X + (1 - observed) * Y


def _solve_missing(problem, W):
    """Exact solve where each row has the Gram matrix of its observed columns."""
    xp, parts = problem.xp, []
    k, m = W.shape
    size = max(1, 2**22 // (k * m))  # rows whose (rows, k, m) product stays small

    def sweep(H, C, G):
        H, gains = coordinate_sweeps_each(H, C, G, _SOLVE_SWEEPS, xp=xp)
        return H, relative_gap(gains, H, C, xp=xp)

    def jump(H, C, G):
        return sweep(support_step(H, C, G, xp=xp), C, G)

    for rows in problem.blocks(size):
        X, observed, _ = problem.block(rows)
        G = (observed[:, None, :] * W[None, :, :]) @ W.T
        C = X @ W.T - problem.sparsity
        H = xp.zeros_like(C)
        parts.append(solve_rows([sweep, jump], H, (C, G), tol=_SOLVE_TOL, xp=xp))
    return xp.concat(parts, axis=0)


def relative_gap(gains, H, C, *, xp):
    """How far each row still is from its optimum, as a share of the energy it explains.

    Sweeps gain geometrically: with the ratio r of the last two gains, g r / (1 − r) is left.
    """
    before, last = gains[:, 0], gains[:, 1]
    ratio = xp.where(before > 0, last / xp.where(before > 0, before, 1), 0)
    ratio = xp.clip(ratio, 0.0, 0.9999)
    energy = xp.vecdot(H, C)
    return xp.where(energy > 0, last * ratio / (1 - ratio) / xp.where(energy > 0, energy, 1), 0)
