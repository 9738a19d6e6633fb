"""Where demixing starts, and what keeps it from running away."""

import numpy as np

from anmf._core.arrays import like, to_host
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


def prior(X, power, *, xp):
    """Covariance (n_frequencies, 1, n_channels, n_channels) that each channel has of its own.

    `power` (n_frequencies,) is the mean power of the channels.
    """
    return (PRIOR[_bytes(X)] * power[:, None, None] * _eye(X, xp))[:, None, :, :]


def sounding(power, dtype):
    """Which bins, of mean power (n_frequencies,), aren't silent."""
    return power > LEAST_POWER[4 if "64" in str(dtype) else 8] * power.mean()


def _bytes(X):
    return 4 if str(X.dtype).endswith("complex64") else 8


def _eye(X, xp):
    """Identity matrices (n_frequencies, n_channels, n_channels)."""
    eye = like(np.eye(X.shape[1]), X)
    return eye + 0 * X[:, :1, :1]
