"""From the moments of the rows to directions and their whitening."""

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding.covariance import ledoit_wolf
from anmf.embedding.rank import count_components
from anmf.embedding.routes import EPS
from anmf.embedding.whitening import WHITENINGS


class TooLittleError(ValueError):
    """The rows seen so far don't suffice; more of them may."""


def learn(parameters, moments, within, *, streaming=False):
    """Fitted attributes of `SVDDecorrelator`.

    Parameters
    ----------
    parameters : SVDDecorrelator
        Of which the parameters are read.
    moments : Moments
    within : Within or None
        None for the total covariance.
    streaming : bool
        Whether a number of components above the rank is cut to it instead of refused.

    Returns
    -------
    dict
        Values by the name of their attribute: double precision arrays, and a float.
    """
    values, rank = moments.values, moments.values.shape[0]
    n_components = parameters.n_components
    if rank == 0:
        raise TooLittleError(
            f"X has n_samples = {moments.n} and no variance: its rows are all the same; "
            "give two different rows"
        )
    n, d = moments.n - 1, moments.axes.shape[1]
    k = count_components(n_components, to_host(values), n, d)
    if k > rank and not streaming:
        raise ValueError(
            f"n_components={n_components!r} must be at most the rank of the centred rows "
            f"({rank}, of {moments.n} rows and {d} features); use None for all"
        )
    k = min(k, rank)
    V = moments.axes[:k, :]
    W, back, rho = _whiten(parameters, moments, within, V)
    return {
        "components_": V,
        "singular_values_": values[:k],
        "explained_variance_ratio_": values[:k] ** 2 / moments.power,
        "whitening_": W,
        "dewhitening_": back,
        "shrinkage_": rho,
    }


def _whiten(parameters, moments, within, V):
    """W (k, d), W⁺ (d, k) and the intensity ρ."""
    (k, d), xp, kind = V.shape, namespace(V), parameters.whitening
    in_features = k == d and kind is not None
    C, spread = (_total if within is None else _within)(moments, within, V, in_features, xp)
    rho = parameters.shrinkage or 0.0
    if rho == "ledoit-wolf":
        rho = _intensity(moments, within)
    eye = xp.eye(k, dtype=C.dtype, device=device(C))
    C = (1 - rho) * C + (rho * spread / d + float(parameters.ridge)) * eye
    if within is not None and kind is not None:
        _check_definite(C, xp)
    # Along V the total covariance is diagonal, its correlations have no axes of their own.
    diagonal = within is None and not in_features and kind is not None
    A, back = (_rescale if diagonal else WHITENINGS[kind])(C, xp=xp)
    return (A, back, float(rho)) if in_features else (A @ V, V.T @ back, float(rho))


def _total(moments, within, V, in_features, xp):
    """Covariance of features, or along V; and the sum of the variances of features."""
    variances = moments.values[: V.shape[0]] ** 2 / (moments.n - 1)
    spread = moments.power / (moments.n - 1)
    if in_features:
        return (V.T * variances) @ V, spread
    return xp.eye(V.shape[0], dtype=V.dtype, device=device(V)) * variances, spread


def _within(moments, within, V, in_features, xp):
    """The same within classes."""
    if within.freedom == 0:
        raise TooLittleError(
            f"covariance='within' needs a class with two rows; y has {len(within.counts)} classes "
            "of one row each; label more rows alike, or set covariance='total'"
        )
    C = within.scatter / within.freedom
    return C if in_features else V @ C @ V.T, float(xp.linalg.trace(C))


def _rescale(C, *, xp):
    """Whitening of a diagonal covariance, and its inverse."""
    deviation = xp.sqrt(xp.linalg.diagonal(C))
    eye = xp.eye(C.shape[0], dtype=C.dtype, device=device(C))
    return eye / deviation, eye * deviation


def _intensity(moments, within):
    """Ledoit and Wolf's ρ, of all features."""
    n, d = moments.n, moments.axes.shape[1]
    if within is None:
        return ledoit_wolf(n, d, moments.power, moments.square, moments.fourth)
    xp, scatter = namespace(within.scatter), within.scatter
    power, square = float(xp.linalg.trace(scatter)), float(xp.sum(scatter**2))
    return ledoit_wolf(within.n_rows, d, power, square, within.fourth)


def _check_definite(C, xp):
    values = to_host(xp.linalg.eigvalsh(C))
    rank = int((values > len(values) * EPS * max(values[-1], 0.0)).sum())
    if rank < len(values):
        raise TooLittleError(
            f"the covariance within classes has rank {rank}, below the {len(values)} components; "
            "set a shrinkage or a ridge, lower n_components, or give more rows a class"
        )
