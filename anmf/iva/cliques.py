"""The source model of overlapping cliques of frequencies, the default."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Self

import numpy as np

from anmf._core.arrays import like
from anmf._core.types import Array
from anmf.iva.spherical import FLOOR


@dataclass(frozen=True)
class Cliques:
    """Gauss, with a variance for each of many overlapping cliques of neighbouring frequencies.

    Σ_f g_f = Σ_c κ_c log p_c with the mean power p_c of clique c, φ_f = Σ_{c ∋ f} κ_c / (n_c p_c).
    At every level the cliques have one width, n_c frequencies (fewer at both ends), and overlap by
    half; κ_c is half of n_c times the share of the level. Narrow cliques see which source has power
    where; wide ones keep the sources in one order at all frequencies, so they go first: in the
    first iterations there is but one clique, of all. As log is concave, their contrast lies above
    that of all levels, and the objective falls when these take over.

    Parameters
    ----------
    widths : tuple of (int or None), default (4, 16, 64, None)
        Of the cliques of each level, in bands of `n_bins` frequencies; None for all.
    shares : tuple of float, default (0.1, 0.2, 0.3, 0.4)
        Of each level, summing to one.
    n_bins : int, default 8
        Frequencies that share a weight.
    warm_up : int, default 10
        Iterations with the one clique of all.

    References
    ----------
    Lee and Jang, "Independent vector analysis based on overlapped cliques of variable width for
    frequency-domain blind signal separation", EURASIP J. Adv. Signal Process. 2012:113.

    Examples
    --------
    Narrow cliques from the first iteration on:

    >>> from anmf import AuxIVA
    >>> from anmf.iva import Cliques, check_source_model
    >>> model = Cliques(widths=(2, 8, None), shares=(0.2, 0.4, 0.4), warm_up=0)
    >>> check_source_model(model)
    >>> separator = AuxIVA(source_model=model)
    """

    widths: tuple[int | None, ...] = (4, 16, 64, None)
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    n_bins: int = 8
    warm_up: int = 10
    majorizes = True

    def start(
        self, shape: tuple[int, ...], sizes: np.ndarray, rng: np.random.Generator, example: Array
    ) -> tuple[Array, int]:
        """State before the first iteration.

        Parameters
        ----------
        shape : tuple
            Of the powers, (n_bands, n_sources, n_frames).
        sizes : ndarray of shape (n_bands,)
            How many frequencies each band has.
        rng : Generator
            Not used.
        example : array of shape (n_bands, n_sources, n_frames)
            Of the library, device and type that arrays shall have.

        Returns
        -------
        sizes : array of shape (n_bands, 1, 1)
            Like the example.
        n_iter : int
            Iterations so far, 0.
        """
        return like(sizes, example)[:, None, None], 0

    def update(
        self, power: Array, state: tuple[Array, int], *, xp: ModuleType
    ) -> tuple[Array, Array, tuple[Array, int]]:
        """Weights, the mean contrast summed over sources, and the state.

        Parameters
        ----------
        power : array of shape (n_bands, n_sources, n_frames)
            Means over the frequencies of each band.
        state : (array, int)
            Of `start`, or of the update before.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        weights : array of shape (n_bands or 1, n_sources, n_frames)
            Slope of the contrast.
        loss : array of shape ()
            The mean contrast.
        state : (array, int)
            For the next update.
        """
        sizes, n_iter = state
        power = (power + FLOOR) * sizes
        levels = list(zip(self.widths, self.shares, strict=True))
        weights, loss = 0 * power, 0.0
        for width, share in levels if n_iter >= self.warm_up else [(None, 1.0)]:
            slopes, contrast = clique_level(power, sizes, width, xp=xp)
            weights, loss = weights + share * slopes, loss + share * contrast
        return weights, loss, (sizes, n_iter + 1)

    def warm(self) -> Self:
        """The model for estimates that are in order already.

        Returns
        -------
        Cliques
            The same without `warm_up`.
        """
        return replace(self, warm_up=0)


def clique_level(power, sizes, width, *, xp):
    """Weights and mean contrast of the cliques of one width.

    Parameters
    ----------
    power : array (n_bands, n_sources, n_frames)
        Sum over each band.
    sizes : array (n_bands, 1, 1)
    width : int or None
    xp : namespace

    Returns
    -------
    weights : array (n_bands or 1, n_sources, n_frames)
    contrast : array ()
    """
    n_bands = power.shape[0]
    half = n_bands if width is None else max(1, width // 2)
    if half >= n_bands:
        total, count = xp.sum(power, axis=0, keepdims=True), xp.sum(sizes)
        return count / total, xp.sum(xp.mean(xp.log(total / count), axis=-1))
    total, size = (_overlapping(_blocks(x, half, xp), xp) for x in (power, sizes))
    slopes = size / (2 * total)
    slopes = slopes[:-1, ...] + slopes[1:, ...]
    wide = xp.broadcast_to(slopes[:, None, ...], (slopes.shape[0], half, *slopes.shape[1:]))
    weights = xp.reshape(wide, (-1, *slopes.shape[1:]))[:n_bands, ...]
    contrast = xp.sum(xp.mean(size * xp.log(total / size), axis=-1)) / xp.sum(size)
    return weights, contrast


def _overlapping(blocks, xp):
    """Sums of neighbours, with nothing before the first and after the last."""
    first, last = blocks[:1, ...], blocks[-1:, ...]
    return xp.concat([first, blocks[:-1, ...] + blocks[1:, ...], last], axis=0)


def _blocks(values, half, xp):
    """Sums over blocks of `half` bands, (n_blocks, ...); the last may be smaller."""
    missing = -values.shape[0] % half
    if missing:
        values = xp.concat([values] + [0 * values[:1, ...]] * missing, axis=0)
    return xp.sum(xp.reshape(values, (-1, half, *values.shape[1:])), axis=1)
