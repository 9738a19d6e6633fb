"""The surrogate source model trained through AuxIVA in PyTorch, to compare with.

The same network, iterations and loss as ours, as its users would write them: complex tensors, and
gradients by automatic differentiation. Only functions import torch.
"""

from importlib.util import find_spec
from itertools import permutations

import numpy as np

from anmf.iva.band_network import FLOOR, LEAST, LIMIT
from anmf.iva.losses import CAP
from anmf.iva.losses import LEAST as ALPHA
from anmf.iva.unrolled import FLOOR as SMALLEST


def installed():
    """Whether PyTorch is there."""
    return find_spec("torch") is not None


def parameters(weights):
    """Our weights as tensors that gradients are wanted for, filters as PyTorch orders them."""
    import torch

    return {
        name: torch.tensor(w.transpose().copy() if w.ndim == 3 else w, requires_grad=True)
        for name, w in weights.items()
    }


def gradients(tensors):
    """Gradients of those, in our order."""
    found = {name: w.grad.numpy() for name, w in tensors.items()}
    return {name: g.transpose() if g.ndim == 3 else g for name, g in found.items()}


def prepared(bands, X, R):
    """What `loss` takes besides the parameters: tensors of the bands, mixtures and references."""
    import torch

    real = X.real.dtype
    maps = [torch.tensor(np.ascontiguousarray(m.T), dtype=getattr(torch, str(real)))
            for m in (bands.up.T, bands.down)]  # fmt: skip
    return *maps, torch.tensor(X), torch.tensor(R)


def loss(tensors, up, down, X, R, n_iter, at):
    """Mean loss over some of the iterations, as that of ``unrolled_loss`` with ``si_sdr_loss``.

    Parameters
    ----------
    tensors : dict of Tensor
        Of `parameters`.
    up, down, X, R : Tensor
        Of `prepared`: bands to frequencies and back; (batch, n_frequencies, n_channels, n_frames).
    n_iter : int
    at : sequence of int

    Returns
    -------
    Tensor ()
        In dB.
    """
    Y, total = X, 0.0
    for k in range(1, n_iter + 1):
        power = squared(Y)
        level = power.mean((1, 3), keepdim=True)
        Y = sweep(Y * level**-0.5, weighed(tensors, power / level, up, down))
        if k in at:
            total = total + si_sdr_loss(Y, R, X[:, :, :1]) / len(at)
    return total


def squared(Y):
    """|y|²."""
    return Y.real**2 + Y.imag**2


def sweep(Y, phi):
    """One sweep of iterative source steering."""
    import torch

    n = Y.shape[2]
    for s in range(n):
        y = Y[:, :, s : s + 1]
        d = (phi * squared(y)).mean(-1).clamp(min=SMALLEST)
        v = (phi * Y * y.conj()).mean(-1) / d
        own = torch.arange(n) == s
        v = torch.where(own, (1 - d**-0.5).to(v.dtype), v)
        Y = Y - v[..., None] * y
    return Y


def weighed(tensors, P, up, down):
    """Weights of powers (batch, n_frequencies, n_sources, n_frames) with mean one a source."""
    import torch

    n_bands, smooth = up.shape[1], torch.nn.functional.avg_pool2d
    Q = P.permute(0, 2, 1, 3)  # batch, sources, frequencies, frames
    r = Q.mean(2, keepdim=True).clamp(min=LEAST)
    power = down @ Q
    own, other, own_level = log(power), log(others(power)), 0.5 * torch.log(r)
    x = torch.cat([own - own_level, own_level, other - own_level, log(others(r))], 2)
    gain, a, c = network(tensors, x.flatten(0, 1)).view(*x.shape[:2], 3, n_bands, -1).unbind(2)
    near = smooth(Q, 3, 1, 1, count_include_pad=False)
    rise, rise_others = log(near) - up @ own, log(others(near)) - up @ other
    z = up @ gain + (up @ a) * rise + (up @ c) * rise_others
    phi = torch.exp(LIMIT * torch.tanh(z / LIMIT)) / r
    return phi.permute(0, 2, 1, 3)


def network(tensors, x):
    """Gated convolutions of (batch, n_channels, n_frames), then a map of every frame."""
    import torch

    def gated(x, name, dilation):
        W, b = tensors[f"{name}.W"], tensors[f"{name}.b"]
        y = torch.nn.functional.conv1d(x, W, b, padding=dilation, dilation=dilation)
        return torch.nn.functional.glu(y, dim=1)

    x = gated(x, "conv", 1)
    x = x + gated(x, "near.conv", 2)
    x = x + gated(x, "far.conv", 4)
    return tensors["out.W"].T @ x + tensors["out.b"][:, None]


def log(power):
    """Half the logarithm."""
    return 0.5 * (power + FLOOR).log()


def others(x):
    """Mean over the other sources."""
    return (x.sum(1, keepdim=True) - x) / max(x.shape[1] - 1, 1)


def si_sdr_loss(Y, R, x):
    """Minus the mean SI-SDR in the best order, after scaling to microphone `x`."""
    import torch

    Z = Y * ((x * Y.conj()).sum(-1) / squared(Y).sum(-1))[..., None]
    dot = (Z @ R.mH).real.sum(1)
    energies = [squared(A).sum((1, 3)) for A in (Z, R)]
    c2 = dot**2 / (energies[0][:, :, None] * energies[1][:, None, :])
    pairs = 10 * torch.log10((c2 + ALPHA) / (1 - c2 + 10 ** (-CAP / 10)))
    n = R.shape[2]
    orders = [sum(pairs[:, p[j], j] for j in range(n)) / n for p in permutations(range(n))]
    return -torch.stack(orders).max(0).values.mean()
