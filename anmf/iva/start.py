"""Where demixing starts, and what keeps it from running away."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anmf._core.arrays import like, namespace, to_host
from anmf._core.checks import check_choice
from anmf.iva.covariance import adjoint

LEAST_POWER = {4: 1e-12, 8: 1e-20}
"""Share of the mean power of a bin below which one is silent, by bytes of a real number."""

PRIOR = {4: 1e-7, 8: 1e-10}
"""Share of the mean power of a bin that every channel is taken to have of its own. With it, dead
channels, or more channels than sources, leave all covariances positive definite."""


def identity(X, level, *, xp):
    """Demixing that changes nothing: every channel, at level 1, is the start of a source."""
    return _eye(X, xp)


def principal(X, level, *, xp):
    """Rows that whiten the channels, the directions of most power first."""
    C = xp.matmul(X, adjoint(X, xp=xp)) / (X.shape[-1] * level**2)
    size = xp.real(xp.linalg.trace(C))[:, None, None] / X.shape[1]
    values, vectors = xp.linalg.eigh(C + PRIOR[_bytes(X)] * size * _eye(X, xp))
    rows = xp.flip(adjoint(vectors, xp=xp), axis=1)
    first = rows[:, :, :1]
    size = xp.abs(first)
    turned = xp.where(size > 0, xp.conj(first) / xp.where(size > 0, size, 1.0), 1.0 + 0 * first)
    rows = turned * rows  # the phase of an eigenvector is anybody's choice
    return xp.flip(values, axis=1)[:, :, None] ** -0.5 * rows


INITS = {"identity": identity, "pca": principal}
"""Where the rows of demixing start: functions of the microphones (n_frequencies, n_channels,
n_frames) and their level, which they are divided by."""


def starting_rows(init, X, active, level, *, xp):
    """Rows (n_frequencies, n_channels, n_channels) that demixing starts from.

    Parameters
    ----------
    init : str or array (n_frequencies, n_sources or n_channels, n_channels)
        A name of `INITS`, or rows; those that are missing are the principal directions of what
        the others leave.
    X : complex array (n_active, n_channels, n_frames)
    active : ndarray of bool (n_frequencies,)
        Bins that are in X.
    level : float
        What the microphones are to be divided by.
    xp : namespace
    """
    if isinstance(init, str):
        check_choice("init", init, INITS)
        return INITS[init](X, level, xp=xp)
    rows = check_rows(init, len(active), X.shape[1])[active]
    if rows.shape[1] < X.shape[1]:
        C = to_host(xp.matmul(X, adjoint(X, xp=xp)))
        rows = np.concatenate([rows, background(rows, C)], axis=1)
    return like(level * rows, X)


def background(rows, C):
    """Rows uncorrelated with those given, (n_frequencies, n_channels − n_rows, n_channels).

    They span the orthogonal complement of the rows under the covariances C of the channels.

    References
    ----------
    Scheibler and Ono, "Independent vector analysis with more microphones than sources", WASPAA
    2019.
    """
    n_rows, n_channels = rows.shape[1:]
    size = np.trace(C, axis1=1, axis2=2).real[:, None, None] / n_channels
    C = C + PRIOR[8] * np.where(size > 0, size, 1) * np.eye(n_channels)
    complement = np.linalg.svd(rows @ C, full_matrices=True)[2][:, n_rows:]
    power = np.einsum("fbi,fij,fbj->fb", complement, C, complement.conj()).real
    return complement / np.sqrt(power)[..., None]


def given_rows(init, n_frequencies, n_channels):
    """The rows that `init` gives, on the host, and those of the identity where it gives none."""
    rows = np.tile(np.eye(n_channels, dtype=np.complex128), (n_frequencies, 1, 1))
    if not isinstance(init, str):
        given = check_rows(init, n_frequencies, n_channels)
        rows[:, : given.shape[1]] = given
    return rows


def check_rows(init, n_frequencies, n_channels):
    """Rows of the user's as complex128, or a `ValueError`."""
    rows = np.asarray(to_host(init)).astype(np.complex128)
    good = rows.ndim == 3 and rows.shape[::2] == (n_frequencies, n_channels)
    if not good or not 1 <= rows.shape[1] <= n_channels or not np.isfinite(rows).all():
        raise ValueError(
            f"init has shape {rows.shape}; expected finite demixing matrices (n_frequencies, "
            f"n_sources, n_channels) = ({n_frequencies}, n_sources, {n_channels}), or a name of "
            f"{sorted(INITS)}"
        )
    return rows


@dataclass(frozen=True)
class Columns:
    """Covariances that are added to those of the frames, written as further columns of them.

    Columns √T P^(½) of weight 1 add P to (1/T) Σ_t φ_t x_t x_tᴴ, and are demixed along with the
    frames. The first are multiples of the identity: the demixing itself can be read off them.

    Attributes
    ----------
    columns : complex array (n_frequencies, n_channels, n_columns)
    weights : array (n_weights, n_columns)
        1 for the weights that a column belongs to, else 0.
    """

    columns: Any
    weights: Any

    def rows(self, demixed):
        """W, from W times the columns."""
        n_channels = demixed.shape[1]
        return demixed[:, :, :n_channels] / self.columns[:, :1, :1]

    def of_rows(self, n_rows):
        """The weights of each row, (n_rows, n_columns): those of the background are the last."""
        xp, missing = namespace(self.weights), n_rows - self.weights.shape[0]
        return xp.concat([self.weights] + [self.weights[-1:, :]] * missing, axis=0)


def make_columns(X, power, past, n_weights, *, xp):
    """Columns for what each channel has of its own, and for covariances of the past.

    Parameters
    ----------
    X : complex array (n_frequencies, n_channels, n_frames)
        Of which the type, the device and the number of frames count.
    power : ndarray (n_frequencies,)
        Mean power of the channels.
    past : ndarray (n_frequencies, n_weights, n_channels, n_channels) or None
    n_weights : int
    xp : namespace

    Returns
    -------
    Columns
    """
    n_channels, n_frames = X.shape[1:]
    own = np.sqrt(n_frames * PRIOR[_bytes(X)] * power)[:, None, None] * np.eye(n_channels)
    columns, weights = [own], [np.ones((n_weights, n_channels))]
    if past is not None:
        values, vectors = np.linalg.eigh(past)
        roots = np.sqrt(n_frames * np.maximum(values, 0))[:, :, None, :] * vectors
        columns += [roots[:, k] for k in range(n_weights)]
        weights += [np.repeat(np.eye(n_weights), n_channels, axis=1)]
    real = like(np.concatenate(weights, axis=1), xp.real(X[:1, :1, :1]))
    return Columns(like(np.concatenate(columns, axis=2), X), real)


def sounding(X, power):
    """Which bins of X, of mean power (n_frequencies,), aren't silent."""
    return power > LEAST_POWER[_bytes(X)] * power.mean()


def _bytes(X):
    return 4 if str(X.dtype).endswith("complex64") else 8


def _eye(X, xp):
    """Identity matrices (n_frequencies, n_channels, n_channels)."""
    eye = like(np.eye(X.shape[1]), X)
    return eye + 0 * X[:, :1, :1]
