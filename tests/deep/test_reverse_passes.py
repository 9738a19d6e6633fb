"""Reverse passes agree with finite differences, with autograd, and with torch."""

import array_api_strict
import numpy as np
import pytest

from anmf.deep import convolution, layers
from tests.deep.cases import (
    CASES,
    Differentiable,
    arguments,
    output,
    output_and_gradients,
    reference,
    twin,
)

every_case = pytest.mark.parametrize("name", CASES)
both = pytest.mark.parametrize("pick", [reference, twin])


@every_case
@both
def test_finite_differences(name, pick):
    args = arguments(name)
    _, gy, gradients = output_and_gradients(name, pick, np, args)
    rng, step = np.random.default_rng(1), 1e-5
    for i, gradient in enumerate(gradients):
        assert gradient.shape == args[i].shape
        direction = rng.standard_normal(args[i].shape)
        ends = []
        for sign in (1, -1):
            moved = [*args[:i], args[i] + sign * step * direction, *args[i + 1 :]]
            ends.append(np.sum(gy * output(CASES[name][0](pick, np, *moved))))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6)


@every_case
@both
def test_autograd(name, pick):
    autograd, args = pytest.importorskip("autograd"), arguments(name)
    y, gy, gradients = output_and_gradients(name, pick, np, args)

    def function(args):
        return output(CASES[name][0](reference, Differentiable(), *args))

    back, value = autograd.make_vjp(function)(tuple(args))
    np.testing.assert_allclose(value, y, rtol=1e-10, atol=1e-12)
    for gradient, expected in zip(gradients, back(gy), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12)


@every_case
def test_twins_agree_and_keep_float32(name):
    args = arguments(name, np.float32)
    for arrays in (args, [np.asfortranarray(a) for a in args]):
        y, _, gradients = output_and_gradients(name, reference, np, args)
        y_twin, _, twins = output_and_gradients(name, twin, np, arrays)
        for value, expected in zip((y_twin, *twins), (y, *gradients), strict=True):
            assert value.dtype == expected.dtype == np.float32
            np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)


@every_case
def test_array_api(name):
    args = arguments(name)
    y, gy, gradients = output_and_gradients(name, reference, np, args)
    place = array_api_strict.Device("device1")
    strict = [array_api_strict.asarray(a, device=place) for a in args]
    forward, reverse, _ = CASES[name]
    result = output(forward(twin, array_api_strict, *strict))
    assert result.device == place
    gy = array_api_strict.asarray(gy, device=place)
    back = reverse(twin, array_api_strict, gy, result, *strict)
    for value, expected in zip((result, *back), (y, *gradients), strict=True):
        host = array_api_strict.asarray(value, device=array_api_strict.Device("CPU_DEVICE"))
        np.testing.assert_allclose(np.asarray(host), expected, rtol=1e-12, atol=1e-13)


@every_case
def test_arguments_stay_as_they_are(name):
    args = arguments(name)
    copies = [a.copy() for a in args]
    for a in args:
        a.flags.writeable = False
    output_and_gradients(name, twin, np, args)
    output_and_gradients(name, reference, np, args)
    for a, copy in zip(args, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


def torch_layers():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    def conv(dilation, groups):
        def function(x, W, b=None):
            W = W.permute(2, 1, 0) if W.ndim == 3 else W.T[:, None]
            reach = dilation * (W.shape[2] // 2)
            y = F.conv1d(x.mT, W, b, padding=reach, dilation=dilation, groups=groups)
            return y.mT

        return function

    return {
        "dense": lambda x, W, b: F.linear(x, W.T, b),
        "norm": lambda x, gain, bias: F.layer_norm(x, x.shape[-1:], gain, bias),
        "glu": lambda x: F.glu(x, -1),
        "softmax": lambda x: torch.softmax(x, -2),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softplus": F.softplus,
        "unit": lambda x: x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-6),
        "conv": conv(1, 1),
        "conv dilation 2": conv(2, 1),
        "conv dilation 4, short": conv(4, 1),
        "conv 5 taps": conv(2, 1),
        "conv 1 tap": conv(1, 1),
        "depthwise": conv(1, 5),
        "depthwise dilation 3": conv(3, 5),
        "depthwise dilation 9, short": conv(9, 5),
        "depthwise 5 taps": conv(2, 3),
    }


@pytest.mark.parametrize("name", sorted(set(CASES) - {"gated"}))
def test_torch(name):
    torch = pytest.importorskip("torch")
    args = arguments(name)
    y, gy, gradients = output_and_gradients(name, twin, np, args)
    tensors = [torch.tensor(a, requires_grad=True) for a in args]
    result = torch_layers()[name](*tensors)
    np.testing.assert_allclose(y, result.detach(), rtol=1e-10, atol=1e-12)
    result.backward(torch.tensor(gy))
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad, rtol=1e-10, atol=1e-12)


def test_extremes_stay_finite():
    x = np.array([[-1e4, -100.0, 0.0, 100.0, 1e4]])
    for name in ("sigmoid", "softplus", "tanh", "softmax"):
        y = getattr(layers, name)(x, xp=np)
        assert np.all(np.isfinite(y))
        assert np.all(np.isfinite(getattr(layers, f"{name}_reverse")(np.ones_like(x), y, xp=np)))
    np.testing.assert_allclose(layers.softplus(x, xp=np), np.logaddexp(x, 0), atol=1e-12)
    for function in (layers.unit_length, layers.unit_length.reference):
        y, scale = function(np.zeros((2, 3)), xp=np)
        np.testing.assert_array_equal(y, 0)
        np.testing.assert_allclose(scale, 1e3)
    for function in (layers.layer_norm, layers.layer_norm.reference):
        y = function(np.full((2, 3), 7.0), np.ones(3), np.zeros(3), xp=np)[0]
        np.testing.assert_allclose(y, 0, atol=1e-9)


def test_shift():
    x = np.arange(1.0, 5)[None, :, None]
    for steps, expected in ((1, [2, 3, 4, 0]), (-1, [0, 1, 2, 3]), (4, [0] * 4), (-9, [0] * 4)):
        np.testing.assert_array_equal(convolution.shift(x, steps, np)[0, :, 0], expected)
