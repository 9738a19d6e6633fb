"""How many singular values of a centred matrix are signal."""

from functools import cache
from numbers import Real

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq


def energy(values, share):
    """Fewest leading singular values that hold a share of Σ s².

    Parameters
    ----------
    values : ndarray (r,)
        Singular values s, falling.
    share : float
        In (0, 1].

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> energy(np.array([3.0, 1.0, 1.0]), 0.8)
    1
    """
    held = np.cumsum(values**2)
    # Rounding of the sum must not ask for one more.
    reached = np.searchsorted(held, share * held[-1] * (1 - 1e-12))
    return int(min(reached + 1, len(values)))


def gavish_donoho(values, n_rows, n_columns):
    """Number of singular values above λ*(β) / √μ_β · median(s), the best hard threshold.

    It minimises the asymptotic mean squared error of the truncated matrix when the data are a
    matrix of low rank plus white noise of unknown level. Its premise fails on raw embeddings of
    speech, whose noise is coloured: there it is no guide.

    Parameters
    ----------
    values : ndarray (r,)
        Singular values s, falling; zeros may be left out.
    n_rows, n_columns : int
        Shape of the matrix; for data centred by their mean, one row less.

    Returns
    -------
    int

    References
    ----------
    Gavish and Donoho, "The optimal hard threshold for singular values is 4/√3", IEEE Transactions
    on Information Theory 60(8), 2014.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 50))
    >>> X[:, 0] += 50 * np.arange(200) / 200
    >>> gavish_donoho(np.linalg.svd(X, compute_uv=False), 200, 50)
    1
    """
    small, large = sorted((n_rows, n_columns))
    beta = small / large
    root = np.sqrt(beta**2 + 14 * beta + 1)
    optimum = np.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + root))
    threshold = optimum / np.sqrt(_median(beta)) * _middle(values, small)
    return int(np.sum(values > threshold))


def marchenko_pastur(values, n_rows, n_columns):
    """Number of singular values above σ (√n + √d), the edge of those of white noise.

    The noise level is σ = median(s) / √(max(n, d) μ_β). Parameters, result and premises are as in
    ``gavish_donoho``; the threshold is lower, at what can be detected at all.

    References
    ----------
    Marčenko and Pastur, "Distribution of eigenvalues for some sets of random matrices",
    Mathematics of the USSR-Sbornik 1(4), 1967.
    """
    small, large = sorted((n_rows, n_columns))
    sigma = _middle(values, small) / np.sqrt(large * _median(small / large))
    return int(np.sum(values > sigma * (np.sqrt(n_rows) + np.sqrt(n_columns))))


def count_components(n_components, values, n_rows, n_columns):
    """Components to keep, at least one, by `n_components` of `SVDDecorrelator`.

    Parameters
    ----------
    n_components : int, float, str or None
    values : ndarray (r,)
        Singular values above zero, falling.
    n_rows, n_columns : int
        As in ``gavish_donoho``.

    Returns
    -------
    int
        An int `n_components` comes back as it is, also above r.
    """
    if n_components is None:
        return len(values)
    if isinstance(n_components, str):
        return max(1, RANK_RULES[n_components](values, n_rows, n_columns))
    if is_share(n_components):
        return energy(values, n_components)
    return int(n_components)


def is_share(n_components):
    """Whether `n_components` is a share of the energy."""
    return isinstance(n_components, Real) and not hasattr(n_components, "__index__")


def _middle(values, n):
    """Median of `n` singular values, of which those left out are zero."""
    return np.median(np.concatenate([values, np.zeros(n - len(values))]))


@cache
def _median(beta):
    """Median μ_β of the Marchenko-Pastur law of ratio β in (0, 1] and unit variance."""
    low, high = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2

    def place(angle):
        return low + (high - low) * np.sin(angle) ** 2

    def density(angle):  # in the angle it is smooth, also at β = 1
        return (high - low) ** 2 * np.sin(2 * angle) ** 2 / (4 * np.pi * beta * place(angle))

    def below(top):  # SciPy may evaluate even an empty interval, where β = 1 gives 0 / 0
        return quad(density, 0, top)[0] if top else 0.0

    angle = brentq(lambda top: below(top) - 0.5, 0, np.pi / 2)
    return float(place(angle))


RANK_RULES = {"gavish-donoho": gavish_donoho, "marchenko-pastur": marchenko_pastur}
"""Rules by name: functions of singular values and the shape of the matrix that return a rank."""
