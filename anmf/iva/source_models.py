"""Source models: from the power of the estimates to the weights of their covariances.

A model says how improbable a power p is, by a contrast g(p) that is increasing and concave. Its
slope is the weight φ = dg/dp, and φ p + constant lies above g and touches it: minimising the
weighted power can't raise the contrast. Spherical models see, for every source and frame, the mean
power of all frequencies; others see every frequency by itself.

To add one: write a subclass of `Spherical` with its ``contrast`` and ``weight``, and put an
instance into `SOURCE_MODELS` under its name. Or pass to `auxiva` any function that takes powers
(n_frequencies, n_sources, n_frames) and returns weights of that shape, or (1, n_sources, n_frames).
`anmf.iva.check_source_model` tells what is wrong with it. Silent frequencies are left out; a model
that has to know which has a method ``among``, which is given those that are heard.
"""

from dataclasses import dataclass

import numpy as np

from anmf.iva.cliques import Cliques
from anmf.iva.lowrank import LowRank
from anmf.iva.pretrained import Pretrained
from anmf.iva.spherical import Gauss, GeneralizedGauss, StudentT


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
    "surrogate": Pretrained(),
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


def among(model, heard):
    """The source model for some of the frequencies, a boolean array (n_frequencies,)."""
    return model.among(heard) if hasattr(model, "among") else model
