"""Layers as pure functions with their reverse passes: dense, normalised, gated, point by point.

A layer takes arrays and returns its output, followed by what its reverse pass needs beyond the
arguments. The reverse pass takes ∂L/∂y and returns ∂L/∂x, followed by ∂L/∂w of each weight. The
last axis holds channels; any axes before it are samples.
"""

from anmf._core.jit import with_twin

_twin = with_twin(module="anmf.deep.layers_numba")


def rows(x, xp):
    """`x` (..., n) as a matrix (samples, n), so that a layer is one matrix product."""
    return xp.reshape(x, (-1, x.shape[-1]))


def dense(x, W, b, *, xp):
    """y = x W + b.

    Parameters
    ----------
    x : array (..., n_in)
    W : array (n_in, n_out)
    b : array (n_out,)

    Returns
    -------
    y : array (..., n_out)
    """
    y = rows(x, xp) @ W
    y += b
    return xp.reshape(y, (*x.shape[:-1], W.shape[1]))


def dense_reverse(gy, x, W, *, xp):
    """∂L/∂x = g Wᵀ,  ∂L/∂W = xᵀ g,  ∂L/∂b = Σ g, with sums over samples.

    Parameters
    ----------
    gy : array (..., n_out)
        g = ∂L/∂y.
    x : array (..., n_in)
    W : array (n_in, n_out)

    Returns
    -------
    gx : array (..., n_in)
    gW : array (n_in, n_out)
    gb : array (n_out,)
    """
    G = rows(gy, xp)
    gx = xp.reshape(G @ W.T, x.shape)
    return gx, rows(x, xp).T @ G, column_sums(G, xp)


def column_sums(G, xp):
    """Sums (n,) of the columns of `G`, by a product, which is faster than a sum along axis 0."""
    return xp.matmul(xp.ones_like(G[:, 0]), G)


@_twin
def layer_norm(x, gain, bias, *, xp, epsilon=1e-5):
    """y = γ ∘ n + β with n = (x − mean x) r, r = (var x + ε)^−½, over channels.

    Parameters
    ----------
    x : array (..., n)
    gain, bias : array (n,)
        γ and β.
    epsilon : float

    Returns
    -------
    y : array (..., n)
    normal : array (..., n)
        n.
    scale : array (..., 1)
        r.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", arXiv:1607.06450.
    """
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    scale = (xp.mean(centred * centred, axis=-1, keepdims=True) + epsilon) ** -0.5
    normal = centred * scale
    return normal * gain + bias, normal, scale


@_twin
def layer_norm_reverse(gy, normal, scale, gain, *, xp):
    """∂L/∂x = r (h − mean h − n mean(h ∘ n)) with h = γ ∘ g; ∂L/∂γ = Σ g ∘ n, ∂L/∂β = Σ g.

    Parameters
    ----------
    gy : array (..., n)
        g = ∂L/∂y.
    normal, scale : arrays
        n (..., n) and r (..., 1) of `layer_norm`.
    gain : array (n,)

    Returns
    -------
    gx : array (..., n)
    ggain, gbias : array (n,)
    """
    h = gy * gain
    along = xp.mean(h * normal, axis=-1, keepdims=True)
    gx = scale * (h - xp.mean(h, axis=-1, keepdims=True) - normal * along)
    G = rows(gy, xp)
    return gx, xp.sum(G * rows(normal, xp), axis=0), xp.sum(G, axis=0)


@_twin
def unit_length(x, *, xp, epsilon=1e-6):
    """y = x r with r = (‖x‖² + ε)^−½ over the last axis.

    ε keeps vectors near zero, and their gradients, finite.

    Parameters
    ----------
    x : array (..., n)
    epsilon : float

    Returns
    -------
    y : array (..., n)
    scale : array (..., 1)
        r.
    """
    scale = (xp.sum(x * x, axis=-1, keepdims=True) + epsilon) ** -0.5
    return x * scale, scale


