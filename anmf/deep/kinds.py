"""The registry of layers that a `Network` is made of.

A kind of layer says which weights it has and how they start, and wraps the two pure functions.
Inside it, weights go by their short names.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from anmf.deep import convolution, layers


class Kind(NamedTuple):
    """One kind of layer; an instance in `LAYERS` is all that a new one needs.

    Parameters
    ----------
    weights : callable
        Maps the layer's options, as keywords, to ``{short name: (shape, name in STARTS)}``.
    forward : callable
        Maps (weights, x, options, xp) to (y, tape).
    backward : callable
        Maps (weights, tape, gy, options, xp) to (gradients, gx). Gradients have the keys of the
        weights.

    Examples
    --------
    A layer that halves its input, and has no weights:

    >>> import numpy as np
    >>> from anmf.deep import LAYERS, Kind, Network, layer
    >>> LAYERS["half"] = Kind(
    ...     weights=dict,
    ...     forward=lambda weights, x, options, xp: (x / 2, None),
    ...     backward=lambda weights, tape, gy, options, xp: ({}, gy / 2),
    ... )
    >>> Network([layer("first", "half")]).forward({}, np.ones(3), xp=np)[0]
    array([0.5, 0.5, 0.5])
    >>> _ = LAYERS.pop("half")
    """

    weights: Callable
    forward: Callable
    backward: Callable


def _fan_in(shape, rng):
    return rng.uniform(-1, 1, shape) / np.sqrt(np.prod(shape[:-1]))


def _smoothing(shape, rng):
    window = np.hanning(shape[0] + 2)[1:-1, None]
    return 1.2 * window / window.sum() + 0.3 * rng.standard_normal(shape)


STARTS = {
    "fan-in": _fan_in,
    "half": lambda shape, rng: 0.5 * _fan_in(shape, rng),
    "smoothing": _smoothing,
    "zeros": lambda shape, rng: np.zeros(shape),
    "ones": lambda shape, rng: np.ones(shape),
}
"""How weights start: functions of shape and generator. *fan-in* is uniform within ±1/√inputs,
*half* within half of that, *smoothing* a moving average plus noise."""


def _dense_weights(n_in, n_out, start="fan-in"):
    return {"W": ((n_in, n_out), start), "b": ((n_out,), "zeros")}


def _dense(w, x, options, xp):
    return layers.dense(x, w["W"], w["b"], xp=xp), x


def _dense_back(w, x, gy, options, xp):
    gx, gW, gb = layers.dense_reverse(gy, x, w["W"], xp=xp)
    return {"W": gW, "b": gb}, gx


def _conv_weights(n_in, n_out, n_taps=3, dilation=1, start="fan-in"):
    _check_taps(n_taps)
    return {"W": ((n_taps, n_in, n_out), start), "b": ((n_out,), "zeros")}


def _conv(w, x, options, xp):
    return convolution.conv(x, w["W"], w["b"], xp=xp, dilation=options.get("dilation", 1))


def _conv_back(w, context, gy, options, xp):
    dilation = options.get("dilation", 1)
    gx, gW, gb = convolution.conv_reverse(gy, context, w["W"], xp=xp, dilation=dilation)
    return {"W": gW, "b": gb}, gx


def _depthwise_weights(n_channels, n_taps=3, dilation=1, start="smoothing"):
    _check_taps(n_taps)
    return {"W": ((n_taps, n_channels), start)}


def _depthwise(w, x, options, xp):
    return convolution.depthwise(x, w["W"], xp=xp, dilation=options.get("dilation", 1)), x


def _depthwise_back(w, x, gy, options, xp):
    dilation = options.get("dilation", 1)
    gx, gW = convolution.depthwise_reverse(gy, x, w["W"], xp=xp, dilation=dilation)
    return {"W": gW}, gx


def _check_taps(n_taps):
    if n_taps % 2 == 0 or n_taps < 1:
        raise ValueError(f"n_taps={n_taps} must be odd, so that a middle tap looks at the frame")


def _norm_weights(n_channels):
    return {"gain": ((n_channels,), "ones"), "bias": ((n_channels,), "zeros")}


def _norm(w, x, options, xp):
    y, normal, scale = layers.layer_norm(x, w["gain"], w["bias"], xp=xp)
    return y, (normal, scale)


def _norm_back(w, tape, gy, options, xp):
    gx, gain, bias = layers.layer_norm_reverse(gy, *tape, w["gain"], xp=xp)
    return {"gain": gain, "bias": bias}, gx


def _glu(w, x, options, xp):
    y, gate = layers.glu(x, xp=xp)
    return y, (x, gate)


def _glu_back(w, tape, gy, options, xp):
    return {}, layers.glu_reverse(gy, *tape, xp=xp)


def _unit(w, x, options, xp):
    size = options["size"]
    parts = xp.reshape(x, (*x.shape[:-1], x.shape[-1] // size, size))
    y, scale = layers.unit_length(parts, xp=xp)
    return y, (y, scale)


def _unit_back(w, tape, gy, options, xp):
    gx = layers.unit_length_reverse(gy, *tape, xp=xp)
    return {}, xp.reshape(gx, (*gx.shape[:-2], gx.shape[-2] * gx.shape[-1]))


def _softmax(w, x, options, xp):
    size = options["size"]
    parts = xp.reshape(x, (*x.shape[:-1], size, x.shape[-1] // size))
    y = layers.softmax(parts, xp=xp, axis=-2)
    return y, y


def _softmax_back(w, y, gy, options, xp):
    gx = layers.softmax_reverse(gy, y, xp=xp, axis=-2)
    return {}, xp.reshape(gx, (*gx.shape[:-2], gx.shape[-2] * gx.shape[-1]))


def _point(function, reverse):
    """Kind of a layer without weights whose reverse pass needs the output only."""

    def forward(w, x, options, xp):
        y = function(x, xp=xp)
        return y, y

    def backward(w, y, gy, options, xp):
        return {}, reverse(gy, y, xp=xp)

    return Kind(dict, forward, backward)


LAYERS = {
    "dense": Kind(_dense_weights, _dense, _dense_back),
    "conv": Kind(_conv_weights, _conv, _conv_back),
    "depthwise": Kind(_depthwise_weights, _depthwise, _depthwise_back),
    "norm": Kind(_norm_weights, _norm, _norm_back),
    "glu": Kind(dict, _glu, _glu_back),
    "unit": Kind(lambda size: {}, _unit, _unit_back),
    "softmax": Kind(lambda size: {}, _softmax, _softmax_back),
    "sigmoid": _point(layers.sigmoid, layers.sigmoid_reverse),
    "softplus": _point(layers.softplus, layers.softplus_reverse),
    "tanh": _point(layers.tanh, layers.tanh_reverse),
}
"""Kinds of layers by name; `anmf.deep.network` adds *residual* and *heads*, which hold networks.

===========  =======================================  ============================================
kind         options                                  x → y
===========  =======================================  ============================================
`dense`      n_in, n_out, start                       (..., n_in) → (..., n_out)
`conv`       n_in, n_out, n_taps, dilation, start     (batch, time, n_in) → (batch, time, n_out)
`depthwise`  n_channels, n_taps, dilation, start      (batch, time, n) → the same
`norm`       n_channels                               (..., n) → the same
`glu`                                                 (..., 2 n) → (..., n)
`unit`       size                                     (..., n size) → (..., n, size), unit vectors
`softmax`    size                                     (..., size n) → (..., size, n), sums of 1
`sigmoid`, `softplus`, `tanh`                         the same shape
`residual`   network                                  x → x + network(x)
`heads`      networks, a dictionary                   x → {name: network(x)}
===========  =======================================  ============================================
"""
