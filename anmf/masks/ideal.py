"""Ideal masks: weights made of the true sources."""

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import like, namespace
from anmf._core.checks import check_real
from anmf._core.types import Array
from anmf.masks.checks import checked_mixture, checked_sources


def ideal_binary(sources: ArrayLike) -> Array:
    """Ideal binary mask: 1 for the source with the largest magnitude, 0 for the others.

    Ties go to the first source, silence too, so the mask sums to one over sources everywhere.

    Parameters
    ----------
    sources : array-like of shape (n, n_sources, m)
        True sources, such as short-time spectra, complex or not.

    Returns
    -------
    array of shape (n, n_sources, m)
        Real, 0 or 1.

    Raises
    ------
    ValueError
        For NaN or infinity, and another number of axes than three.

    References
    ----------
    Wang, "On ideal binary mask as the computational goal of auditory scene analysis", 2005.

    Examples
    --------
    >>> import numpy as np
    >>> ideal_binary(np.array([[[3.0, 1.0, 2.0], [-1.0, 2j, 2.0]]]))
    array([[[1., 0., 1.],
            [0., 1., 0.]]])
    """
    S, xp = checked_sources(sources)
    size = xp.abs(S)
    order = like(np.arange(S.shape[1])[:, None], size, dtype=xp.int64)
    return xp.astype(xp.argmax(size, axis=1, keepdims=True) == order, size.dtype)


def ideal_ratio(sources: ArrayLike, power: float = 2.0, exponent: float = 1.0) -> Array:
    """Ideal ratio mask (|S_k|^p / Σ_j |S_j|^p)^b.

    Parameters
    ----------
    sources : array-like of shape (n, n_sources, m)
        True sources, such as short-time spectra, complex or not.
    power : float, default 2.0
        p > 0. With 2 the energies share out, as in a Wiener filter; the larger it is, the nearer
        the mask comes to the binary one.
    exponent : float, default 1.0
        b > 0. With 1 the mask sums to one over sources; 0.5 gives the square-root mask, which
        keeps the energy of uncorrelated sources.

    Returns
    -------
    array of shape (n, n_sources, m)
        Real, in [0, 1]. Where all sources are zero, they get equal shares, (1 / n_sources)^b.

    Raises
    ------
    ValueError
        For NaN or infinity, another number of axes than three, or bad powers.

    References
    ----------
    Narayanan and Wang, "Ideal ratio mask estimation using deep neural networks for robust speech
    recognition", ICASSP 2013. Wang, Narayanan and Wang, "On training targets for supervised speech
    separation", IEEE/ACM Transactions on Audio, Speech and Language Processing, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> ideal_ratio(np.array([[[3.0, 0.0], [1.0, 0.0]]]))
    array([[[0.9, 0.5],
            [0.1, 0.5]]])
    """
    S, xp = checked_sources(sources)
    for name, value in (("power", power), ("exponent", exponent)):
        check_real(name, value)
        if value == 0:
            raise ValueError(f"{name}={value!r} must be above 0; use 1, 2 or 0.5")
    size = xp.abs(S)
    peak = xp.max(size, axis=1, keepdims=True)  # so that no power under- or overflows
    size = xp.where(peak > 0, size / xp.where(peak > 0, peak, 1), 1) ** power
    return (size / xp.sum(size, axis=1, keepdims=True)) ** exponent


def phase_sensitive(
    mixture: ArrayLike, sources: ArrayLike, truncate: tuple[float, float] | None = None
) -> Array:
    """Phase-sensitive mask |S_k| / |X| · cos(θ_X − θ_k): the best real mask of each bin.

    It is the real part of S_k / X, and so minimises |S_k − M X|² among real masks.

    Parameters
    ----------
    mixture : array-like of shape (n, m)
        What is masked, such as the short-time spectra of one microphone.
    sources : array-like of shape (n, n_sources, m)
        True sources, such as short-time spectra, complex or not.
    truncate : tuple (float, float) or None, default None
        Ends of an interval to which the mask is clipped, (0, 1) for what a network with sigmoid
        outputs can reach.

    Returns
    -------
    array of shape (n, n_sources, m)
        Real. Without truncation it sums to one over sources if the sources sum to the mixture,
        and has no limits. Where the mixture is zero, equal shares.

    Raises
    ------
    ValueError
        For NaN or infinity, shapes that don't fit, or a bad interval.

    References
    ----------
    Erdogan, Hershey, Watanabe and Le Roux, "Phase-sensitive and recognition-boosted speech
    separation using deep recurrent neural networks", ICASSP 2015.

    Examples
    --------
    >>> import numpy as np
    >>> sources = np.array([[[3.0 + 1j, 2.0], [1.0 - 1j, -1.0]]])
    >>> phase_sensitive(sources.sum(axis=1), sources)
    array([[[ 0.75,  2.  ],
            [ 0.25, -1.  ]]])
    >>> phase_sensitive(sources.sum(axis=1), sources, truncate=(0, 1))
    array([[[0.75, 1.  ],
            [0.25, 0.  ]]])
    """
    ratio = complex_ideal(mixture, sources)
    xp = namespace(ratio)
    mask = xp.real(ratio) if xp.isdtype(ratio.dtype, "complex floating") else ratio
    return mask if truncate is None else xp.clip(mask, *_interval(truncate))


def complex_ideal(mixture: ArrayLike, sources: ArrayLike) -> Array:
    """Complex ideal mask S_k / X, which gives the sources back exactly.

    Parameters
    ----------
    mixture : array-like of shape (n, m)
        What is masked, such as the short-time spectra of one microphone.
    sources : array-like of shape (n, n_sources, m)
        True sources, such as short-time spectra, complex or not.

    Returns
    -------
    array of shape (n, n_sources, m)
        Complex if either argument is. Where the mixture is zero, equal shares.

    Raises
    ------
    ValueError
        For NaN or infinity, or shapes that don't fit.

    References
    ----------
    Williamson, Wang and Wang, "Complex ratio masking for monaural speech separation", IEEE/ACM
    Transactions on Audio, Speech and Language Processing, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> sources = np.array([[[3j, 1.0], [1j, -1.0]]])
    >>> mask = complex_ideal(sources.sum(axis=1), sources)
    >>> mask.real
    array([[[0.75, 0.5 ],
            [0.25, 0.5 ]]])
    """
    S, xp = checked_sources(sources)
    X = checked_mixture(mixture, S)[:, None, :]
    size = xp.abs(X)
    heard = size >= xp.finfo(size.dtype).smallest_normal
    ratio = S / xp.where(heard, X, xp.ones_like(X))
    return xp.where(heard, ratio, xp.full_like(ratio, 1 / S.shape[1]))


MASKS = {
    "binary": lambda mixture, sources, **options: ideal_binary(sources, **options),
    "ratio": lambda mixture, sources, **options: ideal_ratio(sources, **options),
    "phase_sensitive": phase_sensitive,
    "complex": complex_ideal,
}
"""Ideal masks by name: ``mask(mixture, sources, **options)``."""


def _interval(truncate):
    try:
        low, high = (float(end) for end in truncate)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not low < high:
        raise ValueError(
            f"truncate={truncate!r} must be None or two numbers, the lower first, such as (0, 1)"
        )
    return low, high
