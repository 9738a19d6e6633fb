"""What `y` says of the rows that ``fit`` sees: their speaker, or the two of overlapped ones."""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import is_array, to_host

NOBODY = -1


@dataclass(frozen=True)
class Labels:
    """Rows with one speaker and with two.

    Attributes
    ----------
    singles : ndarray of int (n_singles,)
        Rows with one speaker.
    speakers : ndarray (n_singles,)
        Theirs.
    overlapped : ndarray of int (m,)
        Rows with two speakers.
    pairs : ndarray of int (m, 2)
        Theirs.
    """

    singles: np.ndarray
    speakers: np.ndarray
    overlapped: np.ndarray
    pairs: np.ndarray


def read_labels(y, n_samples, *, required):
    """Check labels of rows.

    Parameters
    ----------
    y : array (n,) or (n, 2), or None
        Speaker of each row; or integers, both speakers, −1 for none. Rows with none at all teach
        nothing.
    n_samples : int
        n.
    required : bool
        Whether None is refused. If it isn't, floating numbers are taken for the target of some
        later step of a pipeline, which says nothing of speakers: the same as None.

    Returns
    -------
    Labels or None

    Raises
    ------
    ValueError
        For wrong shapes, NaN, and where no row has one speaker.
    """
    if y is None:
        if required:
            raise ValueError(
                "covariance='within' requires y to be passed, but the target y is None; give the "
                "speaker (or class) of each row, or set covariance='total'"
            )
        return None
    y = to_host(y) if is_array(y) else np.asarray(y)
    if y.dtype.kind == "f" and not required:
        return None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    in_pairs = y.shape == (n_samples, 2) and y.dtype.kind in "iu"
    if not in_pairs and y.shape != (n_samples,):
        raise ValueError(
            f"y has shape {y.shape} and type {y.dtype}; expected one label for each of the "
            f"{n_samples} rows of X: ({n_samples},), or integers ({n_samples}, 2), the two "
            "speakers of each row, −1 for none"
        )
    if y.dtype.kind == "f" and not np.all(np.isfinite(y)):
        raise ValueError("y contains NaN or infinity; drop the rows of X whose speaker is unknown")
    return _of_pairs(y) if in_pairs else _of_singles(y)


def _of_singles(y):
    none = np.empty(0, dtype=int)
    return Labels(np.arange(len(y)), y, none, none.reshape(0, 2))


def _of_pairs(y):
    """Labels of an array (n, 2)."""
    if y.min(initial=0) < NOBODY:
        raise ValueError(
            f"y has the label {y.min()}; speakers are integers from 0, and −1 stands for none"
        )
    first = np.where(y[:, 0] == NOBODY, y[:, 1], y[:, 0])
    second = np.where(y[:, 1] == NOBODY, first, y[:, 1])
    singles = np.flatnonzero((first == second) & (first != NOBODY))
    if not len(singles):
        raise ValueError(
            "y names no row with one speaker; windows in which one speaker talks are needed to "
            "learn what speakers are like: give them −1 as the second speaker"
        )
    overlapped = np.flatnonzero(first != second)
    return Labels(singles, first[singles], overlapped, y[overlapped])
