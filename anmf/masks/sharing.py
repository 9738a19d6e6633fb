"""Sharing a mixture out: by estimated parts, or by a mask."""

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, namespace
from anmf._core.types import Array
from anmf.masks.checks import as_mixture, check_axes


def wiener(mixture: Array, parts: Array) -> Array:
    """Share `mixture` out in proportion to the estimated `parts`.

    X · P_s / Σ_r P_r. Where no part claims anything, all get the same share, so the result always
    sums to the mixture.

    Parameters
    ----------
    mixture : array of shape (n, m)
        What is shared out, complex or not.
    parts : array of shape (n, n_sources, m)
        Non-negative estimates, in the library of the mixture.

    Returns
    -------
    array of shape (n, n_sources, m)
        Parts that sum to the mixture.

    Examples
    --------
    >>> import numpy as np
    >>> wiener(np.array([[8.0, 2.0]]), np.array([[[3.0, 0.0], [1.0, 0.0]]]))
    array([[[6., 1.],
            [2., 1.]]])
    """
    xp = namespace(mixture, parts)
    claimed = xp.sum(parts, axis=1, keepdims=True)
    equal = 1 / parts.shape[1]
    share = xp.where(claimed > 0, parts / xp.where(claimed > 0, claimed, 1), equal)
    return share * mixture[:, None, :]


def apply_mask(mixture: ArrayLike, mask: ArrayLike) -> Array:
    """Masked mixtures M_k · X.

    Parameters
    ----------
    mixture : array-like of shape (n, m)
        What is masked, complex or not.
    mask : array-like of shape (n, n_sources, m)
        Weight of each source, such as a function of `MASKS` gives, complex or not.

    Returns
    -------
    array of shape (n, n_sources, m)
        Parts; they sum to the mixture where the mask sums to one.

    Raises
    ------
    ValueError
        For shapes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> apply_mask(np.array([[8.0, 2.0]]), np.array([[[0.75, 0.5], [0.25, 0.5]]]))
    array([[[6., 1.],
            [2., 1.]]])
    """
    M: Array = mask if is_array(mask) else np.asarray(mask)
    check_axes("mask", M)
    return M * as_mixture(mixture, M)[:, None, :]
