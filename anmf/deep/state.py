"""Where training stands, as plain arrays, in memory and in files."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anmf._core.arrays import namespace, to_host
from anmf._core.types import Array, PathLike
from anmf.deep.network import Network
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

    Parameters
    ----------
    weights, average : dict of array
        Weights, and their running average, which is what training is for.
    moments : Moments
        Of Adam: running means of the gradients and of their squares.
    best : dict of array or None, default None
        The average with the lowest loss on held-out data.
    norms : ndarray of shape (n_norms,)
        Latest norms of gradients, which clipping goes by.
    losses : ndarray of shape (n_steps,)
        On batches, of all steps.
    held_out : ndarray of shape (n_checks,)
        On held-out data, at all checks.
    step : int, default 0
        Steps so far, skipped ones included.
    n_failed : int, default 0
        Steps skipped in a row.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import Recipe, train
    >>> result = train(
    ...     {"w": np.ones(2)}, lambda weights, batch: (weights["w"].sum(), {"w": np.ones(2)}),
    ...     lambda step: None, Recipe(n_steps=3, rate=0.5),
    ... )
    >>> result.state.step, result.state.losses.round(3)
    (3, array([2., 1., 0.]))
    """

    weights: dict[str, Array]
    average: dict[str, Array]
    moments: Moments
    best: dict[str, Array] | None = None
    norms: np.ndarray = field(default_factory=_nothing)
    losses: np.ndarray = field(default_factory=_nothing)
    held_out: np.ndarray = field(default_factory=_nothing)
    step: int = 0
    n_failed: int = 0

    @property
    def n_waited(self) -> int:
        """Checks since the best one."""
        return len(self.held_out) - 1 - int(np.argmin(self.held_out)) if len(self.held_out) else 0

    def recent_loss(self, n: int = 50) -> float:
        """Mean of the finite ones among the last losses.

        Parameters
        ----------
        n : int, default 50
            How many losses to look at.

        Returns
        -------
        float
            NaN if there is none.
        """
        recent = self.losses[-n:]
        recent = recent[np.isfinite(recent)]
        return float(np.mean(recent)) if len(recent) else float("nan")


def first_state(weights):
    """State before the first step."""
    xp = namespace(*weights.values())
    return TrainingState(dict(weights), dict(weights), no_moments(weights, xp=xp))


def save_checkpoint(path: PathLike, state: TrainingState) -> None:
    """Write a state to a file (.npz), whole or not at all; arrays come from any library.

    Parameters
    ----------
    path : str or path
        Ends in .npz. A file of that name is replaced.
    state : TrainingState
        Such as ``state`` of what `train` returns.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from anmf.deep import Recipe, load_checkpoint, save_checkpoint, train
    >>> weights, slope = {"w": np.ones(2)}, {"w": np.ones(2)}
    >>> result = train(weights, lambda w, batch: (w["w"].sum(), slope), int, Recipe(n_steps=3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(Path(folder, "three.npz"), result.state)
    ...     load_checkpoint(Path(folder, "three.npz")).step
    3
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


def load_checkpoint(path: PathLike) -> TrainingState:
    """Read a state that `save_checkpoint` wrote, to hand to `anmf.deep.train`; NumPy arrays.

    Parameters
    ----------
    path : str or path
        File (.npz) of `save_checkpoint`, or the `checkpoint` of `train`.

    Returns
    -------
    TrainingState
        Equal to the one that was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind.

    Examples
    --------
    Training goes on where it ended, here after three steps:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from anmf.deep import Recipe, load_checkpoint, train
    >>> def fall(weights, batch):
    ...     return weights["w"].sum(), {"w": np.ones(2)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "run.npz")
    ...     _ = train({"w": np.ones(2)}, fall, int, Recipe(n_steps=3), checkpoint=path)
    ...     result = train(load_checkpoint(path), fall, int, Recipe(n_steps=5))
    >>> len(result.state.losses)
    5
    """
    arrays, _ = read_arrays(path, _KIND)
    absent = sorted(set(_HISTORIES + _NUMBERS) - set(arrays))
    if absent:
        raise ValueError(f"{str(path)!r} lacks {absent}; it is no complete checkpoint")
    parts: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _DICTIONARIES}
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
        **{name: arrays[name] for name in _HISTORIES},
        step=int(arrays["step"]),
        n_failed=int(arrays["n_failed"]),
    )


def start_of_training(
    network: Network,
    rng: np.random.Generator,
    *,
    checkpoint: PathLike | None = None,
    weights: dict[str, Array] | None = None,
) -> TrainingState | dict[str, Array]:
    """Where training begins or goes on: state of a checkpoint, given weights, or new ones.

    Parameters
    ----------
    network : Network
        What is trained.
    rng : Generator
        Draws new weights.
    checkpoint : str, path or None, default None
        Taken if there is such a file.
    weights : dict of array or None, default None
        Taken if there is no checkpoint.

    Returns
    -------
    TrainingState, or dict of array
        To hand to `train`.

    Raises
    ------
    ValueError
        For a checkpoint or weights of another network.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import Network, layer, start_of_training
    >>> network = Network([layer("out", "dense", n_in=3, n_out=2)])
    >>> sorted(start_of_training(network, np.random.default_rng(0)))
    ['out.W', 'out.b']
    """
    if checkpoint is not None and Path(checkpoint).exists():
        state = load_checkpoint(checkpoint)
        network.check(state.weights)
        return state
    if weights is not None:
        network.check(weights)
        return weights
    return network.start(rng)
