"""Unrolled iterative source steering: silence, equal channels, and what it refuses."""

import numpy as np
import pytest

from anmf.iva.unrolled import unroll, unrolled_loss
from tests.iva.unrolled_cases import Gauss, batch, both, loss_of, losses, smooth

SILENCES = {
    "bin": np.s_[:, 3],
    "mixture": np.s_[1],
    "channel": np.s_[:, :, 1],
    "channel in a bin": np.s_[:, 3, 1],
    "all": np.s_[:],
}


@both
@losses
@pytest.mark.parametrize("what", SILENCES)
def test_silence(what, name, reference, engine):
    for dtype in ("complex128", "complex64"):
        X, R = batch(2, dtype=dtype)
        X[SILENCES[what]] = 0
        model, loss = smooth(dtype), loss_of(name, R, X)
        with np.errstate(all="raise", under="ignore"):
            demixing = unroll(X, model, 30, xp=np)
            value, gradients = unrolled_loss(X, model, loss, 30, xp=np)
        assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradients.values())
        assert max(abs(W).max() for W in demixing) < 1e4
        assert what == "all" or any(np.any(g != 0) for g in gradients.values())


@both
def test_channels_that_are_equal_stay_finite(reference, engine):
    for dtype in ("complex128", "complex64"):
        X, R = batch(2, dtype=dtype)
        X[:, :4, 1] = X[:, :4, 0]
        model, loss = smooth(dtype), loss_of("si-sdr", R, X)
        value, gradients = unrolled_loss(X, model, loss, 30, xp=np)
        assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize("at", [(), (0, 3), (3, 3), (4,)])
def test_iterations_that_do_not_exist(at):
    X, R = batch()
    with pytest.raises(ValueError, match="different iterations from 1 to n_iter=3"):
        unrolled_loss(X, smooth(), loss_of("si-sdr", R, X), 3, xp=np, at=at)


def test_shapes_that_do_not_fit():
    X, _ = batch()
    for P in (np.ones((2, 9, 1, 40)), np.ones((2, 9, 2, 39)), np.ones((9, 2, 40))):
        model = Gauss({"beta": 1.0})
        model.forward = lambda _, P=P: (P, None)
        with pytest.raises(ValueError, match=r"weights of shape .*; expected \(2, 9, 2, 40\), or"):
            unroll(X, model, 1, xp=np)
    for shape in ((9, 2, 2), (2, 8, 2, 2), (2, 9, 2, 3)):
        with pytest.raises(ValueError, match=r"X has shape .*, W has .*; expected"):
            unroll(X, smooth(), 1, xp=np, W=np.ones(shape))
    with pytest.raises(ValueError, match=r"X has shape .*, W has None; expected"):
        unroll(X[0], smooth(), 1, xp=np)
