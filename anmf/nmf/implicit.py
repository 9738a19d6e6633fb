"""Gradient of a separation loss through the non-negative solve, as pure array-API functions.

Activations h(W) = argmin_{h ≥ 0} ½‖v − h W‖² + α|h|₁ are smooth in W while their support S stays:
there h_S solves a linear system. Every function takes arrays and gives back new ones; those with a
compiled twin run it when they are given NumPy arrays.
"""

from anmf._core.arrays import device
from anmf._core.jit import with_twin

_twin = with_twin(module="anmf.nmf.implicit_numba")

RIDGE = 1e-4
"""ε of `support_solve` over the largest diagonal entry of G."""


@_twin
def support_solve(H, B, G, *, xp):
    """z with (G_SS + ε I) z_S = b_S on the support S = {t: h_t > 0} of each row, 0 elsewhere.

    Parameters
    ----------
    H : array (n, k)
        Activations, of which only the support matters.
    B : array (n, k)
        Right-hand sides.
    G : array (k, k)
        W Wᵀ.

    Returns
    -------
    Z : array (n, k)
    """
    support = xp.astype(H > 0, H.dtype)
    guard = RIDGE * xp.max(xp.linalg.diagonal(G))
    eye = xp.eye(H.shape[1], dtype=H.dtype, device=device(H))
    system = support[:, :, None] * support[:, None, :] * G[None, :, :]
    system = system + eye * (1 - support + guard)[:, None, :]
    return support * xp.linalg.solve(system, (support * B)[:, :, None])[:, :, 0]


@_twin
def mask_loss(V, U, P, least, floor, *, xp):
    """Log error of the Wiener output, and its gradient with respect to the parts.

    O_s = v ∘ (p_s + ε) / Σ_r (p_r + ε),  L = ½ Σ_s log(‖O_s − u_s‖² + δ),

    which is, up to a factor, minus the mean of the PSNR or SNR of the parts in dB.

    ∂L/∂p_s = v / Σ_r (p_r + ε) ∘ (g_s − Σ_r g_r ∘ m_r),  g_s = (O_s − u_s) / (‖O_s − u_s‖² + δ),
    with the masks m_r = O_r / v.

    Parameters
    ----------
    V : array (n, m)
        Mixtures.
    U : array (n_sources, n, m)
        Their true parts.
    P : array (n_sources, n, m)
        Parts as modelled, non-negative.
    least : float
        ε, positive.
    floor : float
        δ, positive.

    Returns
    -------
    loss : array (n,)
    gradient : array (n_sources, n, m)
    """
    P = P + least
    claimed = xp.sum(P, axis=0)
    masks = P / claimed
    error = masks * V - U
    energy = xp.sum(error * error, axis=2, keepdims=True) + floor
    G = error / energy
    mean = xp.sum(G * masks, axis=0)
    return 0.5 * xp.sum(xp.log(energy), axis=(0, 2)), (G - mean) * (V / claimed)


def analysis_gradient(V, H, Z, W, *, xp):
    """Gradient of a loss with respect to the W of the solve: Zᵀ (V − H W) − Hᵀ Z W.

    Z is `support_solve` of the loss's gradient with respect to H (implicit differentiation of
    (h W − v) W_Sᵀ + α = 0 on the support).

    Parameters
    ----------
    V : array (n, m)
        Mixtures.
    H, Z : array (n, k)
    W : array (k, m)

    Returns
    -------
    array (k, m)
    """
    cross = Z.T @ H
    return Z.T @ V - (cross + cross.T) @ W


def adam(theta, gradient, mean, square, rate, t, *, xp):
    """One step of Adam, and its two running moments (Kingma and Ba, ICLR 2015)."""
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient * gradient
    size = xp.sqrt(square) * (1 / (1 - 0.999**t) ** 0.5) + 1e-8
    return theta - (rate / (1 - 0.9**t)) * mean / size, mean, square
