"""Source models, batches and references that the tests of unrolled AuxIVA share."""

from functools import partial

import numpy as np
import pytest

from anmf.deep import Network, layer
from anmf.iva import unrolled
from anmf.iva.losses import coherence_loss, si_sdr_loss
from tests.deep.cases import Differentiable
from tests.iva.scenes import complex_normal, random_spectra

LEAST = 1e-3
AT = (5, 10)


class Traced(Differentiable):
    """NumPy as HIPS autograd wraps it."""

    def matrix_transpose(self, x):
        return self.wrapped.swapaxes(x, -1, -2)


class Gauss:
    """φ = (r + ε)^−β, r the mean of |y|² over frequencies: one for all of them."""

    def __init__(self, weights, xp=np, least=LEAST):
        self.weights, self.xp, self.least = weights, xp, least

    def forward(self, P):
        r = self.xp.mean(P, axis=1, keepdims=True) + self.least
        return r ** -self.weights["beta"], (r, P)

    def backward(self, tape, gweights):
        xp, (r, P), beta = self.xp, tape, self.weights["beta"]
        gr = -beta * xp.sum(gweights, axis=1, keepdims=True) * r ** (-beta - 1)
        return {"beta": -xp.sum(gweights * r**-beta * xp.log(r))}, gr / P.shape[1] + 0 * P


class Smooth(Gauss):
    """That times exp(z), z a network of log(|y|² + ε)."""

    network = Network(
        [
            layer("in", "dense", n_in=9, n_out=7),
            layer("bend", "tanh"),
            layer("out", "dense", n_in=7, n_out=9, start="half"),
        ]
    )

    def forward(self, P):
        xp, (gauss, inner) = self.xp, super().forward(P)
        x = xp.moveaxis(xp.log(P + LEAST), 1, 3)
        z, tape = self.network.forward(self.weights, 0.3 * x, xp=xp)
        factor = xp.exp(xp.moveaxis(z, 3, 1))
        return gauss * factor, (P, gauss, factor, inner, tape)

    def backward(self, tape, gweights):
        xp, (P, gauss, factor, inner, tape) = self.xp, tape
        gz = xp.moveaxis(gweights * gauss * factor, 1, 3)
        found, gx = self.network.backward(self.weights, tape, gz, xp=xp)
        beta, gP = super().backward(inner, gweights * factor)
        return found | beta, 0.3 * xp.moveaxis(gx, 3, 1) / (P + LEAST) + gP


def smooth(dtype="complex128"):
    real = np.empty(0, dtype).real.dtype
    return Smooth(Smooth.network.start(0, real) | {"beta": np.asarray(0.8, real)})


def batch(n=2, n_bins=9, n_frames=40, dtype="complex128"):
    """Mixtures (2, n_bins, n, n_frames) and references at the first microphone."""
    X = np.stack([random_spectra(n_bins, n, n_frames, dtype, seed) for seed in range(2)])
    R = np.stack([random_spectra(n_bins, n, n_frames, dtype, seed + 7) for seed in range(2)])
    return X, R + 0.3 * X[:, :, :1]


def arguments(n, n_channels, shared, dtype="complex128", seed=0):
    """∂L/∂W, X, W and φ."""
    rng, (X, _) = np.random.default_rng(seed), batch(n_channels)
    W = np.eye(n, n_channels) + 0.3 * complex_normal(rng, 2, 9, n, n_channels)
    weights = rng.gamma(2.0, size=(2, 1 if shared else 9, n, X.shape[3]))
    gW, real = complex_normal(rng, *W.shape), np.empty(0, dtype).real.dtype
    return gW.astype(dtype), X.astype(dtype), W.astype(dtype), weights.astype(real)


def inner(a, b):
    return np.sum(np.real(np.conj(a) * b))


sizes = pytest.mark.parametrize(
    ("n", "n_channels", "shared"), [(1, 1, False), (2, 2, False), (3, 3, True), (2, 4, False)]
)
floors = pytest.mark.parametrize("floor", [unrolled.FLOOR, 30.0])  # some powers are below 30
losses = pytest.mark.parametrize("name", ["si-sdr", "coherence"])
both = pytest.mark.parametrize("reference", [False, True])


def reference_of(function):
    if isinstance(function, partial):
        return partial(function.func.reference, **function.keywords)
    return function.reference


def loss_of(name, R, X, xp=np):
    """Loss and gradient of the estimates."""
    if name == "coherence":
        return lambda Y: coherence_loss(Y, R, xp=xp)
    return lambda Y: si_sdr_loss(Y, R, X[:, :, 0, :], xp=xp)
