"""Pieces of training as pure functions: Adam, clipping, averages of weights, learning rates.

Weights and gradients are dictionaries of arrays. Every function gives back new arrays, so that an
interruption never leaves half a step behind.
"""

from collections.abc import Callable
from math import cos, isfinite, pi, sqrt
from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """What Adam remembers: running means of gradients and of their squares, and how many."""

    mean: dict
    square: dict
    n_steps: int


def no_moments(weights, *, xp):
    """Moments before the first step."""
    zeros = {name: xp.zeros_like(value) for name, value in weights.items()}
    return Moments(zeros, dict(zeros), 0)


def adam_step(
    weights, gradients, moments, rate, *, xp, betas=(0.9, 0.999), epsilon=1e-8, weight_decay=0.0
):
    """One step of Adam, with decay of weights apart from the gradient (AdamW).

        m ← β₁ m + (1 − β₁) g,    v ← β₂ v + (1 − β₂) g²,
        w ← (1 − ρ λ) w − ρ / (1 − β₁ᵗ) · m / (√(v / (1 − β₂ᵗ)) + ε)

    with rate ρ and decay λ, the same for all weights.

    Parameters
    ----------
    weights, gradients : dict of array
        Weights without a gradient stay as they are.
    moments : Moments
    rate : float
        ρ.
    xp : module
        Array-API namespace of the arrays.
    betas : pair of float
    epsilon : float
    weight_decay : float
        λ.

    Returns
    -------
    weights : dict of array
    moments : Moments

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    n_steps = moments.n_steps + 1
    pace, spread = rate / (1 - betas[0] ** n_steps), 1 / sqrt(1 - betas[1] ** n_steps)
    new, mean, square = dict(weights), dict(moments.mean), dict(moments.square)
    for name, g in gradients.items():
        mean[name] = betas[0] * mean[name] + (1 - betas[0]) * g
        square[name] = betas[1] * square[name] + (1 - betas[1]) * (g * g)
        size = xp.sqrt(square[name])
        size *= spread
        size += epsilon
        new[name] = (1 - rate * weight_decay) * new[name] - pace * (mean[name] / size)
    return new, Moments(mean, square, n_steps)


def gradient_norm(gradients, *, xp):
    """Root of the sum of squares of all gradients, a float."""
    flat = (xp.reshape(g, (-1,)) for g in gradients.values())
    return sqrt(sum(float(xp.vecdot(g, g)) for g in flat))


def autoclip(norm, norms, *, percentile=25.0, window=500):
    """Factor that brings a gradient to a percentile of the norms so far, if it is longer.

    Parameters
    ----------
    norm : float
        Of this gradient.
    norms : array (n,)
        Norms before.
    percentile : float
        100 never clips.
    window : int
        How many norms to remember, this one included.

    Returns
    -------
    factor : float
        At most 1.
    norms : array
        Norms to hand in next time.

    References
    ----------
    P. Seetharaman, G. Wichern, B. Pardo, J. Le Roux, "AutoClip: adaptive gradient clipping for
    source separation networks", MLSP 2020.
    """
    norms = np.append(norms, norm)[-window:]
    most = float(np.percentile(norms, percentile))
    return (most / norm if norm > most else 1.0), norms


def scaled(gradients, factor):
    """Gradients times a number."""
    return gradients if factor == 1 else {name: factor * g for name, g in gradients.items()}


def summed(*gradients):
    """Sum of dictionaries of gradients, whose keys may differ; for weights used several times."""
    total = {}
    for one in gradients:
        for name, g in one.items():
            total[name] = total[name] + g if name in total else g
    return total


def average_step(average, weights, n_steps, *, decay=0.995, lag=10):
    """Running average w̄ ← d w̄ + (1 − d) w with d = min(decay, t / (t + lag)) in step t = 1, 2, …

    Early on, d is small, and the average soon forgets where training started.

    Parameters
    ----------
    average, weights : dict of array
    n_steps : int
        t.
    decay : float
        0 keeps the weights themselves.
    lag : float

    Returns
    -------
    dict of array
    """
    share = 1 - min(decay, n_steps / (n_steps + lag))
    if share == 1:
        return weights
    return {name: value + share * (weights[name] - value) for name, value in average.items()}


def warm_up_cosine(
    peak: float, n_steps: int, *, warm_up: int = 0, least: float = 0.0
) -> Callable[[int, np.ndarray], float]:
    """Learning rate that rises for `warm_up` steps, and falls along a cosine to `least` · `peak`.

        ρ_t = peak · min(1, (t + 1) / warm_up) · (least + (1 − least) (1 + cos(π t / n_steps)) / 2)

    Parameters
    ----------
    peak : float
        Largest rate.
    n_steps : int
        When the cosine ends; later steps have the rate of the last.
    warm_up : int, default 0
        Steps over which the rate rises.
    least : float, default 0.0
        Share of `peak` that is left at the end.

    Returns
    -------
    callable
        Maps (step, losses held out so far) to the rate; steps count from 0.

    Examples
    --------
    >>> from anmf.deep import warm_up_cosine
    >>> rate = warm_up_cosine(1e-3, 100, warm_up=10, least=0.1)
    >>> [round(rate(step, []), 6) for step in (0, 10, 50, 100)]
    [0.0001, 0.000978, 0.00055, 0.0001]
    """

    def rate(step, held_out):
        fall = least + (1 - least) * 0.5 * (1 + cos(pi * min(1.0, step / n_steps)))
        return peak * min(1.0, (step + 1) / max(1, warm_up)) * fall

    return rate


def plateau(
    peak: float, *, factor: float = 0.5, patience: int = 3, tol: float = 0.0, warm_up: int = 0
) -> Callable[[int, np.ndarray], float]:
    """Learning rate that falls by `factor` each time `patience` checks bring nothing better.

    Parameters
    ----------
    peak : float
        Rate before the first fall.
    factor : float, default 0.5
        What the rate is multiplied by, below 1.
    patience : int, default 3
        Checks.
    tol : float, default 0.0
        By what share of its size the held-out loss must fall to count as better.
    warm_up : int, default 0
        Steps over which the rate rises.

    Returns
    -------
    callable
        Maps (step, losses held out so far) to the rate; steps count from 0.

    Examples
    --------
    >>> from anmf.deep import plateau
    >>> rate = plateau(1e-3, patience=2)
    >>> rate(300, [0.5, 0.4, 0.3]), rate(500, [0.5, 0.4, 0.3, 0.3, 0.3])
    (0.001, 0.0005)
    """

    def rate(step, held_out):
        value, best, waited = peak * min(1.0, (step + 1) / max(1, warm_up)), np.inf, 0
        for loss in held_out:
            if loss < (best - tol * abs(best) if isfinite(best) else best):
                best, waited = loss, 0
            else:
                waited += 1
            if waited == patience:
                value, waited = value * factor, 0
        return value

    return rate


def constant(peak: float, *, warm_up: int = 0) -> Callable[[int, np.ndarray], float]:
    """The same learning rate throughout, after a rise of `warm_up` steps."""
    return plateau(peak, factor=1.0, warm_up=warm_up)


SCHEDULES = {"constant": constant, "cosine": warm_up_cosine, "plateau": plateau}
"""Makers of learning-rate schedules by name."""
