"""Losses of deep clustering: bins of one source get one direction, bins of others get others.

A network maps every bin of a spectrogram to a vector of unit length, v_i. With y_i the indicator
of its loudest source and w_i its weight, the losses compare what the v_i and the y_i span. Neither
minds the order of the sources. Axis 0 holds mixtures, the last axis components, and the axes
between them bins.
"""

import math

from anmf._core.arrays import total
from anmf.deep.spectra import active_bins


def bin_weights(magnitude, *, xp, level=40.0):
    """Weights of bins: |X| within `level` dB of the loudest bin, else 0, with sum 1 a mixture.

    Parameters
    ----------
    magnitude : array (batch, n_frames, n_bins)
        |X|, non-negative.
    xp : module
        Array-API namespace of the arrays.
    level : float
        In dB.

    Returns
    -------
    array (batch, n_frames, n_bins)
        All zeros for silent mixtures.

    Examples
    --------
    >>> import numpy as np
    >>> bin_weights(np.array([[[3.0, 1.0, 0.01]]]), xp=np)
    array([[[0.75, 0.25, 0.  ]]])
    """
    active = active_bins(magnitude, xp=xp, level=level)
    heard = xp.where(active, magnitude, xp.zeros_like(magnitude))
    whole = xp.sum(heard, axis=(1, 2), keepdims=True)
    return heard / xp.where(whole > 0, whole, xp.ones_like(whole))


def affinity_loss(V, Y, weight, *, xp):
    """Σ_ij w_i w_j (v_iᵀ v_j − y_iᵀ y_j)², the mean over mixtures, and its gradient.

    In matrices, W^½ (V Vᵀ − Y Yᵀ) W^½ in the squared Frobenius norm. No matrix of bins by bins is
    made: the loss is ‖Vᵀ W V‖² − 2 ‖Vᵀ W Y‖² + ‖Yᵀ W Y‖², of matrices as small as the numbers of
    components and sources, and its gradient is 4 W (V (Vᵀ W V) − Y (Yᵀ W V)).

    Parameters
    ----------
    V : array (batch, ..., n_components)
        Embeddings of bins.
    Y : array (batch, ..., n_sources)
        Which source a bin belongs to: see `dominance`.
    weight : array (batch, ...)
        Non-negative; see `bin_weights`.
    xp : module
        Array-API namespace of the arrays.

    Returns
    -------
    value : float
    gradient : array (batch, ..., n_components)
        With respect to V.

    Raises
    ------
    ValueError
        For shapes that don't fit.

    References
    ----------
    J. R. Hershey, Z. Chen, J. Le Roux, S. Watanabe, "Deep clustering: discriminative embeddings
    for segmentation and separation", ICASSP 2016.

    Examples
    --------
    >>> import numpy as np
    >>> Y = np.eye(2)[None, [0, 1, 1]]
    >>> weight = np.full((1, 3), 1 / 3)
    >>> round(affinity_loss(Y[..., ::-1], Y, weight, xp=np)[0], 9)
    0.0
    >>> round(affinity_loss(np.ones((1, 3, 1)), Y, weight, xp=np)[0], 9)
    0.444444444
    """
    weighted, gram = _joint_gram(V, Y, weight, xp)
    n = V.shape[-1]
    inner, cross = gram[:, :n, :n], gram[:, :n, n:]
    value = total(inner**2, xp) - 2 * total(cross**2, xp) + total(gram[:, n:, n:] ** 2, xp)
    factors = xp.concat([inner, -xp.matrix_transpose(cross)], axis=1)
    gradient = xp.matmul(weighted, factors * (4 / V.shape[0]))
    return value / V.shape[0], xp.reshape(gradient, V.shape)


