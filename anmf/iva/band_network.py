"""The network behind the surrogate source model: from powers to weights, and its reverse pass.

For each source and frame it sees the power in bands, of the source and of the mean of the others,
and the level of both; a few gated convolutions over time give, in every band, a gain and two slopes
a, b. In frequency f, with p̃ the power smoothed over 3 × 3 neighbours and p̃' that of the others,

    z = gain + a (½ log p̃ − own band) + b (½ log p̃' − others' band),    φ = exp(4 tanh(z / 4)) / r,

each interpolated between bands, r the mean power of the frame. Where the outputs are zero, as at
the start of training, φ = 1 / r: the weights of the Gauss source model.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anmf._core.arrays import like
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
    def up(self):
        """Interpolation from bands to frequencies (n_frequencies, n_bands)."""
        f = np.linspace(0, self.sample_rate / 2, self.n_frequencies)

        def place(f):
            return (
                _MEL_SHARE * np.log1p(f / 700) / np.log1p(self.top / 700)
                + (1 - _MEL_SHARE) * f / self.top
            )

        places = np.minimum(place(f), 1)
        centres = np.linspace(0, 1, self.n_bands)
        return np.clip(1 - np.abs(places[:, None] - centres) * (self.n_bands - 1), 0, 1)

    @cached_property
    def down(self):
        """Means over the frequencies of bands (n_frequencies, n_bands); columns sum to one."""
        f = np.linspace(0, self.sample_rate / 2, self.n_frequencies)
        inside = self.up * (f <= self.top)[:, None]
        total = inside.sum(axis=0)
        return inside / np.where(total > 0, total, 1)

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
    Q = xp.permute_dims(P, (0, 2, 3, 1))
    up = like(bands.up, Q)
    level = xp.mean(Q, axis=3, keepdims=True)
    r = xp.maximum(level, like(LEAST, Q))
    power = xp.matmul(Q, like(bands.down, Q))
    own, other, own_level = _log(power, xp), _log(_others(power, xp), xp), 0.5 * xp.log(r)
    x = [own - own_level, own_level, other - own_level, _log(_others(r, xp), xp)]
    x = xp.concat(x, axis=3)
    y, tape = bands.network.forward(weights, _joined(x, xp), xp=xp)
    y = xp.reshape(y, (*x.shape[:3], -1))
    k = bands.n_bands
    gain, a, c = (xp.matmul(y[..., i * k : (i + 1) * k], up.T) for i in range(3))
    smooth = smoothed(Q, xp=xp)
    rise = _log(smooth, xp) - xp.matmul(own, up.T)
    rise_others = _log(_others(smooth, xp), xp) - xp.matmul(other, up.T)
    bent = xp.tanh((gain + a * rise + c * rise_others) / LIMIT)
    phi = xp.exp(LIMIT * bent) / r
    kept = tape, level, r, power, smooth, (a, c), (rise, rise_others), bent, phi
    return xp.permute_dims(phi, (0, 3, 1, 2)), kept


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
    up, k = like(bands.up, phi), bands.n_bands
    g = xp.permute_dims(gphi, (0, 2, 3, 1)) * phi
    gz = g * (1 - bent**2)
    gy = xp.concat([xp.matmul(gz * x, up) for x in (1.0, *rises)], axis=3)
    gradients, gx = bands.network.backward(weights, tape, _joined(gy, xp), xp=xp)
    gx = xp.reshape(gx, (*phi.shape[:3], -1))
    grise, grise_others = (gz * slope for slope in slopes)
    gown, gother = gx[..., :k], gx[..., k + 1 : -1]
    glevel = gx[..., k : k + 1] - xp.sum(gown + gother, axis=3, keepdims=True)
    gown, gother = gown - xp.matmul(grise, up), gother - xp.matmul(grise_others, up)
    gpower = _log_reverse(gown, power) + _others(_log_reverse(gother, _others(power, xp)), xp)
    gsmooth = _log_reverse(grise, smooth)
    gsmooth = gsmooth + _others(_log_reverse(grise_others, _others(smooth, xp)), xp)
    gr = (0.5 * glevel - xp.sum(g, axis=3, keepdims=True)) / r
    gr = gr + _others(_log_reverse(gx[..., -1:], _others(r, xp)), xp)
    gQ = smoothed_reverse(gsmooth, xp=xp) + xp.matmul(gpower, like(bands.down, phi).T)
    gQ = gQ + xp.where(level > LEAST, gr, xp.zeros_like(gr)) / phi.shape[3]
    return gradients, xp.permute_dims(gQ, (0, 3, 1, 2))


def smoothed(Q, *, xp):
    """Means over 3 × 3 neighbours in time and frequency, those that exist; the last two axes."""
    for axis in (2, 3):
        Q = _neighbours(Q, axis, xp) / _counts(Q, axis)
    return Q


def smoothed_reverse(g, *, xp):
    """The reverse pass of `smoothed`."""
    for axis in (3, 2):
        g = _neighbours(g / _counts(g, axis), axis, xp)
    return g


def _neighbours(x, axis, xp):
    """Sum of each entry and the ones before and after it along an axis of four."""
    first = (slice(None),) * axis
    zero = xp.zeros_like(x[(*first, slice(0, 1), ...)])
    before = xp.concat([zero, x[(*first, slice(None, -1), ...)]], axis=axis)
    after = xp.concat([x[(*first, slice(1, None), ...)], zero], axis=axis)
    return x + before + after


def _counts(x, axis):
    """How many neighbours entries have along an axis, themselves included."""
    n = x.shape[axis]
    counts = np.full(n, 3.0)
    counts[[0, -1]] -= 1
    return like(np.reshape(counts, (n, *(1,) * (3 - axis))), x)


def _others(x, xp):
    """Mean over the other sources (axis 1); zero where there is one. It is its own reverse pass."""
    return (xp.sum(x, axis=1, keepdims=True) - x) / max(x.shape[1] - 1, 1)


def _log(x, xp):
    return 0.5 * xp.log(x + FLOOR)


def _log_reverse(g, x):
    return 0.5 * g / (x + FLOOR)


def _joined(x, xp):
    """Mixtures and sources in one axis: (b n, n_frames, n_channels)."""
    return xp.reshape(x, (x.shape[0] * x.shape[1], x.shape[2], -1))
