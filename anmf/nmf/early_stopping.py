"""Keep the bases that separate held-out mixtures best."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anmf._core.arrays import like, take_rows, to_host
from anmf.nmf.mixing import mix_at_random


@dataclass
class Monitor:
    """Callback that scores the bases on held-out mixtures after every iteration.

    Attributes
    ----------
    score : callable
        Maps (members, mixtures, parts) to a number, higher is better.
    mixtures, parts : arrays
        Held-out mixtures (n, m) and their parts (n, n_sources, m).
    patience : int
        Iterations without a better score after which the fit stops.
    callback : callable or None
        The user's own, called first.
    """

    score: Any
    mixtures: Any
    parts: Any
    patience: int
    callback: Any = None

    def __post_init__(self):
        self.best, self.members, self.history = -np.inf, None, []

    def __call__(self, info):
        stop = self.callback is not None and self.callback(info)
        value = self.score(info.state.members, self.mixtures, self.parts)
        self.history.append(value)
        if value > self.best:
            self.best, self.members = value, info.state.members
        waited = len(self.history) - 1 - int(np.argmax(self.history))
        return stop or waited >= self.patience


def hold_out(supervision, fraction, rng):
    """Set a share of the rows aside, as mixtures with known parts.

    Parameters
    ----------
    supervision : Supervision
    fraction : float
        Share of the rows of each source (of the mixtures, when their parts are known).
    rng : numpy.random.Generator

    Returns
    -------
    supervision : Supervision
        What is left to learn from.
    mixtures : array (n, m)
    parts : array (n, n_sources, m)
    """
    if supervision.parts is not None:
        held, kept = _split(supervision.parts.shape[0], fraction, rng)
        mixtures, parts = supervision.paired, supervision.parts
        left = replace(supervision, paired=take_rows(mixtures, kept), parts=take_rows(parts, kept))
        return left, take_rows(mixtures, held), take_rows(parts, held)
    splits = [_split(rows.shape[0], fraction, rng) for rows in supervision.isolated]
    pairs = list(zip(supervision.isolated, splits, strict=True))
    held = [to_host(take_rows(rows, split[0])) for rows, split in pairs]
    kept = [take_rows(rows, split[1]) for rows, split in pairs]
    mixtures, parts = mix_at_random(held, max(len(rows) for rows in held), rng)
    left = replace(supervision, isolated=kept)
    return left, like(mixtures, kept[0]), like(parts, kept[0])


def _split(n_rows, fraction, rng):
    """Sorted indices of held-out and of remaining rows, at least one of each."""
    if n_rows < 2:
        raise ValueError(
            "early_stopping=True sets rows of every source aside and needs at least 2 of each; "
            f"a source has {n_rows}; use early_stopping=False"
        )
    order = rng.permutation(n_rows)
    n_held = min(n_rows - 1, max(1, round(fraction * n_rows)))
    return np.sort(order[:n_held]), np.sort(order[n_held:])