def whitened_loss(V, Y, weight, *, xp, ridge=1e-3):
    """K − tr(A⁻¹ B C⁻¹ Bᵀ), A = Vᵀ W V + ρ I, B = Vᵀ W Y, C = Yᵀ W Y + ρ I; and its gradient.

    The mean over mixtures. It says how much of the span of Y is outside that of V, whatever the
    sizes of the sources: 0 where V spans Y (up to ρ), K where they are orthogonal. The published
    loss adds the constant D − K. The gradient is 2 W (V A⁻¹ B − Y) C⁻¹ Bᵀ A⁻¹.

    Parameters
    ----------
    V, Y, weight, xp
        As in `affinity_loss`.
    ridge : float
        ρ = `ridge` Σ w; keeps the inverses finite where a source or a component is unused.

    Returns
    -------
    value : float
    gradient : array (batch, ..., n_components)

    Raises
    ------
    ValueError
        For shapes that don't fit, and for a ridge that isn't positive.

    References
    ----------
    Z.-Q. Wang, J. Le Roux, J. R. Hershey, "Alternative objective functions for deep clustering",
    ICASSP 2018.

    Examples
    --------
    >>> import numpy as np
    >>> Y = np.eye(2)[None, [0, 1, 1]]
    >>> weight = np.full((1, 3), 1 / 3)
    >>> round(whitened_loss(np.ones((1, 3, 1)), Y, weight, xp=np, ridge=1e-9)[0], 6)
    1.0
    """
    if not (ridge > 0 and math.isfinite(ridge)):
        raise ValueError(f"ridge={ridge!r} must be positive and finite, as 0.001")
    weighted, gram = _joint_gram(V, Y, weight, xp)
    n, n_sources = V.shape[-1], Y.shape[-1]
    whole = xp.sum(xp.reshape(weight, (V.shape[0], -1)), axis=1)[:, None, None]
    ridge = ridge * xp.where(whole > 0, whole, xp.ones_like(whole))
    A = gram[:, :n, :n] + ridge * _eye(n, V, xp)
    C = gram[:, n:, n:] + ridge * _eye(n_sources, V, xp)
    cross = gram[:, :n, n:]
    AB = xp.linalg.solve(A, cross)
    BC = xp.linalg.solve(C, xp.matrix_transpose(cross))  # C⁻¹ Bᵀ
    value = n_sources - total(AB * xp.matrix_transpose(BC), xp) / V.shape[0]
    # C is symmetric, so C⁻¹ Bᵀ A⁻¹ is (A⁻¹ B C⁻¹)ᵀ.
    right = xp.matrix_transpose(xp.linalg.solve(A, xp.matrix_transpose(BC)))
    factors = xp.concat([xp.matmul(AB, right), -right], axis=1)
    gradient = xp.matmul(weighted, factors * (2 / V.shape[0]))
    return value, xp.reshape(gradient, V.shape)


CLUSTERING_LOSSES = {"affinity": affinity_loss, "whitened": whitened_loss}
"""Losses by name: ``value, gradient = loss(V, Y, weight, xp=xp)``."""


def _joint_gram(V, Y, weight, xp):
    """W Z and Zᵀ W Z of every mixture, with Z = [V, Y] and bins on one axis."""
    _check_shapes(V, Y, weight)
    flat = (V.shape[0], math.prod(V.shape[1:-1]))
    Z = xp.concat(
        [xp.reshape(V, (*flat, V.shape[-1])), xp.reshape(Y, (*flat, Y.shape[-1]))], axis=-1
    )
    weighted = Z * xp.reshape(weight, flat)[..., None]
    return weighted, xp.matmul(xp.matrix_transpose(Z), weighted)


def _eye(n, reference, xp):
    return xp.eye(n, dtype=reference.dtype, device=reference.device)


def _check_shapes(V, Y, weight):
    places = tuple(V.shape[:-1])
    if V.ndim < 3 or 0 in V.shape:
        raise ValueError(
            f"V has shape {tuple(V.shape)}; expected (batch, ..., n_components), not empty"
        )
    if tuple(Y.shape[:-1]) != places or Y.shape[-1] == 0:
        raise ValueError(
            f"Y has shape {tuple(Y.shape)}; expected {places} as in V, then n_sources: one row of "
            "indicators a bin"
        )
    if tuple(weight.shape) != places:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}; expected {places}, one number a bin of V"
        )
