"""How far demixed spectra are from the true sources, whatever their order and scale.

Losses to train a source model with, as array-API functions. Arrays: estimates Y and references R
(batch, n_frequencies, n_sources, n_frames), complex. Both losses see the spectra only through sums
over frames at every frequency, n = ⟨x, y⟩, d = ⟨y, y⟩ and C_kj = ⟨y_k, r_j⟩, with ⟨a, b⟩ = Σ_t a b̄;
the pairs that belong together are found on the host. The gradient with respect to Y is
∂L/∂Re Y + i ∂L/∂Im Y.
"""

import math

import numpy as np

from anmf._core.arrays import like, to_host
from anmf.metrics.permutation import picked, solve_permutation

LEAST = 1e-5
"""α of `si_sdr_pairs`, −50 dB."""

CAP = 30.0
"""Where `si_sdr_pairs` level off, in dB; single precision tells some 50 dB from perfection."""


def si_sdr_pairs(Y, R, x, *, xp, cap=CAP):
    """SI-SDR of each estimate, scaled to a microphone, for each reference, softly capped.

    The principle of minimal distortion gives z_k = a_k y_k, a_k = ⟨x, y_k⟩ / ⟨y_k, y_k⟩, at every
    frequency. Over all of them, c² = (Re ⟨z_k, r_j⟩)² / (‖z_k‖² ‖r_j‖²), and

        SI-SDR = 10 log₁₀ ((c² + α) / (1 − c² + β)),    β = 10^(−cap / 10).

    Silent estimates and references have c = 0.

    Parameters
    ----------
    Y, R : complex arrays (batch, n_frequencies, n_sources, n_frames)
        Estimates at any scale, and sources as the microphone hears them.
    x : complex array (batch, n_frequencies, n_frames)
        The microphone.
    xp : namespace
    cap : float
        In dB.

    Returns
    -------
    array (batch, n_references, n_sources)

    References
    ----------
    Le Roux, Wisdom, Erdogan and Hershey, "SDR – half-baked or well done?", ICASSP 2019; the soft
    cap after Wisdom et al., "Unsupervised sound separation using mixture invariant training",
    NeurIPS 2020.
    """
    c = _correlation(Y, R, x, xp)[0]
    return xp.matrix_transpose(_decibels(c * c, cap, xp))


def si_sdr_loss(Y, R, x, *, xp, cap=CAP):
    """Minus the mean of `si_sdr_pairs` in the best order, and its gradient.

    Parameters
    ----------
    Y, R, x, xp, cap
        As in `si_sdr_pairs`.

    Returns
    -------
    loss : array ()
        In dB.
    gY : complex array (batch, n_frequencies, n_sources, n_frames)
    """
    c, C, a, inverse, size, level = _correlation(Y, R, x, xp)
    chosen, loss = _best(xp.matrix_transpose(_decibels(c * c, cap, xp)), xp)
    slope = 1 / (c * c + LEAST) + 1 / (1 - c * c + _beta(cap))
    gc = -20 / math.log(10) / (Y.shape[0] * R.shape[2]) * chosen * c * slope
    along = (gc * size * level)[:, None, :, :]
    genergy = -0.5 * xp.sum(gc * c * size**2, axis=2)[:, None, :]  # of ‖z‖² = Σ |n|² / d
    ga = xp.sum(along * xp.conj(C), axis=3)
    gn = ga * inverse + 2 * genergy * a
    gd = -xp.real(xp.conj(ga) * a) * inverse - genergy * _square(a, xp)
    gY = xp.matmul(along * xp.conj(a)[..., None], R) + 2 * gd[..., None] * Y
    return loss, gY + xp.conj(gn)[..., None] * x[:, :, None, :]


