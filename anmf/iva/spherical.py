"""Spherical source models: one weight for all frequencies of a frame."""

from dataclasses import dataclass

FLOOR = 1e-10
"""Added to powers, in units of the mean power of the mixture, so that silence has a weight."""


@dataclass(frozen=True)
class Spherical:
    """A model whose weights are one for all frequencies of a frame."""

    n_bins = None
    majorizes = True

    def start(self, shape, sizes, rng, example):
        """What the model learns along the way: nothing."""

    def update(self, power, state, *, xp):
        """Weights, the mean contrast summed over sources, and the state.

        Parameters
        ----------
        power : array (1, n_sources, n_frames)
            Mean over frequencies.
        state : None
        xp : namespace

        Returns
        -------
        weights : array (1, n_sources, n_frames)
        loss : array ()
        state : None
        """
        power = power + FLOOR
        loss = xp.sum(xp.mean(self.contrast(power, xp=xp), axis=-1))
        return self.weight(power, xp=xp), loss, None


@dataclass(frozen=True)
class GeneralizedGauss(Spherical):
    """Spherical generalised Gauss: g = (2/β) p^(β/2), φ = p^(β/2 − 1); β = 1 is Laplace.

    Parameters
    ----------
    shape : float
        β, above 0 and at most 2. The smaller, the heavier the tail.

    References
    ----------
    Ono, "Auxiliary-function-based independent vector analysis with power of vector-norm type
    weighting functions", APSIPA 2012.
    """

    shape: float = 0.5

    def contrast(self, power, *, xp):
        return 2 / self.shape * power ** (self.shape / 2)

    def weight(self, power, *, xp):
        return power ** (self.shape / 2 - 1)


@dataclass(frozen=True)
class Gauss(Spherical):
    """Gauss with a variance for each source and frame: g = log p, φ = 1 / p.

    References
    ----------
    Ono, "Auxiliary-function-based independent vector analysis with power of vector-norm type
    weighting functions", APSIPA 2012.
    """

    def contrast(self, power, *, xp):
        return xp.log(power)

    def weight(self, power, *, xp):
        return 1 / power


@dataclass(frozen=True)
class StudentT(Spherical):
    """Spherical Student-t; ν is its degrees of freedom over twice the number of frequencies.

    g = (1 + ν) log(1 + p / ν), φ = (1 + ν) / (ν + p).

    Parameters
    ----------
    dof : float
        ν, positive. Gauss with a variance for each frame as it goes to 0, a stationary one to
        infinity.

    References
    ----------
    Kitamura et al., "Generalized independent low-rank matrix analysis using heavy-tailed
    distributions for blind source separation", EURASIP J. Adv. Signal Process. 2018:28.
    """

    dof: float = 1e-3

    def contrast(self, power, *, xp):
        return (1 + self.dof) * xp.log(1 + power / self.dof)

    def weight(self, power, *, xp):
        return (1 + self.dof) / (self.dof + power)
