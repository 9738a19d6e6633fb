"""A check for source models of one's own."""

from typing import Any

import numpy as np

from anmf._core.arrays import namespace
from anmf.iva.bands import Bands
from anmf.iva.source_models import check_source_weights, resolve_source_model

_SHAPE = 40, 3, 50
xp = namespace()


def check_source_model(model: Any, random_state: int = 0) -> None:
    """Raise unless a source model keeps what `auxiva` relies on.

    Parameters
    ----------
    model : str, object or callable
        As `source_model` of `anmf.AuxIVA`.
    random_state : int, default 0
        Seed of the powers that it is tried on.

    Raises
    ------
    ValueError
        If weights have another shape than the powers, aren't real, finite and at least 0 (also for
        silence, and for very weak and very strong sources), change from call to call, or lose the
        precision of the powers; or, for a model with ``majorizes = True``, if the contrast isn't
        below its tangent, so that an update could raise the objective.

    Examples
    --------
    >>> from anmf.iva import check_source_model
    >>> check_source_model("laplace")
    >>> check_source_model(lambda power: 1 / (power + 1e-3))
    >>> check_source_model(lambda power: 1 / (power - power.mean()))
    Traceback (most recent call last):
    ...
    ValueError: source_model gives weights that are negative, infinite or NaN
    """
    model = resolve_source_model(model)
    bands = Bands(_SHAPE[0], model.n_bins or _SHAPE[0])
    rng = np.random.default_rng(random_state)
    power, other = rng.gamma(0.3, 3.0, (2, *_SHAPE))
    power[:, 0, :10], power[:, :, 0] = 0, 0
    power, other = bands.mean(power, xp=xp), bands.mean(other, xp=xp)
    for dtype in (np.float32, np.float64):
        for scale in (1e-12, 1.0, 1e6):
            _check_weights(model, bands, (scale * power).astype(dtype))
    if getattr(model, "majorizes", False):
        _check_tangent(model, bands, power, other)


def _start(model, bands, power):
    shape = (bands.count, *power.shape[1:])
    return model.start(shape, bands.sizes, np.random.default_rng(0), power)


def _check_weights(model, bands, power):
    weights, loss, _ = model.update(power, _start(model, bands, power), xp=xp)
    check_source_weights(weights, power, xp=xp)
    if weights.dtype != power.dtype:
        raise ValueError(
            f"source_model gives weights of {weights.dtype} for powers of {power.dtype}; keep the "
            "type, float32 is half the memory"
        )
    if not np.isfinite(float(loss)):
        raise ValueError(f"source_model gives the loss {float(loss)}; expected a finite number")
    again = model.update(power.copy(), _start(model, bands, power), xp=xp)[0]
    if not np.allclose(again, weights, rtol=1e-5):
        raise ValueError(
            "source_model gives other weights for the same powers; draw nothing at random in update"
        )


def _check_tangent(model, bands, power, other):
    """g(q) ≤ g(p) + φ(p) (q − p), averaged as in the objective."""
    weights, loss, state = model.update(power, _start(model, bands, power), xp=xp)
    share = bands.sizes[:, None, None] / (bands.n_frequencies * power.shape[2])
    for q in (other, 0.9 * power + 0.1 * other, 0.5 * power, 2 * power):
        bound = float(loss) + float(np.sum(share * weights * (q - power)))
        value = float(model.update(q, state, xp=xp)[1])
        if value > bound + 1e-9 * max(1.0, abs(bound)):
            raise ValueError(
                f"source_model has a contrast of {value:.6g} where its tangent is {bound:.6g}: the "
                "weights aren't the slope of a concave contrast, and the objective could rise; set "
                "majorizes = False if that is meant"
            )
