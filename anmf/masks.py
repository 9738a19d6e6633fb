"""Masks: non-negative weights that share a mixture out among its sources."""

from anmf._core.arrays import namespace


def wiener(mixture, parts):
    """Share `mixture` out in proportion to the estimated `parts`.

    X · P_s / Σ_r P_r. Where no part claims anything, all get the same share, so the result always
    sums to the mixture.

    Parameters
    ----------
    mixture : array (n, m)
    parts : array (n, n_sources, m)
        Non-negative estimates.

    Returns
    -------
    array (n, n_sources, m)

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
