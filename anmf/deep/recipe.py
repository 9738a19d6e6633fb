"""Settings of a training run."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """How `anmf.deep.train` trains.

    Parameters
    ----------
    n_steps : int, default 1000
        From first to last, those of earlier runs included.
    rate : float or callable, default 0.001
        Learning rate, or a schedule: `warm_up_cosine`, `plateau`, or any function of (step,
        losses held out so far).
    betas : (float, float), default (0.9, 0.999)
        How Adam's running means of the gradient and of its square decay, from 0 to below 1.
    epsilon : float, default 1e-8
        Added to the root of the latter.
    weight_decay : float, default 0.0
        Share of the weights, times the rate, that each step takes off (AdamW).
    clip_percentile : float, default 25.0
        Gradients are cut to this percentile of the latest norms, above 0; 100 never clips.
    clip_window : int, default 500
        How many norms those are.
    average_decay : float, default 0.99
        Of the running average of the weights, from 0, which keeps the weights themselves, to
        below 1.
    check_every : int, default 100
        Steps from one check (held-out loss, checkpoint) to the next; the last step has one too.
    patience : int or None, default None
        Checks without a lower held-out loss that end training.
    most_failures : int, default 10
        Steps in a row without finite loss and gradient that end training.

    Examples
    --------
    >>> from anmf.deep import Recipe, plateau
    >>> recipe = Recipe(n_steps=500, rate=plateau(1e-3, warm_up=10), patience=5)
    >>> recipe.rate_at(0, []), recipe.check_every
    (0.0001, 100)
    """

    n_steps: int = 1000
    rate: float | Callable[[int, np.ndarray], float] = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_percentile: float = 25.0
    clip_window: int = 500
    average_decay: float = 0.99
    check_every: int = 100
    patience: int | None = None
    most_failures: int = 10

    def __post_init__(self) -> None:
        for name in ("n_steps", "clip_window", "check_every", "most_failures"):
            self._require(name, _is_count, "an integer of at least 1")
        self._require("patience", lambda v: v is None or _is_count(v), "None or at least 1")
        self._require("rate", lambda v: callable(v) or _within(v, 0, None), "positive, or callable")
        self._require("betas", _is_pair, "two numbers of at least 0 and below 1")
        self._require("epsilon", lambda v: _within(v, 0, None), "positive")
        self._require("weight_decay", lambda v: v == 0 or _within(v, 0, None), "at least 0")
        self._require("average_decay", lambda v: v == 0 or _within(v, 0, 1), "in [0, 1)")
        self._require("clip_percentile", lambda v: v == 100 or _within(v, 0, 100), "in (0, 100]")

    def _require(self, name, holds, expected):
        value = getattr(self, name)
        if not holds(value):
            raise ValueError(f"{name}={value!r} must be {expected}")

    def rate_at(self, step: int, held_out: np.ndarray) -> float:
        """Learning rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.
        held_out : ndarray of shape (n_checks,)
            Losses held out so far.

        Returns
        -------
        float
        """
        return self.rate(step, held_out) if callable(self.rate) else self.rate


def _is_count(value):
    return isinstance(value, Integral) and value >= 1


def _within(value, low, high):
    return isinstance(value, Real) and value > low and (high is None or value < high)


def _is_pair(value):
    return len(value) == 2 and all(v == 0 or _within(v, 0, 1) for v in value)
