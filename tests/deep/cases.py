"""Every layer with its reverse pass, for tests of gradients."""

import numpy as np
import pytest

from anmf.deep import convolution, layers


class Differentiable:
    """NumPy as HIPS autograd wraps it, under the names of the array API."""

    def __init__(self):
        self.wrapped = pytest.importorskip("autograd.numpy")
        self.concat = self.wrapped.concatenate

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


def _single(name, shape, **options):
    """A layer without weights whose reverse pass takes the output."""
    return (
        lambda pick, xp, x: pick(getattr(layers, name))(x, xp=xp, **options),
        lambda pick, xp, gy, y, x: (
            pick(getattr(layers, f"{name}_reverse"))(gy, y, xp=xp, **options),
        ),
        [shape],
    )


def _unit(pick, xp, x):
    return pick(layers.unit_length)(x, xp=xp)


def _norm(pick, xp, x, gain, bias):
    return pick(layers.layer_norm)(x, gain, bias, xp=xp)


def _norm_reverse(pick, xp, gy, y, x, gain, bias):
    kept = _norm(pick, xp, x, gain, bias)[1:]
    return pick(layers.layer_norm_reverse)(gy, *kept, gain, xp=xp)


def _conv(dilation, shapes):
    def reverse(pick, xp, gy, y, x, W, b):
        context = convolution.conv(x, W, b, xp=xp, dilation=dilation)[1]
        return convolution.conv_reverse(gy, context, W, xp=xp, dilation=dilation)

    return (
        lambda pick, xp, *args: convolution.conv(*args, xp=xp, dilation=dilation),
        reverse,
        shapes,
    )


def _depthwise(dilation, shapes):
    return (
        lambda pick, xp, x, W: pick(convolution.depthwise)(x, W, xp=xp, dilation=dilation),
        lambda pick, xp, gy, y, x, W: pick(convolution.depthwise_reverse)(
            gy, x, W, xp=xp, dilation=dilation
        ),
        shapes,
    )


CASES = {
    "dense": (
        lambda pick, xp, x, W, b: layers.dense(x, W, b, xp=xp),
        lambda pick, xp, gy, y, x, W, b: layers.dense_reverse(gy, x, W, xp=xp),
        [(2, 7, 5), (5, 3), (3,)],
    ),
    "norm": (_norm, _norm_reverse, [(2, 7, 5), (5,), (5,)]),
    "unit": (
        _unit,
        lambda pick, xp, gy, y, x: (
            pick(layers.unit_length_reverse)(gy, *_unit(pick, xp, x), xp=xp),
        ),
        [(2, 7, 3, 4)],
    ),
    "gated": (
        lambda pick, xp, a, b: layers.gated(a, b, xp=xp),
        lambda pick, xp, gy, y, a, b: layers.gated_reverse(
            gy, a, layers.gated(a, b, xp=xp)[1], xp=xp
        ),
        [(2, 7, 5), (2, 7, 5)],
    ),
    "glu": (
        lambda pick, xp, x: layers.glu(x, xp=xp),
        lambda pick, xp, gy, y, x: (layers.glu_reverse(gy, x, layers.glu(x, xp=xp)[1], xp=xp),),
        [(2, 7, 6)],
    ),
    "softmax": _single("softmax", (2, 7, 3, 4), axis=-2),
    "sigmoid": _single("sigmoid", (2, 7, 5)),
    "tanh": _single("tanh", (2, 7, 5)),
    "softplus": _single("softplus", (2, 7, 5)),
    "conv": _conv(1, [(2, 7, 5), (3, 5, 4), (4,)]),
    "conv dilation 2": _conv(2, [(2, 7, 5), (3, 5, 4), (4,)]),
    "conv dilation 4, short": _conv(4, [(2, 3, 5), (3, 5, 4), (4,)]),
    "conv 5 taps": _conv(2, [(2, 9, 2), (5, 2, 3), (3,)]),
    "conv 1 tap": _conv(1, [(2, 9, 2), (1, 2, 3), (3,)]),
    "depthwise": _depthwise(1, [(2, 7, 5), (3, 5)]),
    "depthwise dilation 3": _depthwise(3, [(2, 7, 5), (3, 5)]),
    "depthwise dilation 9, short": _depthwise(9, [(2, 7, 5), (3, 5)]),
    "depthwise 5 taps": _depthwise(2, [(1, 9, 3), (5, 3)]),
}


def reference(function):
    """The array-API function behind a dispatching one."""
    return getattr(function, "reference", function)


def twin(function):
    """What NumPy arrays get."""
    return function


def arguments(name, dtype=np.float64):
    rng = np.random.default_rng(3)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in CASES[name][2]]


def output(result):
    """Output of a layer that may also return what its reverse pass needs."""
    return result[0] if isinstance(result, tuple) else result


def output_and_gradients(name, pick, xp, args, seed=0):
    """y, a random ∂L/∂y, and the gradients that the reverse pass gives."""
    forward, reverse, _ = CASES[name]
    y = output(forward(pick, xp, *args))
    gy = np.random.default_rng(seed).standard_normal(y.shape).astype(args[0].dtype)
    return y, gy, reverse(pick, xp, gy, y, *args)
