"""Settings of a training run."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real


@dataclass(frozen=True)
class Recipe:
    """How `anmf.deep.train` trains.

    Parameters
    ----------
    n_steps : int
    rate : float or callable
        Learning rate, or a schedule: `warm_up_cosine`, `plateau`, or any function of (step,
        losses held out so far).
    betas, epsilon, weight_decay
        As in `adam_step`.
    clip_percentile, clip_window
        As in `autoclip`; 100 never clips.
    average_decay : float
        As in `average_step`; 0 keeps the weights themselves.
    check_every : int
        Steps from one check (held-out loss, checkpoint) to the next; the last step has one too.
    patience : int, optional
        Checks without a lower held-out loss that end training.
    most_failures : int
        Steps in a row without finite loss and gradient that end training.
    """

    n_steps: int = 1000
    rate: float | Callable = 1e-3
    betas: tuple = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_percentile: float = 25.0
    clip_window: int = 500
    average_decay: float = 0.99
    check_every: int = 100
    patience: int | None = None
    most_failures: int = 10

    def __post_init__(self):
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

    def rate_at(self, step, held_out):
        """Learning rate of a step, given the losses held out so far."""
        return self.rate(step, held_out) if callable(self.rate) else self.rate


def _is_count(value):
    return isinstance(value, Integral) and value >= 1


def _within(value, low, high):
    return isinstance(value, Real) and value > low and (high is None or value < high)


def _is_pair(value):
    return len(value) == 2 and all(v == 0 or _within(v, 0, 1) for v in value)
