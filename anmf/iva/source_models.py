"""Source models: from the power of the estimates to the weights of their covariances.

A model says how improbable a power p is, by a contrast g(p) that is increasing and concave. Its
slope is the weight φ = dg/dp, and φ p + constant lies above g and touches it: minimising the
weighted power can't raise the contrast. Spherical models see, for every source and frame, the mean
power of all frequencies; others see every frequency by itself.

To add one: write a subclass of `Spherical` with its ``contrast`` and ``weight``, and put an
instance into `SOURCE_MODELS` under its name. Or pass to `auxiva` any function that takes powers
(n_frequencies, n_sources, n_frames) and returns weights of that shape, or (1, n_sources, n_frames).
`anmf.iva.check_source_model` tells what is wrong with it.
"""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import like
from anmf.nmf.updates import mm_exponent, multiply, ratio_terms

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
    Ono, Koldovský, Miyabe and Ito, "The 2011 signal separation evaluation campaign", LVA/ICA 2012;
    Ono, "Auxiliary-function-based independent vector analysis with power of vector-norm type
    weighting functions", APSIPA 2012.
    """

    def contrast(self, power, *, xp):
        return xp.log(power)

    def weight(self, power, *, xp):
        return 1 / power


@dataclass(frozen=True)
class StudentT(Spherical):
    """Spherical Student-t with ν degrees of freedom, a share of two for every frequency.

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


@dataclass(frozen=True)
class LowRank:
    """NMF of the power of each source: independent low-rank matrix analysis (ILRMA).

    g = log v + p / v with v = (T V)_ft of `n_components` components, which take one multiplicative
    step of Itakura-Saito NMF in every iteration; φ = 1 / v.

    Parameters
    ----------
    n_components : int
        Of each source.

    References
    ----------
    Kitamura, Ono, Sawada, Kameoka and Saruwatari, "Determined blind source separation unifying
    independent vector analysis and nonnegative matrix factorization", IEEE/ACM TASLP 24(9), 2016.
    """

    n_components: int = 2
    n_bins = 1
    majorizes = True

    def start(self, shape, sizes, rng, example):
        """Bases (n_sources, n_frequencies, k) and activations (n_sources, k, n_frames)."""
        n_frequencies, n_sources, n_frames = shape
        k = self.n_components
        bases = rng.uniform(0.1, 1.0, (n_sources, n_frequencies, k)) / k
        activations = rng.uniform(0.1, 1.0, (n_sources, k, n_frames))
        return [(like(b, example), like(a, example))
                for b, a in zip(bases, activations, strict=True)]  # fmt: skip

    def update(self, power, state, *, xp):
        """As in `Spherical.update`, with power (n_frequencies, n_sources, n_frames)."""
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


@dataclass(frozen=True)
class Function:
    """A function of the user's; with no contrast known, the loss is that of its weights."""

    function: object
    n_bins = 1
    majorizes = False

    def start(self, shape, sizes, rng, example):
        """Nothing is learned."""

    def update(self, power, state, *, xp):
        """As in `Spherical.update`, with power (n_frequencies, n_sources, n_frames)."""
        weights = check_source_weights(self.function(power), power, xp=xp)
        return weights, xp.mean(weights * power) * power.shape[1], None


