"""The one iteration loop of the package: history, stopping, callback, progress, interruption."""

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm


@dataclass(frozen=True)
class IterationInfo:
    """What a callback receives after every iteration.

    Attributes
    ----------
    n_iter : int
        Iterations finished so far.
    objective : float
        Objective of `state`.
    seconds : float
        Wall-clock time since the loop began.
    state : object
        The solver's state; for the NMF family ``state.components`` is the current basis.
    """

    n_iter: int
    objective: float
    seconds: float
    state: Any


@dataclass
class Outcome:
    """Result of `iterate`: the last state, the objective after each iteration, how it ended."""

    state: Any
    history: list = field(default_factory=list)
    converged: bool = False
    interrupted: bool = False

    @property
    def n_iter(self):
        return len(self.history)

    def settle(self, estimator):
        """Store history on `estimator`; then tell the user if the run ended before its time."""
        estimator.objective_ = np.asarray(self.history, dtype=np.float64)
        estimator.n_iter_ = self.n_iter
        if self.interrupted:
            raise KeyboardInterrupt(
                f"interrupted after {self.n_iter} iterations; the model holds the best state so far"
            )
        if not self.converged:
            warnings.warn(
                f"max_iter={self.n_iter} ended {type(estimator).__name__}.fit before "
                f"tol={estimator.tol} was reached; raise max_iter, or set tol=0 to run a fixed "
                "number of iterations",
                ConvergenceWarning,
                stacklevel=4,
            )


def iterate(start, step, *, max_iter, tol, callback=None, verbose=0, description="fit"):
    """From ``state = start()`` repeat ``state = step(state)`` until the objective settles.

    Parameters
    ----------
    start : callable
        Makes the first state. (A function, so that nobody else keeps that state in memory.)
    step : callable
        One iteration. States carry ``objective`` (float) and ``converged`` (True when the solver
        itself finds nothing more to gain).
    max_iter : int
        Most iterations to run.
    tol : float
        Stop once an iteration changes the objective by at most `tol` times its first value.
        0 runs all of `max_iter`, and is then not reported as lack of convergence.
    callback : callable, optional
        Called with an `IterationInfo` after every iteration; a true result stops the loop.
    verbose : int
        A progress bar when positive.
    description : str
        Label of the progress bar.

    Returns
    -------
    Outcome
    """
    began = time.perf_counter()
    outcome = Outcome(start(), converged=tol == 0)
    scale = abs(outcome.state.objective)
    # Even a bar that isn't shown makes a semaphore, which a process that is killed leaves behind.
    bar = tqdm(total=max_iter, desc=description, leave=False) if verbose else None
    try:
        for n_iter in range(1, max_iter + 1):
            previous = outcome.state.objective
            outcome.state = step(outcome.state)
            value = outcome.state.objective
            outcome.history.append(value)
            if bar is not None:
                bar.update()
                bar.set_postfix(objective=f"{value:.6g}", refresh=False)
            info = IterationInfo(n_iter, value, time.perf_counter() - began, outcome.state)
            stop = callback is not None and callback(info)
            settled = tol > 0 and abs(previous - value) <= tol * scale
            if stop or settled or outcome.state.converged:
                outcome.converged = True
                break
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        if bar is not None:
            bar.close()
    return outcome
