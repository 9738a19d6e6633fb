"""Is the gradient through the unrolled iterations that of finite differences, and of autograd?

In double precision, through ten iterations of iterative source steering and the whole network.
"""

from functools import partial
from importlib.util import find_spec

import numpy as np

from anmf.datasets import make_voices, simulate_room
from anmf.iva.band_network import Bands, source_weights
from anmf.iva.losses import si_sdr_pairs
from anmf.iva.surrogate_training import LOSSES, Batches, Weighing
from anmf.iva.unrolled import unroll, unrolled_loss
from anmf.metrics import solve_permutation

N_ITER, AT, ENTRIES = 10, (5, 10), 3
STEP = 1e-4
"""Of finite differences."""


def problem(sample_rate, seconds, n_fft, n_bands, width, dtype="complex64"):
    """A network that isn't at its start, and a mixture of two voices in a room.

    Returns
    -------
    weights : dict of ndarray
    bands : Bands
    X, R : complex ndarray (1, n_frequencies, 2, n_frames)
        Microphones and references.
    """
    voices = make_voices(2, seconds, sample_rate=sample_rate, random_state=0).waveforms
    room = simulate_room(voices, 2, rt60=0.2, sample_rate=sample_rate, random_state=0)
    batches = Batches(
        [room.mixture], [room.images[:, :, 0]], (n_fft, n_fft // 4, "hann"), len(voices), 1,
        (N_ITER, N_ITER), 0,
    )  # fmt: skip
    X, R, *_ = batches(0)
    bands = Bands(n_fft // 2 + 1, sample_rate, n_bands, width, sample_rate / 2)
    rng = np.random.default_rng(0)
    weights = bands.network.start(rng)
    weights["out.W"] = 0.05 * rng.standard_normal(weights["out.W"].shape)
    real = np.empty(0, dtype).real.dtype
    weights = {name: w.astype(real) for name, w in weights.items()}
    return weights, bands, X.astype(dtype), R.astype(dtype)


def training_loss(weights, bands, X, R, loss="sdr"):
    """The loss half-way and at the end of ten iterations, and its gradient."""
    model = Weighing(weights, bands)
    return unrolled_loss(X, model, LOSSES[loss](R, X), N_ITER, xp=np, at=AT)


def slope(function, step=STEP):
    """Derivative at 0 of a function of one number, by differences of fourth order."""
    ends = [function(i * step) for i in (-2, -1, 1, 2)]
    return (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)


def by_finite_differences(weights, bands, X, R, loss="sdr"):
    """Largest relative error: along a random direction of each weight, and at some entries.

    That of an entry is relative to the largest of its array.
    """
    rng, errors = np.random.default_rng(1), []
    _, gradients = training_loss(weights, bands, X, R, loss)

    def value(name, way, t):
        moved = {**weights, name: weights[name] + t * way}
        return training_loss(moved, bands, X, R, loss)[0]

    for name, g in gradients.items():
        way = rng.standard_normal(g.shape)
        expected = slope(partial(value, name, way))
        errors.append(abs(np.sum(g * way) - expected) / abs(expected))
        for i in rng.choice(g.size, ENTRIES, replace=False):
            way = np.zeros(g.shape)
            way.flat[i] = 1
            expected = slope(partial(value, name, way))
            errors.append(abs(g.flat[i] - expected) / np.abs(g).max())
    return float(max(errors))


class Traced:
    """NumPy as HIPS autograd wraps it, under the names of the array API."""

    def __init__(self):
        from autograd import numpy as wrapped
        from autograd.numpy.numpy_boxes import ArrayBox

        ArrayBox.device = property(lambda box: box._value.device)  # it has none of its own
        self._wrapped = wrapped
        self.concat, self.permute_dims = wrapped.concatenate, wrapped.transpose

    def __getattr__(self, name):
        return getattr(self._wrapped, name)

    def matrix_transpose(self, x):
        """Of the last two axes."""
        return self._wrapped.swapaxes(x, -1, -2)


class TracedWeighing:
    """The network, of weights that autograd follows."""

    def __init__(self, weights, bands, xp):
        self.forward = lambda P: source_weights(weights, P, bands, xp=xp)


def by_autograd(weights, bands, X, R):
    """Largest error of a gradient, relative to its array's largest; None without autograd.

    Autograd goes through the array-API reference of everything.
    """
    if find_spec("autograd") is None:
        print("autograd isn't installed, so gradients aren't compared with it")
        return None
    from autograd import grad

    xp, x = Traced(), X[:, :, 0, :]
    demixing = unroll(X, Weighing(weights, bands), N_ITER, xp=np)
    orders = {k: solve_permutation(si_sdr_pairs(demixing[k] @ X, R, x, xp=np)) for k in AT}

    def function(arguments):
        weights, re, im = arguments  # a mixture that is traced takes the references' path
        demixing = unroll(re + 1j * im, TracedWeighing(weights, bands, xp), N_ITER, xp=xp)
        total = 0.0
        for k in AT:
            pairs = si_sdr_pairs(xp.matmul(demixing[k], X), R, x, xp=xp)
            total = total - xp.sum(pairs * np.eye(R.shape[2])[orders[k]])
        return total / (len(X) * R.shape[2] * len(AT))

    expected = grad(function)((weights, X.real, X.imag))[0]
    _, gradients = training_loss(weights, bands, X, R)
    return max(
        float(np.abs(g - expected[name]).max() / np.abs(expected[name]).max())
        for name, g in gradients.items()
    )