@dataclass(frozen=True)
class Cliques:
    """Gauss, with a variance for each of many overlapping cliques of neighbouring frequencies.

    Σ_f g_f = Σ_c κ_c log p_c with the mean power p_c of clique c, φ_f = Σ_{c ∋ f} κ_c / (n_c p_c).
    At every level the cliques have one width, n_c, and overlap by half. κ_c is the share of the
    level times the frequencies that c counts for: half of those that it has in common with another
    clique, and all others. Narrow cliques see which source has the power where; wide ones keep the
    sources in one order at all frequencies.

    Parameters
    ----------
    widths : tuple
        Of the cliques of each level, in bands of `n_bins` frequencies; None for all.
    shares : tuple of float
        Of each level, summing to one.
    n_bins : int
        Frequencies that share a weight.

    References
    ----------
    Lee and Jang, "Independent vector analysis based on overlapped cliques of variable width for
    frequency-domain blind signal separation", EURASIP J. Adv. Signal Process. 2012:113.
    """

    widths: tuple = (4, 16, 64, None)
    shares: tuple = (0.1, 0.2, 0.3, 0.4)
    n_bins: int = 8
    majorizes = True

    def start(self, shape, sizes, rng, example):
        """Sizes of the bands, (n_bands, 1, 1)."""
        return like(sizes, example)[:, None, None]

    def update(self, power, state, *, xp):
        """As in `Spherical.update`, with power (n_bands, n_sources, n_frames), means of bands."""
        power = (power + FLOOR) * state
        weights, loss = 0.0, 0.0
        for width, share in zip(self.widths, self.shares, strict=True):
            added, contrast = clique_level(power, state, width, xp=xp)
            weights, loss = weights + share * added, loss + share * contrast
        return weights + 0 * power, loss, state


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
    if 2 * half >= n_bands:
        total = xp.sum(power, axis=0, keepdims=True)
        count = xp.sum(sizes)
        return count / total, xp.sum(xp.mean(xp.log(total / count), axis=-1))
    power, sizes = _blocks(power, half, xp), _blocks(sizes, half, xp)
    total, size = power[:-1, ...] + power[1:, ...], sizes[:-1, ...] + sizes[1:, ...]
    nothing = 0 * sizes[1:-1, ...]
    ends = (
        xp.concat([sizes[:1, ...], nothing], axis=0),
        xp.concat([nothing, sizes[-1:, ...]], axis=0),
    )
    counts = (size + ends[0] + ends[1]) / 2
    slopes = counts / total
    shared = slopes[:-1, ...] + slopes[1:, ...]
    slopes = xp.concat([slopes[:1, ...], shared, slopes[-1:, ...]], axis=0)
    wide = xp.broadcast_to(slopes[:, None, ...], (slopes.shape[0], half, *slopes.shape[1:]))
    weights = xp.reshape(wide, (-1, *slopes.shape[1:]))[:n_bands, ...]
    contrast = xp.sum(xp.mean(counts * xp.log(total / size), axis=-1)) / xp.sum(sizes)
    return weights, contrast


def _blocks(values, half, xp):
    """Sums over blocks of `half` bands, (n_blocks, ...); the last may be smaller."""
    missing = -values.shape[0] % half
    if missing:
        values = xp.concat([values] + [0 * values[:1, ...]] * missing, axis=0)
    return xp.sum(xp.reshape(values, (-1, half, *values.shape[1:])), axis=1)


def check_source_weights(weights, power, *, xp):
    """Raise unless `weights` go with `power`: shape, real, finite, at least 0."""
    shape, expected = tuple(np.shape(weights)), tuple(power.shape)
    if shape not in (expected, (1, *expected[1:])):
        raise ValueError(
            f"source_model gives weights of shape {shape} for powers {expected}; expected that "
            f"shape, or {(1, *expected[1:])} for weights shared by all frequencies"
        )
    if not xp.isdtype(weights.dtype, "real floating"):
        raise ValueError(f"source_model gives weights of {weights.dtype}; expected real floats")
    if not bool(xp.all(xp.isfinite(weights))) or bool(xp.any(weights < 0)):
        raise ValueError("source_model gives weights that are negative, infinite or NaN")
    return weights


SOURCE_MODELS = {
    "cliques": Cliques(),
    "gauss": Gauss(),
    "ggd": GeneralizedGauss(),
    "laplace": GeneralizedGauss(1.0),
    "nmf": LowRank(),
    "student-t": StudentT(),
}
"""Name of each source model: an object with ``n_bins``, ``start`` and ``update``."""


def resolve_source_model(model):
    """The object for a name of `SOURCE_MODELS`, a source model, or a function."""
    if isinstance(model, str) and model in SOURCE_MODELS:
        return SOURCE_MODELS[model]
    if isinstance(model, (str, type)):
        raise ValueError(
            f"source_model={model!r} must be one of {sorted(SOURCE_MODELS)}, an object such as "
            "anmf.iva.StudentT(), or a function from powers to weights"
        )
    if all(hasattr(model, name) for name in ("n_bins", "start", "update")):
        return model
    if callable(model):
        return Function(model)
    raise ValueError(
        f"source_model={model!r} must be one of {sorted(SOURCE_MODELS)} or a function from powers "
        "(n_frequencies, n_sources, n_frames) to weights of that shape"
    )
