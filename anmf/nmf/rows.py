"""Iterate many independent rows, each until it has converged by itself."""

import numpy as np

from anmf._core.arrays import take_rows, to_host


def solve_rows(rounds, H, data, *, tol, xp, max_repeats=60):
    """Repeat ``H, change = round(H, *data)``, going on only with the rows that still change.

    A row is finished by its own change alone, never by its neighbours', so the result of a row does
    not depend on the rows beside it.

    Parameters
    ----------
    rounds : sequence of callable
        The first rounds, the last of them repeated. Each maps (H, *data) of any subset of rows to
        (H, change), change of shape (n_rows,).
    H : array (n, k)
        Start.
    data : tuple of array
        Arrays whose first axis is the rows.
    tol : float
        A row is finished once its change is at most this.
    xp : array namespace
    max_repeats : int
        Most repetitions of the last round.

    Returns
    -------
    H : array (n, k)
    """
    active = np.arange(H.shape[0])
    finished, order = [], []
    for i in range(len(rounds) - 1 + max_repeats):
        H, change = rounds[min(i, len(rounds) - 1)](H, *data)
        going = to_host(change) > tol
        done = ~going
        if done.any():
            finished.append(take_rows(H, np.flatnonzero(done)))
            order.append(active[done])
            keep = np.flatnonzero(going)
            H, active = take_rows(H, keep), active[keep]
            data = tuple(take_rows(array, keep) for array in data)
        if not len(active):
            break
    else:
        finished.append(H)
        order.append(active)
    return take_rows(xp.concat(finished, axis=0), np.argsort(np.concatenate(order)))
