"""Where training stands, as plain arrays, in memory and in files."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anmf._core.arrays import namespace, to_host
from anmf.deep.optimise import Moments, no_moments
from anmf.deep.weights import read_arrays, write_arrays

_DICTIONARIES = ("weights", "average", "mean", "square", "best")
_HISTORIES = ("norms", "losses", "held_out")
_NUMBERS = ("step", "n_failed", "n_moments")
_KIND = "anmf checkpoint"


def _nothing():
    return np.empty(0)


@dataclass(frozen=True)
class TrainingState:
    """Where training stands.

    Attributes
    ----------
    weights, average : dict of array
        Weights, and their running average, which is what training is for.
    moments : Moments
        Of Adam.
    best : dict of array or None
        The average with the lowest loss on held-out data.
    norms, losses, held_out : array
        Latest norms of gradients, all losses on batches, and losses at checks.
    step : int
        Steps so far, skipped ones included.
    n_failed : int
        Steps skipped in a row.
    """

    weights: dict
    average: dict
    moments: Moments
    best: dict | None = None
    norms: np.ndarray = field(default_factory=_nothing)
    losses: np.ndarray = field(default_factory=_nothing)
    held_out: np.ndarray = field(default_factory=_nothing)
    step: int = 0
    n_failed: int = 0

    @property
    def n_waited(self):
        """Checks since the best one."""
        return len(self.held_out) - 1 - int(np.argmin(self.held_out)) if len(self.held_out) else 0

    def recent_loss(self, n=50):
        """Mean of the last `n` losses that are finite."""
        recent = self.losses[-n:]
        recent = recent[np.isfinite(recent)]
        return float(np.mean(recent)) if len(recent) else float("nan")


def first_state(weights):
    """State before the first step."""
    xp = namespace(*weights.values())
    return TrainingState(dict(weights), dict(weights), no_moments(weights, xp=xp))


def save_checkpoint(path, state):
    """Write a state to a file (.npz), whole or not at all; arrays come from any library.

    Parameters
    ----------
    path : path
    state : TrainingState
    """
    moments = state.moments
    parts = (state.weights, state.average, moments.mean, moments.square, state.best or {})
    arrays = {
        f"{kind}/{name}": to_host(value)
        for kind, part in zip(_DICTIONARIES, parts, strict=True)
        for name, value in part.items()
    }
    arrays.update((name, getattr(state, name)) for name in _HISTORIES)
    numbers = (state.step, state.n_failed, moments.n_steps)
    arrays.update((n, np.asarray(v)) for n, v in zip(_NUMBERS, numbers, strict=True))
    write_arrays(path, arrays, _KIND)


def load_checkpoint(path):
    """Read a state that `save_checkpoint` wrote, to hand to `anmf.deep.train`; NumPy arrays.

    Parameters
    ----------
    path : path

    Returns
    -------
    TrainingState

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind.
    """
    arrays, _ = read_arrays(path, _KIND)
    absent = sorted(set(_HISTORIES + _NUMBERS) - set(arrays))
    if absent:
        raise ValueError(f"{str(path)!r} lacks {absent}; it is no complete checkpoint")
    parts = {kind: {} for kind in _DICTIONARIES}
    for key, value in arrays.items():
        kind, slash, name = key.partition("/")
        if slash and kind in parts:
            parts[kind][name] = value
    for kind in _DICTIONARIES[1:4]:
        if set(parts[kind]) != set(parts["weights"]):
            raise ValueError(f"{str(path)!r} lacks parts of {kind!r}; it is no complete checkpoint")
    return TrainingState(
        parts["weights"],
        parts["average"],
        Moments(parts["mean"], parts["square"], int(arrays["n_moments"])),
        parts["best"] or None,
        *(arrays[name] for name in _HISTORIES),
        int(arrays["step"]),
        int(arrays["n_failed"]),
    )


def start_of_training(network, rng, *, checkpoint=None, weights=None):
    """Where training begins or goes on: state of a checkpoint, given weights, or new ones.

    Parameters
    ----------
    network : Network
    rng : Generator
    checkpoint : path, optional
        Taken if there is such a file.
    weights : dict of array, optional
        Taken if there is no checkpoint.

    Returns
    -------
    TrainingState, or dict of array

    Raises
    ------
    ValueError
        For a checkpoint or weights of another network.
    """
    if checkpoint is not None and Path(checkpoint).exists():
        state = load_checkpoint(checkpoint)
        network.check(state.weights)
        return state
    if weights is not None:
        network.check(weights)
        return weights
    return network.start(rng)