@_twin
def unit_length_reverse(gy, y, scale, *, xp):
    """∂L/∂x = r (g − y (y·g)).

    Parameters
    ----------
    gy : array (..., n)
        g = ∂L/∂y.
    y, scale : arrays
        (..., n) and r (..., 1) of `unit_length`.

    Returns
    -------
    gx : array (..., n)
    """
    return scale * (gy - y * xp.sum(y * gy, axis=-1, keepdims=True))


def gated(a, b, *, xp):
    """y = a ∘ s with s = sigmoid(b).

    Parameters
    ----------
    a, b : array (..., n)

    Returns
    -------
    y : array (..., n)
    gate : array (..., n)
        s.

    References
    ----------
    Y. N. Dauphin, A. Fan, M. Auli, D. Grangier, "Language modeling with gated convolutional
    networks", ICML 2017.
    """
    gate = sigmoid(b, xp=xp)
    return a * gate, gate


def gated_reverse(gy, a, gate, *, xp):
    """∂L/∂a = g ∘ s,  ∂L/∂b = g ∘ a ∘ s ∘ (1 − s).

    Parameters
    ----------
    gy : array (..., n)
        g = ∂L/∂y.
    a, gate : array (..., n)
        Of `gated`.

    Returns
    -------
    ga, gb : array (..., n)
    """
    ga, gb = gy * gate, 1 - gate
    gb *= ga
    gb *= a
    return ga, gb


def glu(x, *, xp):
    """`gated` of the two halves of the channels, (a, b) = x.

    Parameters
    ----------
    x : array (..., 2 n)

    Returns
    -------
    y : array (..., n)
    gate : array (..., n)
    """
    n = x.shape[-1] // 2
    return gated(x[..., :n], x[..., n:], xp=xp)


def glu_reverse(gy, x, gate, *, xp):
    """`gated_reverse` of the two halves, side by side.

    Parameters
    ----------
    gy : array (..., n)
    x : array (..., 2 n)
    gate : array (..., n)
        Of `glu`.

    Returns
    -------
    gx : array (..., 2 n)
    """
    return xp.concat(gated_reverse(gy, x[..., : gy.shape[-1]], gate, xp=xp), axis=-1)


def softmax(x, *, xp, axis=-1):
    """y = exp x / Σ exp x along `axis`.

    Parameters
    ----------
    x : array
    axis : int

    Returns
    -------
    y : array
        Of the same shape, positive, with sum 1 along `axis`.
    """
    y = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return y / xp.sum(y, axis=axis, keepdims=True)


def softmax_reverse(gy, y, *, xp, axis=-1):
    """∂L/∂x = y ∘ (g − Σ g ∘ y), from g = ∂L/∂y and the output y."""
    weighted = gy * y
    return weighted - y * xp.sum(weighted, axis=axis, keepdims=True)


def sigmoid(x, *, xp):
    """y = 1 / (1 + exp −x), written ½ + ½ tanh(x / 2), which can't overflow."""
    y = xp.tanh(0.5 * x)
    y = y * 0.5
    y += 0.5
    return y


def sigmoid_reverse(gy, y, *, xp):
    """∂L/∂x = g ∘ y ∘ (1 − y), from g = ∂L/∂y and the output y."""
    return gy * y * (1 - y)


def tanh(x, *, xp):
    """y = tanh x."""
    return xp.tanh(x)


def tanh_reverse(gy, y, *, xp):
    """∂L/∂x = g ∘ (1 − y²), from g = ∂L/∂y and the output y."""
    return gy * (1 - y * y)


def softplus(x, *, xp):
    """y = log(1 + exp x), written max(x, 0) + log(1 + exp −|x|), which can't overflow."""
    return 0.5 * (x + xp.abs(x)) + xp.log1p(xp.exp(-xp.abs(x)))


def softplus_reverse(gy, y, *, xp):
    """∂L/∂x = g ∘ sigmoid(x) = g ∘ (1 − exp −y), from g = ∂L/∂y and the output y."""
    return -gy * xp.expm1(-y)
