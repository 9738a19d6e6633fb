"""Losses for training source models: values, gradients, orders and silence."""

from itertools import permutations

import numpy as np
import pytest

from anmf._core.arrays import namespace, to_host
from anmf.iva import minimal_distortion
from anmf.iva.losses import (
    CAP,
    LEAST,
    coherence_loss,
    coherence_pairs,
    si_sdr_loss,
    si_sdr_pairs,
)
from anmf.metrics import si_sdr
from tests.deep.cases import Differentiable
from tests.iva.scenes import LIBRARIES, complex_normal

PAIRS = {"si-sdr": si_sdr_pairs, "coherence": lambda Y, R, x, *, xp: coherence_pairs(Y, R, xp=xp)}
LOSSES = {"si-sdr": si_sdr_loss, "coherence": lambda Y, R, x, *, xp: coherence_loss(Y, R, xp=xp)}

every = pytest.mark.parametrize("name", LOSSES)
sizes = pytest.mark.parametrize(("n", "n_references"), [(1, 1), (2, 2), (3, 2), (3, 3), (4, 4)])


def spectra(n=2, n_references=None, dtype="complex128", seed=0):
    """Estimates at any scale and in any order, references, and their sum."""
    rng = np.random.default_rng(seed)
    R = complex_normal(rng, 3, 5, n, 30) * rng.gamma(1.0, size=(3, 5, n, 1))
    noise = 0.3 * complex_normal(rng, *R.shape)
    Y = (R + noise)[:, :, rng.permutation(n)] * complex_normal(rng, 3, 5, n, 1)
    x = R.sum(axis=2)
    return Y.astype(dtype), R[:, :, : n_references or n].astype(dtype), x.astype(dtype)


@sizes
def test_si_sdr_is_that_of_the_scaled_estimates(n, n_references):
    Y, R, x = spectra(n, n_references)
    found = si_sdr_pairs(Y, R, x, xp=np)
    assert found.shape == (3, n_references, n)
    for b in range(3):
        Z = minimal_distortion(Y[b], x[b][:, None])
        for j in range(n_references):
            for k in range(n):
                r, z = (np.stack([a.real, a.imag]).ravel() for a in (R[b, :, j], Z[:, k]))
                square = 1 / (1 + 10 ** (-si_sdr(r, z) / 10))
                capped = (square + LEAST) / (1 - square + 10 ** (-CAP / 10))
                assert found[b, j, k] == pytest.approx(10 * np.log10(capped))


@sizes
def test_coherence_of_each_frequency(n, n_references):
    Y, R, _ = spectra(n, n_references)
    found = coherence_pairs(Y, R, xp=np)
    for b, j, k in np.ndindex(3, n_references, n):
        values = [
            abs(np.vdot(R[b, f, j], Y[b, f, k])) ** 2
            / (np.vdot(Y[b, f, k], Y[b, f, k]) * np.vdot(R[b, f, j], R[b, f, j])).real
            for f in range(5)
        ]
        assert found[b, j, k] == pytest.approx(np.mean(values))
    np.testing.assert_allclose(coherence_loss(R * 7j, R, xp=np)[0], -1)


def test_cap():
    _, R, x = spectra()
    assert si_sdr_loss(R, R, x, xp=np)[0] > -30.01
    assert si_sdr_loss(R[:, :, :1], R[:, :, :1], R[:, :, 0], xp=np)[0] == pytest.approx(-30, 1e-4)
    assert si_sdr_loss(R[:, :, :1], R[:, :, :1], R[:, :, 0], xp=np, cap=20)[0] > -20.01


@every
@sizes
def test_best_order(name, n, n_references):
    Y, R, x = spectra(n, n_references)
    pairs, (loss, gY) = PAIRS[name](Y, R, x, xp=np), LOSSES[name](Y, R, x, xp=np)
    best = [
        max(np.mean([q[j, k] for j, k in enumerate(order)])
            for order in permutations(range(n), n_references))
        for q in pairs
    ]  # fmt: skip
    assert loss == pytest.approx(-np.mean(best))
    order = np.random.default_rng(1).permutation(n)
    other, gradient = LOSSES[name](Y[:, :, order], R[:, :, ::-1], x, xp=np)
    assert other == pytest.approx(loss)
    np.testing.assert_allclose(gradient, gY[:, :, order], rtol=1e-9, atol=1e-13)


@every
@sizes
def test_finite_differences(name, n, n_references):
    Y, R, x = spectra(n, n_references)
    _, gY = LOSSES[name](Y, R, x, xp=np)
    way, step = complex_normal(np.random.default_rng(1), *Y.shape), 1e-5
    ends = [LOSSES[name](Y + sign * step * way, R, x, xp=np)[0] for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert np.sum(np.real(np.conj(gY) * way)) == pytest.approx(slope, rel=1e-6)


@every
@sizes
def test_autograd(name, n, n_references):
    autograd, (Y, R, x) = pytest.importorskip("autograd"), spectra(n, n_references)
    xp = Differentiable()
    xp.matrix_transpose = lambda a: xp.swapaxes(a, -1, -2)
    pairs = PAIRS[name](Y, R, x, xp=np)
    chosen = np.zeros_like(pairs)
    for b, q in enumerate(pairs):
        orders = permutations(range(n), n_references)
        best = max(orders, key=lambda order: sum(q[j, k] for j, k in enumerate(order)))
        chosen[b, range(n_references), best] = 1 / (3 * n_references)

    def function(planes):
        return -xp.sum(PAIRS[name](planes[0] + 1j * planes[1], R, x, xp=xp) * chosen)

    value, (re, im) = autograd.value_and_grad(function)((Y.real, Y.imag))
    loss, gY = LOSSES[name](Y, R, x, xp=np)
    assert loss == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gY, re + 1j * im, rtol=1e-10, atol=1e-10 * abs(gY).max())


@every
def test_scale_does_not_matter(name):
    Y, R, x = spectra()
    loss, gY = LOSSES[name](Y, R, x, xp=np)
    gains = complex_normal(np.random.default_rng(2), 3, 5, 2, 1)
    other, gradient = LOSSES[name](Y * gains, 1e-6 * R, 1e5 * x, xp=np)
    assert other == pytest.approx(loss)
    np.testing.assert_allclose(gradient * gains.conj(), gY, rtol=1e-9, atol=1e-13)


@every
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_silence(name, dtype):
    silent = [np.s_[:, 2], np.s_[:, :, 1], np.s_[1], np.s_[:, 2, 1], np.s_[:]]
    for part in silent:
        for which in ([0], [1], [0, 1], [0, 1, 2]):
            Y, R, x = spectra(dtype=dtype)
            for i in which:
                a = (Y, R, x)[i]
                a[part[:2] if isinstance(part, tuple) and i == 2 else part] = 0
            with np.errstate(all="raise", under="ignore"):
                loss, gY = LOSSES[name](Y, R, x, xp=np)
            assert np.isfinite(loss) and np.isfinite(gY).all() and gY.dtype == dtype


@every
@pytest.mark.parametrize("library", LIBRARIES)
def test_array_libraries(name, library):
    Y, R, x = spectra(3)
    loss, gY = LOSSES[name](Y, R, x, xp=np)
    Y, R, x = (library(a) for a in (Y, R, x))
    found, gradient = LOSSES[name](Y, R, x, xp=namespace(Y))
    np.testing.assert_allclose(to_host(found), loss, rtol=1e-12)
    np.testing.assert_allclose(to_host(gradient), gY, rtol=1e-10, atol=1e-13)
