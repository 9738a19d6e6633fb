"""The source model of ILRMA: non-negative matrix factorization of the power of each source."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from anmf._core.arrays import like
from anmf._core.threads import limited_threads
from anmf._core.types import Array
from anmf.iva.spherical import FLOOR
from anmf.nmf.updates import mm_exponent, multiply, ratio_terms


@dataclass(frozen=True)
class LowRank:
    """NMF of the power of each source: independent low-rank matrix analysis (ILRMA).

    g = log v + p / v with v = (T V)_ft of `n_components` components, which take one multiplicative
    step of Itakura-Saito NMF in every iteration; φ = 1 / v.

    Parameters
    ----------
    n_components : int, default 2
        Of each source.

    References
    ----------
    Kitamura, Ono, Sawada, Kameoka and Saruwatari, "Determined blind source separation unifying
    independent vector analysis and nonnegative matrix factorization", IEEE/ACM TASLP 24(9), 2016.

    Examples
    --------
    >>> from anmf import AuxIVA
    >>> from anmf.iva import LowRank, check_source_model
    >>> check_source_model(LowRank(n_components=5))
    >>> separator = AuxIVA(source_model=LowRank(n_components=5), random_state=0)
    """

    n_components: int = 2
    n_bins = 1
    majorizes = True

    def start(
        self, shape: tuple[int, ...], sizes: np.ndarray, rng: np.random.Generator, example: Array
    ) -> list[tuple[Array, Array]]:
        """Factors to start from, drawn at random.

        Parameters
        ----------
        shape : tuple
            Of the powers, (n_frequencies, n_sources, n_frames).
        sizes : ndarray of shape (n_frequencies,)
            Not used.
        rng : Generator
            What the factors are drawn with.
        example : array of shape (n_frequencies, n_sources, n_frames)
            Of the library, device and type that the factors shall have.

        Returns
        -------
        list of (array, array)
            Basis (n_frequencies, k) and activations (k, n_frames) of each source.
        """
        n_frequencies, n_sources, n_frames = shape
        k = self.n_components
        bases = rng.uniform(0.1, 1.0, (n_sources, n_frequencies, k)) / k
        activations = rng.uniform(0.1, 1.0, (n_sources, k, n_frames))
        return [(like(b, example), like(a, example))
                for b, a in zip(bases, activations, strict=True)]  # fmt: skip

    def update(
        self, power: Array, state: list[tuple[Array, Array]], *, xp: ModuleType
    ) -> tuple[Array, Array, list[tuple[Array, Array]]]:
        """Weights, the mean contrast summed over sources, and the factors after a step.

        Parameters
        ----------
        power : array of shape (n_frequencies, n_sources, n_frames)
            Of the estimates.
        state : list of (array, array)
            Factors of `start`, or of the update before: (n_frequencies, k) and (k, n_frames).
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        weights : array of shape (n_frequencies, n_sources, n_frames)
            One over the fitted powers.
        loss : array of shape ()
            The mean contrast.
        state : list of (array, array)
            Factors for the next update, of the shapes of `start`.
        """
        with limited_threads(power.shape[0], power.shape[2], self.n_components):
            fitted = [factorize(power[:, k, :], *pair, xp=xp) for k, pair in enumerate(state)]
        models = xp.stack([model for *_, model in fitted], axis=1)
        loss = xp.mean(xp.log(models) + power / models) * power.shape[1]
        return 1 / models, loss, [tuple(pair) for *pair, _ in fitted]


def factorize(power, basis, activations, *, xp):
    """One multiplicative step of both factors; returns them and their product with the floor."""
    exponent = mm_exponent(0)
    model = basis @ activations + FLOOR
    up, down = ratio_terms(power, model, 0, FLOOR, xp=xp)
    other = xp.matrix_transpose(activations)
    basis = multiply(basis, up @ other, down @ other, exponent, xp=xp)
    model = basis @ activations + FLOOR
    up, down = ratio_terms(power, model, 0, FLOOR, xp=xp)
    other = xp.matrix_transpose(basis)
    activations = multiply(activations, other @ up, other @ down, exponent, xp=xp)
    return basis, activations, basis @ activations + FLOOR
