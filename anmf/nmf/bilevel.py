"""Bilevel discriminative training: bases that minimise the error of the separation itself.

One epoch lays the rows of all sources over each other in new random pairs, and takes a step of Adam
for every batch of these mixtures, down the exact gradient of the log error of the Wiener output
through the non-negative solve. So rows of each source suffice; no mixture need be given.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, pi
from typing import Any

import numpy as np

from anmf._core.arrays import take_rows, total
from anmf.nmf import hals
from anmf.nmf.hals import first_guess
from anmf.nmf.implicit import adam, analysis_gradient, mask_loss, support_solve
from anmf.nmf.mixing import draw_rows
from anmf.nmf.task import split_rows
from anmf.nmf.updates import coordinate_sweeps, unit_rows

BATCH_SIZE = 250
"""Mixtures of a batch, unless told otherwise."""

_SWEEPS = 16
_LEAST, _FLOOR = 2e-4, 5e-4  # ε and δ over the mean length of the rows, and its square


@dataclass(frozen=True)
class Recipe:
    """What stays the same throughout a training.

    Attributes
    ----------
    sources : list of array (n_s, m)
        Rows to be mixed.
    paired : (array (n, m), array (n, n_sources, m)) or None
        Mixtures and their parts, to be used as they are instead.
    terms : tuple of Problem
        Adversarial problem of each source, whose objective is to fall too; none for that alone.
    sizes : tuple of int
        Components of each source.
    sparsity : array (sum of sizes,)
    tied : bool
        Whether the basis that analyses a mixture also rebuilds the parts.
    scale : float
        Mean length of the rows.
    batch_size : int
    n_epochs : int
        Length of the schedule of the learning rate, which falls to 0 as a cosine.
    learning_rate : float
    data_weight, supervised_weight : float
        Of `terms`, over the squared scale, and of the separation loss.
    rng : numpy.random.Generator
    xp : array namespace
    """

    sources: list
    paired: Any
    terms: tuple
    sizes: tuple
    sparsity: Any
    tied: bool
    scale: float
    batch_size: int
    n_epochs: int
    learning_rate: float
    data_weight: float
    supervised_weight: float
    rng: Any
    xp: Any

    @property
    def n_rows(self):
        """Mixtures of an epoch: as many as the commonest source has rows, or those given."""
        if self.paired is not None:
            return self.paired[0].shape[0]
        return max(rows.shape[0] for rows in self.sources)

    @property
    def n_batches(self):
        """Batches of an epoch, of about `batch_size` mixtures each."""
        return max(1, round(self.n_rows / self.batch_size))

    def split(self, A):
        """Rows of A by source."""
        return split_rows(A, self.sizes)

    def batches(self):
        """Mixtures (b, m) and parts (n_sources, b, m)."""
        stack = self.xp.stack
        if self.paired is not None:
            mixtures, parts = self.paired
            for rows in np.array_split(self.rng.permutation(self.n_rows), self.n_batches):
                chosen = take_rows(parts, rows)
                columns = [chosen[:, s, :] for s in range(chosen.shape[1])]
                yield take_rows(mixtures, rows), stack(columns, axis=0)
            return
        drawn = [draw_rows(rows.shape[0], self.n_rows, self.rng) for rows in self.sources]
        for rows in np.array_split(np.arange(self.n_rows), self.n_batches):
            picked = zip(self.sources, drawn, strict=True)
            parts = stack([take_rows(x, order[rows]) for x, order in picked], axis=0)
            yield self.xp.sum(parts, axis=0), parts


@dataclass(frozen=True)
class State:
    """Bases W of the analysis and R of the reconstruction (None when tied), stacked, and Adam's."""

    analysis: Any
    synthesis: Any
    moments: tuple
    recipe: Recipe
    n_step: int = 0
    objective: float = np.inf
    converged: bool = False

    @property
    def bases(self):
        return self.recipe.split(self.analysis)

    @property
    def reconstruction(self):
        return self.bases if self.synthesis is None else self.recipe.split(self.synthesis)


def start(recipe, bases):
    """State before the first epoch, at given bases."""
    xp = recipe.xp
    W = xp.concat(bases, axis=0)
    R = None if recipe.tied else W
    zero = xp.zeros_like(W)
    return State(W, R, (zero,) * (2 if recipe.tied else 4), recipe)


