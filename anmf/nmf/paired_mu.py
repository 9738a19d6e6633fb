"""The published multiplicative updates for discriminative bases, alone or with adversarial terms.

    W_s ← W_s ∘ [τ_S Hᵥᵀ Uᵥ/nᵥ + τ_W (Hᵀ U/n + τ_A Ĥᵀ Ĥ W_s/n̂)]
              / [τ_S Hᵥᵀ Hᵥ W_s/nᵥ + τ_W (Hᵀ H W_s/n + τ_A Ĥᵀ Û/n̂) + μ_W]

Uᵥ are the true parts of mixtures, and Hᵥ the activations of source s when the mixture is put on all
bases; the other terms are those of `anmf.nmf.stochastic_mu`. As there, activations are updated once
an epoch, components are brought to unit length at its end, and nothing guards the objective.

Reference: Weninger, Le Roux, Hershey and Watanabe, "Discriminative NMF and its application to
single-channel source separation", Interspeech 2014, in the form of arXiv 2404.15296.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anmf._core.arrays import put_rows, take_rows, total
from anmf.nmf import stochastic_mu
from anmf.nmf.problem import make_problem
from anmf.nmf.stochastic_mu import activation_update, terms, turn
from anmf.nmf.task import split_rows
from anmf.nmf.updates import multiply, unit_rows


@dataclass(frozen=True)
class Scheme:
    """What is learnt from, and how.

    Attributes
    ----------
    epochs : stochastic_mu.Scheme
    mixtures : array (n, m)
    parts : array (n, n_sources, m)
    problems : tuple of Problem
        True and adversarial rows of each source; none without these terms.
    data_weight, supervised_weight : float
        τ_W and τ_S.
    sizes : tuple of int
    sparsity : ndarray (sum of sizes,)
    shrinkage : float
        μ_W.
    """

    epochs: Any
    mixtures: Any
    parts: Any
    problems: tuple
    data_weight: float
    supervised_weight: float
    sizes: tuple
    sparsity: Any
    shrinkage: float

    @property
    def joint(self):
        """The factorisation of the mixtures on all bases."""
        return make_problem(self.mixtures, sum(self.sizes), alpha_H=self.sparsity)


@dataclass(frozen=True)
class State:
    """Bases, activations of the mixtures on all of them, and of each source's own rows."""

    bases: tuple
    activations: Any
    own: tuple
    objective: float = np.inf
    converged: bool = False


def start(scheme, bases, activations=None):
    """State at given bases; activations from multiplicative updates of a constant."""
    joint = scheme.joint
    if activations is None:
        stacked = joint.xp.concat(bases, axis=0)
        activations = stochastic_mu.starting_activations(joint, stacked)
    own = [
        stochastic_mu.starting_activations(problem, W)
        for problem, W in zip(scheme.problems, bases, strict=False)
    ]
    return _evaluated(scheme, State(tuple(bases), activations, tuple(own)))


def step(scheme, state):
    """One epoch over the mixtures, or over the rows of single sources where these take part."""
    joint = scheme.joint
    if not scheme.epochs.update_H:
        state = _updated(scheme, joint, state)
    rng, size = scheme.epochs.rng, scheme.epochs.batch_size
    order = rng.permutation(joint.X.shape[0])
    rows = [list(stochastic_mu.batches(problem, scheme.epochs)) for problem in scheme.problems]
    n_batches = min(map(len, rows), default=max(1, len(order) // size))
    for b in range(n_batches):
        state = _batch(scheme, joint, state, np.sort(turn(order, b, size)), [r[b] for r in rows])
    return _evaluated(scheme, _normalised(joint, state))


def _updated(scheme, joint, state):
    """One multiplicative update of all activations."""
    stacked = joint.xp.concat(state.bases, axis=0)
    own = zip(scheme.problems, state.own, state.bases, strict=False)
    return replace(
        state,
        activations=activation_update(joint, state.activations, stacked),
        own=tuple(activation_update(problem, H, W) for problem, H, W in own),
    )


def _batch(scheme, joint, state, pairs, rows):
    """Bases after one batch of mixtures and of each source's rows."""
    xp, bases, own, H = joint.xp, list(state.bases), list(state.own), state.activations
    mixed, parts = joint.rows(pairs), take_rows(scheme.parts, pairs)
    edges = np.cumsum([0, *scheme.sizes]).tolist()
    for s, W in enumerate(bases):
        if scheme.epochs.update_H:
            h = activation_update(mixed, take_rows(H, pairs), xp.concat(bases, axis=0))
            H = put_rows(H, pairs, h)
        h = take_rows(H, pairs)[:, edges[s] : edges[s + 1]]
        above = scheme.supervised_weight * mixed.gather(h, parts[:, s, :])
        below = scheme.supervised_weight * mixed.gather(h, h) @ W
        if scheme.problems:
            own[s], more, less = _own_terms(scheme, s, W, own[s], rows[s])
            above, below = above + more, below + less
        bases[s] = multiply(W, above, below + scheme.shrinkage, 1.0, xp=xp)
    return replace(state, bases=tuple(bases), own=tuple(own), activations=H)


def _own_terms(scheme, source, W, H, rows):
    """Activations of a source's true and adversarial rows, and what a batch adds to both sides."""
    batch, h = scheme.problems[source].rows(rows), take_rows(H, rows)
    if scheme.epochs.update_H:
        h = activation_update(batch, h, W)
        H = put_rows(H, rows, h)
    above, below = terms(batch, h, W)
    return H, scheme.data_weight * above, scheme.data_weight * below


def _normalised(joint, state):
    """Components at unit length, activations such that the model stays."""
    xp = joint.xp
    units, lengths = zip(*(unit_rows(W, xp=xp) for W in state.bases), strict=True)
    own = tuple(H * length.T for H, length in zip(state.own, lengths, strict=False))
    H = state.activations * xp.concat(lengths, axis=0).T
    return replace(state, bases=tuple(units), activations=H, own=own)


def _evaluated(scheme, state):
    """With τ_S Σ_s mean ½‖u_s − h_s W_s‖² and the adversarial objectives times τ_W."""
    pieces = split_rows(state.activations.T, scheme.sizes)
    value = 0.0
    xp = scheme.joint.xp
    for s, (h, W) in enumerate(zip(pieces, state.bases, strict=True)):
        error = scheme.parts[:, s, :] - h.T @ W
        value += scheme.supervised_weight * 0.5 * total(error * error, xp) / error.shape[0]
    for problem, H, W in zip(scheme.problems, state.own, state.bases, strict=False):
        value += scheme.data_weight * stochastic_mu.objective(problem, H, W, problem.constant())
    return replace(state, objective=value)
