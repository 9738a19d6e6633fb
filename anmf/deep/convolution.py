"""Convolutions over time with their reverse passes, as pure functions.

Signals are (batch, time, channels). The output is as long as the input, which counts as zero
beyond its ends. Tap k of an odd number of taps K looks (k − (K − 1) / 2) dilation frames ahead.
"""

from anmf._core.jit import with_twin
from anmf.deep.layers import column_sums, rows

_twin = with_twin(module="anmf.deep.layers_numba")


def shift(x, steps, xp):
    """x_{t + steps} along time, zero beyond the ends; its reverse pass is a shift by −steps."""
    if steps == 0:
        return x
    zeros = xp.zeros_like(x)
    if abs(steps) >= x.shape[1]:
        return zeros
    if steps > 0:
        return xp.concat([x[:, steps:, :], zeros[:, :steps, :]], axis=1)
    return xp.concat([zeros[:, :-steps, :], x[:, :steps, :]], axis=1)


def offsets(n_taps, dilation):
    """Frames by which each tap looks ahead."""
    return [(k - n_taps // 2) * dilation for k in range(n_taps)]


def conv(x, W, b, *, xp, dilation=1):
    """y_t = b + Σ_k x_{t + d (k − (K − 1) / 2)} W_k.

    The frames that all taps look at are put side by side, so that a convolution is one matrix
    product.

    Parameters
    ----------
    x : array (batch, time, n_in)
    W : array (K, n_in, n_out)
        K is odd.
    b : array (n_out,)
    dilation : int
        d.

    Returns
    -------
    y : array (batch, time, n_out)
    context : array (batch, time, K n_in)
        Frames side by side.
    """
    context = xp.concat([shift(x, s, xp) for s in offsets(W.shape[0], dilation)], axis=-1)
    y = rows(context, xp) @ xp.reshape(W, (-1, W.shape[2]))
    y += b
    return xp.reshape(y, (*x.shape[:2], W.shape[2])), context


def conv_reverse(gy, context, W, *, xp, dilation=1):
    """∂L/∂x_t = Σ_k g_{t − d (k − (K − 1) / 2)} W_kᵀ, ∂L/∂W_k = Σ_t x_{t + …}ᵀ g_t, ∂L/∂b = Σ g.

    Parameters
    ----------
    gy : array (batch, time, n_out)
        g = ∂L/∂y.
    context : array (batch, time, K n_in)
        Of `conv`.
    W : array (K, n_in, n_out)
    dilation : int

    Returns
    -------
    gx : array (batch, time, n_in)
    gW : array (K, n_in, n_out)
    gb : array (n_out,)
    """
    n, G = W.shape[1], rows(gy, xp)
    wide = xp.reshape(G @ xp.reshape(W, (-1, W.shape[2])).T, context.shape)
    steps = offsets(W.shape[0], dilation)
    gx = sum(shift(wide[:, :, k * n : (k + 1) * n], -s, xp) for k, s in enumerate(steps))
    gW = xp.reshape(rows(context, xp).T @ G, W.shape)
    return gx, gW, column_sums(G, xp)


@_twin
def depthwise(x, W, *, xp, dilation=1):
    """y_tc = Σ_k W_kc x_{t + d (k − (K − 1) / 2), c}: every channel by itself.

    Parameters
    ----------
    x : array (batch, time, n)
    W : array (K, n)
        K is odd.
    dilation : int
        d.

    Returns
    -------
    y : array (batch, time, n)
    """
    steps = offsets(W.shape[0], dilation)
    return sum(shift(x, s, xp) * W[k, :] for k, s in enumerate(steps))


@_twin
def depthwise_reverse(gy, x, W, *, xp, dilation=1):
    """∂L/∂x_t = Σ_k W_k ∘ g_{t − d (k − (K − 1) / 2)},  ∂L/∂W_k = Σ_t g_t ∘ x_{t + …}.

    Parameters
    ----------
    gy : array (batch, time, n)
        g = ∂L/∂y.
    x : array (batch, time, n)
    W : array (K, n)
    dilation : int

    Returns
    -------
    gx : array (batch, time, n)
    gW : array (K, n)
    """
    steps = offsets(W.shape[0], dilation)
    gx = sum(shift(gy, -s, xp) * W[k, :] for k, s in enumerate(steps))
    gW = [xp.sum(gy * shift(x, s, xp), axis=(0, 1)) for s in steps]
    return gx, xp.stack(gW)
