"""The β-divergence D_β(X | Y) and the names of its best-known members."""

from numbers import Real
from typing import Any

from anmf._core.arrays import total
from anmf._core.types import Array

BETA_LOSSES = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}
"""The number β of the losses that have a name."""


def resolve_beta(beta_loss):
    """The number β for a name of `BETA_LOSSES` or a real number."""
    if isinstance(beta_loss, str) and beta_loss in BETA_LOSSES:
        return BETA_LOSSES[beta_loss]
    if isinstance(beta_loss, Real) and not isinstance(beta_loss, bool):
        return float(beta_loss)
    raise ValueError(
        f"beta_loss={beta_loss!r} must be a number or one of {sorted(BETA_LOSSES)}; "
        "use 'frobenius' when in doubt"
    )


def data_terms(X, beta, *, xp):
    """Part of D_β(X | Y) that doesn't depend on Y, entry by entry."""
    if beta == 1:
        return X * xp.log(xp.where(X > 0, X, 1)) - X
    if beta == 0:
        return -xp.log(X) - 1
    return X**beta / (beta * (beta - 1))


def model_terms(X, Y, beta, *, xp):
    """Part of D_β(X | Y) that depends on Y, entry by entry."""
    if beta == 1:
        return Y - X * xp.log(Y)
    if beta == 0:
        return X / Y + xp.log(Y)
    return Y**beta / beta - X * Y ** (beta - 1) / (beta - 1)


def beta_divergence(X: Array, Y: Array, beta: float = 2.0, *, xp: Any) -> float:
    """Sum over all entries of the β-divergence between data and model.

    d_β(x | y) = x^β / (β (β − 1)) + y^β / β − x y^(β−1) / (β − 1);
    ½ (x − y)² for β = 2, x log(x / y) − x + y for β = 1, x / y − log(x / y) − 1 for β = 0.

    Parameters
    ----------
    X : array of shape (n, m)
        Non-negative data; positive for β ≤ 0.
    Y : array of shape (n, m)
        Model; positive for β < 2.
    beta : float, default 2.0
        β; names are in `BETA_LOSSES`.
    xp : array namespace
        Library of both arrays, such as ``numpy``.

    Returns
    -------
    float
        At least 0, and 0 where X = Y.

    Examples
    --------
    >>> import numpy as np
    >>> X, Y = np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])
    >>> [round(beta_divergence(X, Y, beta, xp=np), 3) for beta in (2.0, 1.0, 0.0)]
    [2.0, 0.614, 0.193]
    """
    if beta == 2:
        return 0.5 * total((X - Y) ** 2, xp)
    return total(data_terms(X, beta, xp=xp) + model_terms(X, Y, beta, xp=xp), xp)
