"""Spherical source models: one weight for all frequencies of a frame."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from anmf._core.types import Array

FLOOR = 1e-10
"""Added to powers, in units of the mean power of the mixture, so that silence has a weight."""


@dataclass(frozen=True)
class Spherical:
    """A model whose weights are one for all frequencies of a frame.

    A subclass has a ``contrast`` and a ``weight``, functions of the powers (1, n_sources, n_frames)
    and of their namespace `xp`: g(p), increasing and concave, and its slope.

    Examples
    --------
    >>> from anmf import AuxIVA
    >>> from anmf.iva import Spherical, check_source_model
    >>> class Cauchy(Spherical):
    ...     def contrast(self, power, *, xp):
    ...         return 1.5 * xp.log(1 + power)
    ...     def weight(self, power, *, xp):
    ...         return 1.5 / (1 + power)
    >>> check_source_model(Cauchy())
    >>> separator = AuxIVA(source_model=Cauchy())
    """

    n_bins = None
    majorizes = True
    contrast: ClassVar[Callable[..., Array]]
    weight: ClassVar[Callable[..., Array]]

    def start(
        self, shape: tuple[int, ...], sizes: np.ndarray, rng: np.random.Generator, example: Array
    ) -> None:
        """What the model learns along the way: nothing.

        Parameters
        ----------
        shape : tuple
            Of the powers, (1, n_sources, n_frames).
        sizes : ndarray of shape (1,)
            How many frequencies there are.
        rng : Generator
            For models that start at random.
        example : array of shape (1, n_sources, n_frames)
            Of the library, device and type that arrays of the state shall have.
        """

    def update(self, power: Array, state: None, *, xp: ModuleType) -> tuple[Array, Array, None]:
        """Weights, the mean contrast summed over sources, and the state.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            Mean over frequencies.
        state : None
            Nothing is learned.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        weights : array of shape (1, n_sources, n_frames)
            Slope of the contrast.
        loss : array of shape ()
            The mean contrast.
        state : None
            For the next update.
        """
        power = power + FLOOR
        loss = xp.sum(xp.mean(self.contrast(power, xp=xp), axis=-1))
        return self.weight(power, xp=xp), loss, None


@dataclass(frozen=True)
class GeneralizedGauss(Spherical):
    """Spherical generalised Gauss: g = (2/β) p^(β/2), φ = p^(β/2 − 1); β = 1 is Laplace.

    Parameters
    ----------
    shape : float, default 0.5
        β, above 0 and at most 2. The smaller, the heavier the tail.

    References
    ----------
    Ono, "Auxiliary-function-based independent vector analysis with power of vector-norm type
    weighting functions", APSIPA 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.iva import GeneralizedGauss
    >>> laplace = GeneralizedGauss(shape=1.0)
    >>> laplace.weight(np.array([[[0.25, 1.0, 4.0]]]), xp=np)
    array([[[2. , 1. , 0.5]]])
    """

    shape: float = 0.5

    def contrast(self, power: Array, *, xp: ModuleType) -> Array:
        """How improbable a power is.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            (2/β) p^(β/2).
        """
        return 2 / self.shape * power ** (self.shape / 2)

    def weight(self, power: Array, *, xp: ModuleType) -> Array:
        """Slope of the contrast.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            p^(β/2 − 1).
        """
        return power ** (self.shape / 2 - 1)


@dataclass(frozen=True)
class Gauss(Spherical):
    """Gauss with a variance for each source and frame: g = log p, φ = 1 / p.

    References
    ----------
    Ono, "Auxiliary-function-based independent vector analysis with power of vector-norm type
    weighting functions", APSIPA 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.iva import Gauss
    >>> Gauss().weight(np.array([[[0.25, 1.0, 4.0]]]), xp=np)
    array([[[4.  , 1.  , 0.25]]])
    """

    def contrast(self, power: Array, *, xp: ModuleType) -> Array:
        """How improbable a power is.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            log p.
        """
        return xp.log(power)

    def weight(self, power: Array, *, xp: ModuleType) -> Array:
        """Slope of the contrast.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            1 / p.
        """
        return 1 / power


@dataclass(frozen=True)
class StudentT(Spherical):
    """Spherical Student-t; ν is its degrees of freedom over twice the number of frequencies.

    g = (1 + ν) log(1 + p / ν), φ = (1 + ν) / (ν + p).

    Parameters
    ----------
    dof : float, default 0.001
        ν, positive. Gauss with a variance for each frame as it goes to 0, a stationary one to
        infinity.

    References
    ----------
    Kitamura et al., "Generalized independent low-rank matrix analysis using heavy-tailed
    distributions for blind source separation", EURASIP J. Adv. Signal Process. 2018:28.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.iva import StudentT
    >>> StudentT(dof=1.0).weight(np.array([[[0.0, 1.0, 3.0]]]), xp=np)
    array([[[2. , 1. , 0.5]]])
    """

    dof: float = 1e-3

    def contrast(self, power: Array, *, xp: ModuleType) -> Array:
        """How improbable a power is.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            (1 + ν) log(1 + p / ν).
        """
        return (1 + self.dof) * xp.log(1 + power / self.dof)

    def weight(self, power: Array, *, xp: ModuleType) -> Array:
        """Slope of the contrast.

        Parameters
        ----------
        power : array of shape (1, n_sources, n_frames)
            p, positive.
        xp : module
            Array-API namespace of the powers.

        Returns
        -------
        array of shape (1, n_sources, n_frames)
            (1 + ν) / (ν + p).
        """
        return (1 + self.dof) / (self.dof + power)