def coherence_pairs(Y, R, *, xp):
    """Coherence of each estimate and each reference, the mean over frequencies.

    |⟨y_k, r_j⟩|² / (⟨y_k, y_k⟩ ⟨r_j, r_j⟩), from 0 to 1; blind to the scale at every frequency. It
    is zero where one of the two is silent.

    Parameters
    ----------
    Y, R : complex arrays (batch, n_frequencies, n_sources, n_frames)
    xp : namespace

    Returns
    -------
    array (batch, n_references, n_sources)

    References
    ----------
    Scheibler and Togami, "Surrogate source model learning for determined source separation",
    ICASSP 2021 (arXiv:2011.05540).
    """
    U = _coherent(Y, R, xp)[0]
    return xp.matrix_transpose(xp.mean(_square(U, xp), axis=1))


def coherence_loss(Y, R, *, xp):
    """Minus the mean of `coherence_pairs` in the best order, and its gradient.

    Parameters
    ----------
    Y, R, xp
        As in `coherence_pairs`.

    Returns
    -------
    loss : array ()
        From −1, the best, to 0.
    gY : complex array (batch, n_frequencies, n_sources, n_frames)
    """
    U, own, other = _coherent(Y, R, xp)
    coherence = _square(U, xp)
    chosen, loss = _best(xp.matrix_transpose(xp.mean(coherence, axis=1)), xp)
    g = -chosen[:, None, :, :] / (Y.shape[0] * Y.shape[1] * R.shape[2])
    gC = 2 * g * U * own[..., None] * other[:, :, None, :]
    gd = -xp.sum(g * coherence, axis=3) * own**2
    return loss, xp.matmul(gC, R) + 2 * gd[..., None] * Y


def _coherent(Y, R, xp):
    """C_kj / √(⟨y_k, y_k⟩ ⟨r_j, r_j⟩) (..., n_sources, n_references), and the two inverse roots."""
    own, other = (_inverse(_energy(Z, xp), xp) ** 0.5 for Z in (Y, R))
    return _cross(Y, R, xp) * own[..., None] * other[:, :, None, :], own, other


def _best(pairs, xp):
    """1 for what belongs together (batch, n_sources, n_references), and minus the mean of it."""
    order = solve_permutation(pairs)
    chosen = to_host(order)[:, None, :] == np.arange(pairs.shape[2])[:, None]
    return like(chosen, pairs), -xp.mean(picked(pairs, order))


def _cross(Y, R, xp):
    """⟨y_k, r_j⟩ (batch, n_frequencies, n_sources, n_references)."""
    return xp.matmul(Y, xp.conj(xp.matrix_transpose(R)))


def _energy(Y, xp):
    """⟨y, y⟩ at every frequency."""
    return xp.sum(_square(Y, xp), axis=3)


def _square(Y, xp):
    return xp.real(Y) ** 2 + xp.imag(Y) ** 2


def _inverse(d, xp):
    """1 / d, zero for silence."""
    return xp.where(d > 0, 1 / xp.where(d > 0, d, 1.0), 0.0)


def _correlation(Y, R, x, xp):
    """c (batch, n_sources, n_references) of `si_sdr_pairs`, and what it is made of.

    Those are ⟨y, r⟩, a, 1 / ⟨y, y⟩, 1 / ‖z‖ (batch, n_sources, 1) and 1 / ‖r‖ (batch, 1,
    n_references).
    """
    C, inverse = _cross(Y, R, xp), _inverse(_energy(Y, xp), xp)
    n = xp.sum(x[:, :, None, :] * xp.conj(Y), axis=3)
    a = n * inverse
    size = _inverse(xp.sum(_square(n, xp) * inverse, axis=1), xp)[:, :, None] ** 0.5
    level = _inverse(xp.sum(_energy(R, xp), axis=1), xp)[:, None, :] ** 0.5
    along = xp.sum(xp.real(a[..., None] * C), axis=1)
    return along * size * level, C, a, inverse, size, level


def _decibels(square, cap, xp):
    return 10 * xp.log10((square + LEAST) / (1 - square + _beta(cap)))


def _beta(cap):
    return 10 ** (-cap / 10)