def step(state):
    """One epoch; its objective is the mean loss over the batches, each before its step."""
    recipe, n_batches, value = state.recipe, 0, 0.0
    for V, U in recipe.batches():
        loss, *gradients = gradient(recipe, V, U, state.analysis, state.synthesis)
        extra, to_W = term_gradient(recipe, state.analysis)
        gradients[0] = recipe.supervised_weight * gradients[0] + to_W
        if gradients[1] is not None:
            gradients[1] = recipe.supervised_weight * gradients[1]
        state = descend(state, gradients)
        loss = total(loss, recipe.xp) / V.shape[0]
        n_batches, value = n_batches + 1, value + recipe.supervised_weight * loss + extra
    return replace(state, objective=value / n_batches)


def term_gradient(recipe, W):
    """Value and gradient of the adversarial objectives, on some rows of every source (Danskin)."""
    if not recipe.terms:
        return 0.0, 0.0
    value, pieces, weight = 0.0, [], recipe.data_weight / recipe.scale**2
    for problem, basis in zip(recipe.terms, recipe.split(W), strict=True):
        n, n_true = problem.X.shape[0], problem.n_true
        kinds = [(0, n_true), (n_true, n)]
        drawn = [
            a + recipe.rng.choice(b - a, min(b - a, recipe.batch_size), replace=False)
            for a, b in kinds
            if b > a
        ]
        batch = problem.rows(np.sort(np.concatenate(drawn)))
        H = first_guess(batch.X @ basis.T - batch.sparsity, basis @ basis.T, xp=recipe.xp)
        H, objective, _ = hals.activations(batch, basis, H, _SWEEPS, batch.constant())
        slope = batch.gather(H, H) @ basis - hals.linear_statistic(batch, H, basis)
        value += weight * objective
        pieces.append(weight * slope)
    return value, recipe.xp.concat(pieces, axis=0)


def gradient(recipe, V, U, W, R):
    """Loss of each mixture, and the gradients of its mean with respect to W and R (None if tied).

    Parameters
    ----------
    recipe : Recipe
    V : array (b, m)
    U : array (n_sources, b, m)
    W : array (k, m)
    R : array (k, m) or None
    """
    xp, back = recipe.xp, W if R is None else R
    C, G = V @ W.T - recipe.sparsity, W @ W.T
    H, _ = coordinate_sweeps(first_guess(C, G, xp=xp), C, G, _SWEEPS, xp=xp)
    edges = list(pairwise(np.cumsum([0, *recipe.sizes]).tolist()))
    P = xp.stack([H[:, a:b] @ back[a:b, :] for a, b in edges], axis=0)
    least, floor = _LEAST * recipe.scale, _FLOOR * recipe.scale**2
    loss, slope = mask_loss(V, U, P, least, floor, xp=xp)
    slope = slope / V.shape[0]
    pieces = [(slope[s, :, :], a, b) for s, (a, b) in enumerate(edges)]
    to_H = xp.concat([g @ back[a:b, :].T for g, a, b in pieces], axis=1)
    to_back = xp.concat([H[:, a:b].T @ g for g, a, b in pieces], axis=0)
    Z = support_solve(H, to_H, G, xp=xp)
    to_W = analysis_gradient(V, H, Z, W, xp=xp)
    return (loss, to_W + to_back, None) if R is None else (loss, to_W, to_back)


def descend(state, gradients):
    """One step of Adam, analysis bases along the unit sphere; both stay non-negative."""
    recipe, t, (to_W, to_R) = state.recipe, state.n_step + 1, gradients
    xp, W, R = recipe.xp, state.analysis, state.synthesis
    progress = min(1.0, t / (recipe.n_epochs * recipe.n_batches))
    rate = recipe.learning_rate * 0.5 * (1 + cos(pi * progress))
    to_W = to_W - xp.sum(to_W * W, axis=1, keepdims=True) * W
    W, *moments = adam(W, to_W, *state.moments[:2], rate, t, xp=xp)
    W, _ = unit_rows(xp.clip(W, 0.0, None), xp=xp)
    if R is not None:
        R, *more = adam(R, to_R, *state.moments[2:], rate, t, xp=xp)
        R, moments = xp.clip(R, 0.0, None), moments + more
    return replace(state, analysis=W, synthesis=R, moments=tuple(moments), n_step=t)
