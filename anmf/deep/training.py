"""The training loop: steps, checks on held-out data, stopping, interruption, resumption."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

from anmf._core.arrays import namespace
from anmf._core.iterate import IterationInfo
from anmf._core.types import Array, PathLike
from anmf.deep.optimise import (
    adam_step,
    autoclip,
    average_step,
    gradient_norm,
    scaled,
)
from anmf.deep.recipe import Recipe
from anmf.deep.state import TrainingState, first_state, save_checkpoint


@dataclass(frozen=True)
class Trained:
    """Result of `train`.

    Parameters
    ----------
    weights : dict of array
        The best on held-out data; where there are none, the latest running average.
    ended : str
        *finished*, *early stopping*, *callback*, *interrupted* or *not finite*.
    state : TrainingState
        To go on from; it also has the losses.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import Recipe, train
    >>> result = train(
    ...     {"w": np.ones(2)}, lambda weights, batch: (weights["w"].sum(), {"w": np.ones(2)}),
    ...     lambda step: None, Recipe(n_steps=100), callback=lambda info: info.n_iter == 3,
    ... )
    >>> result.ended, result.state.step
    ('callback', 3)
    """

    weights: dict[str, Array]
    ended: str
    state: TrainingState


def train(
    start: dict[str, Array] | TrainingState,
    loss_and_gradient: Callable[[dict[str, Array], Any], tuple[Any, dict[str, Array]]],
    batch: Callable[[int], Any],
    recipe: Recipe | None = None,
    *,
    held_out: Callable[[dict[str, Array]], float] | None = None,
    checkpoint: PathLike | None = None,
    callback: Callable[[IterationInfo], Any] | None = None,
    verbose: int = 0,
) -> Trained:
    """Train weights by Adam on one batch after another.

    Parameters
    ----------
    start : dict of array, or TrainingState
        Weights to start from, or where to go on (`load_checkpoint`, or `Trained.state`): with the
        same recipe and functions, the outcome is the same to the last bit as without a break.
    loss_and_gradient : callable
        Maps (weights, batch) to (loss, dictionary of gradients). Weights without a gradient stay
        as they are.
    batch : callable
        Maps the number of a step, from 0, to a batch. What is random in it belongs to the caller,
        for example ``numpy.random.default_rng((seed, step))``.
    recipe : Recipe or None, default None
        Steps, learning rate, checks; ``Recipe()`` when not given.
    held_out : callable or None, default None
        Maps weights to a loss on data not trained on, for checks.
    checkpoint : str, path or None, default None
        File (.npz) that gets the state at the start, at every check and at the end.
    callback : callable or None, default None
        Called with an `IterationInfo` after every step; a true result stops training.
    verbose : int, default 0
        A progress bar when positive.

    Returns
    -------
    Trained
        The weights, how training ended, and where it stands.

    Warns
    -----
    ConvergenceWarning
        If loss or gradient aren't finite several times in a row. Such steps are skipped, and
        `Recipe.most_failures` of them end training.

    Notes
    -----
    An interruption (Ctrl-C) ends training, and the result holds the best weights so far. NumPy's
    warnings of overflow and invalid numbers are silent meanwhile, since such steps are skipped.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import Recipe, train
    >>> def loss_and_gradient(weights, batch):
    ...     error = weights["w"] - batch
    ...     return float(error @ error), {"w": 2 * error}
    >>> weights = {"w": np.zeros(2)}
    >>> result = train(weights, loss_and_gradient, lambda step: np.array([1.0, -1.0]),
    ...                Recipe(n_steps=300, rate=0.1))
    >>> result.ended, result.weights["w"].round(2)
    ('finished', array([ 1., -1.]))
    """
    recipe = recipe or Recipe()
    state = start if isinstance(start, TrainingState) else first_state(start)
    loop = _Loop(recipe, loss_and_gradient, batch, held_out, checkpoint, callback, state)
    loop.save()  # so that a path that can't be written to is told before hours of work
    keep_memory()
    began, ended = time.perf_counter(), "finished"
    total = recipe.n_steps
    bar = tqdm(total=total, initial=state.step, desc="train", disable=not verbose, leave=False)
    try:
        while loop.state.step < total and ended == "finished":
            loop.advance()
            bar.update()
            bar.set_postfix(loss=f"{loop.state.recent_loss():.4g}", refresh=False)
            ended = loop.ending(time.perf_counter() - began)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        bar.close()
    return loop.settle(ended)


@dataclass
class _Loop:
    recipe: Recipe
    loss_and_gradient: Any
    batch: Any
    held_out: Any
    checkpoint: Any
    callback: Any
    state: TrainingState

    def advance(self):
        """A step, and a check when it is due. The state changes at once or not at all."""
        batch = self.batch(self.state.step)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            state = step(
                self.state, *self.loss_and_gradient(self.state.weights, batch), self.recipe
            )
            due = state.step % self.recipe.check_every == 0 or state.step == self.recipe.n_steps
            if due and self.held_out is not None:
                state = checked(state, float(self.held_out(state.average)))
        self.state = state
        if due:
            self.save()

    def save(self):
        if self.checkpoint is not None:
            save_checkpoint(self.checkpoint, self.state)

    def ending(self, seconds):
        """How training ends after this step; *finished* stands for going on."""
        state, recipe = self.state, self.recipe
        if state.n_failed >= recipe.most_failures:
            return "not finite"
        if recipe.patience is not None and state.n_waited >= recipe.patience:
            return "early stopping"
        if self.callback is not None:
            info = IterationInfo(state.step, float(state.losses[-1]), seconds, state)
            if self.callback(info):
                return "callback"
        return "finished"

    def settle(self, ended):
        """Save where training stands; say what went wrong; return the best weights."""
        self.save()
        state = self.state
        if ended == "not finite":
            warnings.warn(
                f"training stopped at step {state.step} because loss or gradient weren't finite "
                f"{state.n_failed} times in a row (last loss {state.losses[-1]:g}); the result "
                "holds the best weights so far. Lower the learning rate, or look for NaN and "
                "silence in the data",
                ConvergenceWarning,
                stacklevel=3,
            )
        weights = state.best if state.best is not None else state.average
        return Trained(weights, ended, state)


def step(state, loss, gradients, recipe):
    """State after one step with this loss and these gradients; without a move if not finite.

    Parameters
    ----------
    state : TrainingState
    loss : float
    gradients : dict of array
    recipe : Recipe

    Returns
    -------
    TrainingState

    Raises
    ------
    ValueError
        For gradients of unknown weights or of wrong shapes.
    """
    _check_gradients(gradients, state.weights)
    xp = namespace(*state.weights.values())
    losses = np.append(state.losses, float(loss))
    norm = gradient_norm(gradients, xp=xp)
    if not np.isfinite(losses[-1] + norm):
        return replace(state, step=state.step + 1, losses=losses, n_failed=state.n_failed + 1)
    factor, norms = autoclip(
        norm, state.norms, percentile=recipe.clip_percentile, window=recipe.clip_window
    )
    weights, moments = adam_step(
        state.weights,
        scaled(gradients, factor),
        state.moments,
        recipe.rate_at(state.step, state.held_out),
        xp=xp,
        betas=recipe.betas,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay,
    )
    average = average_step(state.average, weights, moments.n_steps, decay=recipe.average_decay)
    return replace(
        state, step=state.step + 1, weights=weights, average=average, moments=moments,
        norms=norms, losses=losses, n_failed=0,
    )  # fmt: skip


def checked(state, loss):
    """State after a check of its average weights, which gave `loss` on held-out data."""
    loss = loss if np.isfinite(loss) else np.inf
    better = len(state.held_out) == 0 or loss < np.min(state.held_out)
    held_out = np.append(state.held_out, loss)
    return replace(state, held_out=held_out, best=state.average if better else state.best)


def _check_gradients(gradients, weights):
    unknown = sorted(set(gradients) - set(weights))
    if unknown:
        raise ValueError(f"gradients of {unknown[:5]}, of which there are no weights")
    for name, g in gradients.items():
        if tuple(g.shape) != tuple(weights[name].shape):
            raise ValueError(
                f"the gradient of {name!r} has shape {tuple(g.shape)}; expected "
                f"{tuple(weights[name].shape)}, that of the weight"
            )


def keep_memory() -> None:
    """Keep the C library from giving memory back to the system after every layer.

    Linux's allocator asks the system for each large array and returns it when it is freed, and
    every page that comes back costs a fault: up to half the time of a step. Freeing one array of
    just under 32 MB raises its limits for good. Elsewhere this does nothing.

    Examples
    --------
    Before a training loop of one's own; `train` does it:

    >>> from anmf.deep import keep_memory
    >>> keep_memory()
    """
    np.empty(31 * 2**20, dtype=np.uint8)
