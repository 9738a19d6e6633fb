"""Permutation-invariant training of masks: the loss of the best order of the sources."""

from anmf._core.arrays import total
from anmf.metrics.permutation import solve_permutation


def magnitude_target(X, S, *, xp):
    """|S_k|: sizes of the sources.

    Parameters
    ----------
    X : complex array (batch, n_frames, n_bins)
        Spectra of mixtures. Unused here.
    S : complex array (batch, n_frames, n_sources, n_bins)
        Spectra of their sources.
    xp : module
        Array-API namespace of the arrays.

    Returns
    -------
    array (batch, n_frames, n_sources, n_bins)
    """
    _check_sources(X, S)
    return xp.abs(S)


def phase_sensitive_target(X, S, *, xp):
    """clip(Re(S_k X̄) / |X|, 0, |X|): the part of each source in phase with the mixture, truncated.

    Masks from 0 to 1 can reach it.

    Parameters
    ----------
    X, S, xp
        As in `magnitude_target`.

    Returns
    -------
    array (batch, n_frames, n_sources, n_bins)
        0 where X is 0.

    References
    ----------
    H. Erdogan, J. R. Hershey, S. Watanabe, J. Le Roux, "Phase-sensitive and recognition-boosted
    speech separation using deep recurrent neural networks", ICASSP 2015.

    Examples
    --------
    >>> import numpy as np
    >>> S = np.array([[[[1.5, 3.0], [0.5, -1.0]]]]) + 0j
    >>> phase_sensitive_target(S.sum(axis=2), S, xp=np)
    array([[[[1.5, 2. ],
             [0.5, 0. ]]]])
    """
    _check_sources(X, S)
    size = xp.abs(X)
    direction = X / xp.where(size > 0, size, xp.ones_like(size))
    direction, size = direction[:, :, None, :], size[:, :, None, :]
    aligned = xp.real(S) * xp.real(direction) + xp.imag(S) * xp.imag(direction)
    return xp.minimum(xp.maximum(aligned, xp.zeros_like(aligned)), size)


TARGETS = {"magnitude": magnitude_target, "phase-sensitive": phase_sensitive_target}
"""Targets of masked mixtures by name: ``target(X, S, xp=xp)``."""


def pit_loss(masks, magnitude, targets, *, xp):
    """min_π Σ_k Σ |M_k |X| − T_π(k)| / Σ |X|, the mean over mixtures, and its gradient.

    Inner sums are over frames and bins: one order holds for the whole utterance. The gradient is
    |X| sign(M_k |X| − T_π(k)) / Σ |X| in the best order, and 0 where a mask meets its target.

    Parameters
    ----------
    masks : array (batch, n_frames, n_sources, n_bins)
        M.
    magnitude : array (batch, n_frames, n_bins)
        |X|, non-negative.
    targets : array (batch, n_frames, n_sources, n_bins)
        T, in any order of sources: of `TARGETS`.
    xp : module
        Array-API namespace of the arrays.

    Returns
    -------
    value : float
        Silent mixtures count as 0.
    gradient : array (batch, n_frames, n_sources, n_bins)
        With respect to the masks.

    Raises
    ------
    ValueError
        For shapes that don't fit.

    References
    ----------
    M. Kolbæk, D. Yu, Z.-H. Tan, J. Jensen, "Multitalker speech separation with utterance-level
    permutation invariant training of deep recurrent neural networks", IEEE/ACM Transactions on
    Audio, Speech, and Language Processing 25(10), 2017.

    Examples
    --------
    >>> import numpy as np
    >>> masks = np.array([[[[1.0, 0.0], [0.0, 1.0]]]])
    >>> magnitude = np.array([[[3.0, 1.0]]])
    >>> targets = np.array([[[[0.0, 1.0], [2.0, 0.0]]]])
    >>> value, gradient = pit_loss(masks, magnitude, targets, xp=np)
    >>> value
    0.25
    >>> gradient
    array([[[[0.75, 0.  ],
             [0.  , 0.  ]]]])
    """
    _check_shapes(masks, magnitude, targets)
    masked = masks * magnitude[:, :, None, :]
    order = best_order(masked, targets, xp=xp)
    error = masked - _ordered(targets, order, xp)
    whole = xp.sum(magnitude, axis=(1, 2), keepdims=True)
    heard = whole > 0
    # A silent mixture has no masked energy to speak of, whatever its targets.
    share = xp.where(heard, 1 / xp.where(heard, whole, 1.0), 0.0) / masks.shape[0]
    value = total(xp.sum(xp.abs(error), axis=2) * share, xp)
    return value, xp.sign(error) * (magnitude * share)[:, :, None, :]


def best_order(estimates, targets, *, xp):
    """The order π of targets with the least Σ_k Σ |E_k − T_π(k)|, for each mixture.

    Parameters
    ----------
    estimates, targets : array (batch, n_frames, n_sources, n_bins)
    xp : module
        Array-API namespace of the arrays.

    Returns
    -------
    array of int (batch, n_sources)
        ``order[b, k]`` is the target of estimate k.

    Examples
    --------
    >>> import numpy as np
    >>> targets = np.array([[[[1.0], [2.0], [3.0]]]])
    >>> best_order(targets[:, :, [2, 0, 1]], targets, xp=np)
    array([[2, 0, 1]])
    """
    n_sources = targets.shape[2]
    costs = [
        xp.sum(xp.abs(estimates - targets[:, :, j : j + 1, :]), axis=(1, 3))
        for j in range(n_sources)
    ]
    return solve_permutation(-xp.stack(costs, axis=-1))


def _ordered(targets, order, xp):
    """Targets of each mixture in its own order."""
    pairs = range(targets.shape[0])
    return xp.stack([xp.take(targets[b, ...], order[b, :], axis=1) for b in pairs])


def _check_sources(X, S):
    if S.ndim != 4 or 0 in S.shape or tuple(X.shape) != (*S.shape[:2], S.shape[3]):
        raise ValueError(
            f"X and S have shapes {tuple(X.shape)} and {tuple(S.shape)}; expected (batch, "
            "n_frames, n_bins) and (batch, n_frames, n_sources, n_bins), not empty"
        )


def _check_shapes(masks, magnitude, targets):
    if masks.ndim != 4 or 0 in masks.shape:
        raise ValueError(
            f"masks has shape {tuple(masks.shape)}; expected (batch, n_frames, n_sources, n_bins), "
            "not empty"
        )
    expected = (*masks.shape[:2], masks.shape[3])
    if tuple(magnitude.shape) != expected:
        raise ValueError(
            f"magnitude has shape {tuple(magnitude.shape)}; expected {expected}, that of the masks "
            "without sources"
        )
    if tuple(targets.shape) != tuple(masks.shape):
        raise ValueError(
            f"targets has shape {tuple(targets.shape)}; expected {tuple(masks.shape)}, that of the "
            "masks: as many sources as masks"
        )
