"""The network behind the surrogate source model: from powers to weights, and its reverse pass.

For each source and frame it sees the power in bands, of the source and of the mean of the others,
and the level of both; a few gated convolutions over time give, in every band, a gain and two slopes
a, b. In frequency f, with p̃ the power smoothed over 3 × 3 neighbours and p̃' that of the others,

    z = gain + a (½ log p̃ − own band) + b (½ log p̃' − others' band),    φ = exp(4 tanh(z / 4)) / r,

each interpolated between bands, r the mean power of the frame. Where the outputs are zero, as at
the start of training, φ = 1 / r: the weights of the Gauss source model.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from anmf._core.arrays import like
from anmf._core.jit import with_twin
from anmf.deep import Network, layer

N_BANDS, WIDTH = 40, 96
LEAST, FLOOR, LIMIT = 1e-4, 1e-4, 4.0
"""Of the level of a frame; what is added to powers inside logarithms; largest |log φ r|."""

_MEL_SHARE = 0.7


@dataclass(frozen=True)
class Bands:
    """Triangles on an axis between mel and linear, and a network of that many bands.

    Attributes
    ----------
    n_frequencies : int
    sample_rate : float
        In Hz.
    n_bands : int
    width : int
        Channels of the network.
    top : float
        Highest frequency of the bands, in Hz; what is above has the gains of the last band.
    """

    n_frequencies: int
    sample_rate: float
    n_bands: int = N_BANDS
    width: int = WIDTH
    top: float = 8000.0

    @cached_property
    def frequencies(self):
        """In Hz (n_frequencies,)."""
        return np.linspace(0, self.sample_rate / 2, self.n_frequencies)

    def among(self, heard):
        """The same bands over some of the frequencies, a boolean array (n_frequencies,)."""
        some = replace(self, n_frequencies=int(np.sum(heard)))
        some.__dict__["frequencies"] = self.frequencies[heard]
        return some

    @cached_property
    def n_inside(self):
        """How many frequencies are within the bands."""
        return int(np.sum(self.frequencies <= self.top))

    @cached_property
    def places(self):
        """The band below each frequency, and how far it is to the next, from 0 to 1."""
        mel = np.log1p(self.frequencies / 700) / np.log1p(self.top / 700)
        place = _MEL_SHARE * mel + (1 - _MEL_SHARE) * self.frequencies / self.top
        place = np.minimum(place, 1) * (self.n_bands - 1)
        first = np.minimum(place.astype(int), self.n_bands - 2)
        return first, (place - first).astype(np.float32)

    @cached_property
    def up(self):
        """Interpolation from bands to frequencies (n_frequencies, n_bands)."""
        (first, share), rows = self.places, np.arange(self.n_frequencies)
        up = np.zeros((self.n_frequencies, self.n_bands))
        up[rows, first], up[rows, first + 1] = 1 - share.astype(float), share
        return up

    @cached_property
    def sizes(self):
        """How many frequencies bands count (n_bands,), with shares."""
        return self.up[: self.n_inside].sum(axis=0)

    @cached_property
    def down(self):
        """Means over the frequencies of bands (n_frequencies, n_bands); columns sum to one."""
        inside = self.up * (np.arange(self.n_frequencies) < self.n_inside)[:, None]
        return inside / np.where(self.sizes > 0, self.sizes, 1)

    @cached_property
    def lower(self):
        """The same bands over the lower half of the spectrum, as half the sampling rate has it."""
        n = (self.n_frequencies - 1) // 2
        rate = self.sample_rate * n / max(self.n_frequencies - 1, 1)
        return replace(self, n_frequencies=n + 1, sample_rate=rate)

    @cached_property
    def network(self):
        """The gated convolutions."""
        return band_network(self.n_bands, self.width)


def band_network(n_bands=N_BANDS, width=WIDTH):
    """Gated convolutions over time of growing reach; zeros come out of untrained weights."""

    def gated(n_in, dilation):
        conv = layer("conv", "conv", n_in=n_in, n_out=2 * width, dilation=dilation)
        return [conv, layer("gate", "glu")]

    return Network(
        [
            *gated(2 * n_bands + 2, 1),
            layer("near", "residual", network=Network(gated(width, 2))),
            layer("far", "residual", network=Network(gated(width, 4))),
            layer("out", "dense", n_in=width, n_out=3 * n_bands, start="zeros"),
        ]
    )


@with_twin(module="anmf.iva.band_network_numba")
def weigh(power, weights, bands, *, xp):
    """Weights φ of the sources of one recording from powers of any level, in single precision.

    They are scaled so that ⟨φ p⟩ = 1 for every source, or else its level would drift away in the
    iterations of AuxIVA.

    Parameters
    ----------
    power : array (n_frequencies, n_sources, n_frames)
    weights : dict of array
        Of the network, float32.
    bands : Bands
    xp : namespace

    Returns
    -------
    array (n_frequencies, n_sources, n_frames)
        In the dtype of `power`.
    """
    level = _or_one(xp.mean(power, axis=(0, 2), keepdims=True), xp)
    P = xp.astype(power / level, xp.float32)
    phi, _ = source_weights(weights, P[None, ...], bands, xp=xp)
    phi = phi[0, ...]
    scale = _or_one(xp.mean(phi * P, axis=(0, 2), keepdims=True), xp)
    return xp.astype(phi, power.dtype) / (level * xp.astype(scale, power.dtype))


def _or_one(x, xp):
    return xp.where(x > 0, x, xp.ones_like(x))


def source_weights(weights, P, bands, *, xp):
    """Weights φ of all sources from their powers.

    Parameters
    ----------
    weights : dict of array
        Of the network.
    P : array (b, n_frequencies, n_sources, n_frames)
        Power, with mean one a source.
    bands : Bands
    xp : namespace

    Returns
    -------
    phi : array of the shape of P
    tape : tuple
        For `source_weights_reverse`.
    """
    up = like(bands.up, P)
    level = xp.mean(P, axis=1, keepdims=True)
    r = xp.maximum(level, like(LEAST, P))
    power = _across(like(bands.down, P).T, P, xp)
    own, other, own_level = _log(power, xp), _log(_others(power, xp), xp), 0.5 * xp.log(r)
    x = [own - own_level, own_level, other - own_level, _log(_others(r, xp), xp)]
    y, tape = bands.network.forward(weights, _rows(xp.concat(x, axis=1), xp), xp=xp)
    y, k = _columns(y, P.shape, xp), bands.n_bands
    a, c = (_across(up, y[:, i * k : (i + 1) * k, ...], xp) for i in (1, 2))
    smooth = smoothed(P, xp=xp)
    rise = _log(smooth, xp) - _across(up, own, xp)
    rise_others = _log(_others(smooth, xp), xp) - _across(up, other, xp)
    z = _across(up, y[:, :k, ...], xp) + a * rise + c * rise_others
    bent = xp.tanh(z / LIMIT)
    phi = xp.exp(LIMIT * bent) / r
    return phi, (tape, level, r, power, smooth, (a, c), (rise, rise_others), bent, phi)


def source_weights_reverse(weights, kept, gphi, bands, *, xp):
    """Gradients with respect to the network's weights and to P, from that of φ.

    Parameters
    ----------
    weights : dict of array
    kept : tuple
        Of `source_weights`.
    gphi : array (b, n_frequencies, n_sources, n_frames)
    bands : Bands
    xp : namespace

    Returns
    -------
    gradients : dict of array
    gP : array of the shape of P
    """
    tape, level, r, power, smooth, slopes, rises, bent, phi = kept
    up, down, k = like(bands.up, phi), like(bands.down, phi), bands.n_bands
    g = gphi * phi
    gz = g * (1 - bent**2)
    gy = xp.concat([_across(up.T, x, xp) for x in (gz, *(gz * rise for rise in rises))], axis=1)
    gradients, gx = bands.network.backward(weights, tape, _rows(gy, xp), xp=xp)
    gx = _columns(gx, phi.shape, xp)
    grise, grise_others = (gz * slope for slope in slopes)
    gown, gother = gx[:, :k, ...], gx[:, k + 1 : -1, ...]
    glevel = gx[:, k : k + 1, ...] - xp.sum(gown + gother, axis=1, keepdims=True)
    gown, gother = gown - _across(up.T, grise, xp), gother - _across(up.T, grise_others, xp)
    gpower = _log_reverse(gown, power) + _others(_log_reverse(gother, _others(power, xp)), xp)
    gsmooth = _log_reverse(grise, smooth)
    gsmooth = gsmooth + _others(_log_reverse(grise_others, _others(smooth, xp)), xp)
    gr = (0.5 * glevel - xp.sum(g, axis=1, keepdims=True)) / r
    gr = gr + _others(_log_reverse(gx[:, -1:, ...], _others(r, xp)), xp)
    gP = smoothed_reverse(gsmooth, xp=xp) + _across(down, gpower, xp)
    return gradients, gP + xp.where(level > LEAST, gr, xp.zeros_like(gr)) / phi.shape[1]


def smoothed(P, *, xp):
    """Means over 3 × 3 neighbours in frequency and time (axes 1 and 3), those that exist."""
    return _neighbours(P, xp) / _counts(P)


def smoothed_reverse(g, *, xp):
    """The reverse pass of `smoothed`."""
    return _neighbours(g / _counts(g), xp)


def _neighbours(x, xp):
    """Sums of 3 × 3 neighbours in frequency and time."""
    f, t = xp.zeros_like(x[:, :1, ...]), xp.zeros_like(x[..., :1])
    x = x + xp.concat([x[:, 1:, ...], f], axis=1) + xp.concat([f, x[:, :-1, ...]], axis=1)
    return x + xp.concat([x[..., 1:], t], axis=3) + xp.concat([t, x[..., :-1]], axis=3)


def _counts(x):
    """How many neighbours there are, themselves included: (n_frequencies, 1, n_frames)."""
    f, t = (3.0 - (np.arange(n) == 0) - (np.arange(n) == n - 1) for n in (x.shape[1], x.shape[3]))
    return like(f[:, None, None] * t, x)


def _across(A, x, xp):
    """Matrix product along axis 1: (m, f) and (b, f, n, t) to (b, m, n, t)."""
    y = xp.matmul(A, xp.reshape(x, (*x.shape[:2], -1)))
    return xp.reshape(y, (*y.shape[:2], *x.shape[2:]))


def _others(x, xp):
    """Mean over the other sources (axis 2); zero where there is one. It is its own reverse pass."""
    return (xp.sum(x, axis=2, keepdims=True) - x) / max(x.shape[2] - 1, 1)


def _log(x, xp):
    return 0.5 * xp.log(x + FLOOR)


def _log_reverse(g, x):
    return 0.5 * g / (x + FLOOR)


def _rows(x, xp):
    """(b, c, n, t) to rows of the network, mixtures and sources in one axis: (b n, t, c)."""
    return xp.reshape(xp.permute_dims(x, (0, 2, 3, 1)), (-1, x.shape[3], x.shape[1]))


def _columns(y, shape, xp):
    """The way back from `_rows`, `shape` that of the powers."""
    b, _, n, t = shape
    return xp.permute_dims(xp.reshape(y, (b, n, t, -1)), (0, 3, 1, 2))
