"""Speakers of a recording from windows in which one or two of them talk: a variational EM.

A window is in one of several states: each speaker alone, and every pair of speakers. States of one
kind share what overlap does to a window, which labelled windows have taught (`pair_learning`). In
coordinates y (n, p) that are independent of each other,

    y_i = c + a ∘ (h M) + noise of variance s,      M ~ N(0, Φ),

with the speakers M (K, p), weights h (K,) that say who talks, and (c, a, s) the centre, gain and
noise of the kind; c = 0 and a = 1 where one speaker talks. Several starts run side by side, along a
first axis of length b.
"""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import device, like, namespace

BALANCE = 0.3
"""By how much one speaker of a pair may be louder than the mean of both. Were all pairs balanced,
nothing would tell apart two people who talk at the same time throughout."""


@dataclass(frozen=True)
class Kind:
    """What windows with equally many speakers have in common; arrays (p,)."""

    centre: object
    gain: object
    noise: object


@dataclass(frozen=True)
class States:
    """States of one kind: weights of who talks (S, K), and log prior (n, S) in each window."""

    who: object
    prior: object


def make_states(n_speakers, logit):
    """States of both kinds, between which the log odds (n,) of overlap choose, window by window.

    States of one kind are equally likely. A pair has three: balanced, and either speaker louder.
    One speaker alone has no pairs.

    Returns
    -------
    list of States
    """
    xp, zero = namespace(logit), 0 * logit
    singles = np.eye(n_speakers)
    if n_speakers == 1:
        return [States(like(singles, logit), zero[:, None])]
    first, second = np.triu_indices(n_speakers, 1)
    both, difference = singles[first] + singles[second], singles[first] - singles[second]
    pairs = np.concatenate([both + tilt * difference for tilt in (0, BALANCE, -BALANCE)])
    return [
        States(
            like(who, logit),
            xp.tile((-xp.logaddexp(zero, odds) - float(np.log(len(who))))[:, None], (1, len(who))),
        )
        for who, odds in ((singles, logit), (pairs, -logit))
    ]


def update_speakers(Y, posteriors, states, kinds, variance, *, xp, weights=(1.0, 1.0)):
    """Posterior of the speakers, given how likely each window is in each state.

    In every dimension, with sums over windows i and states h of both kinds,

        L = I / Φ + Σ γ_ih (a² / s) hᵀ h,    C = L⁻¹,    m = C Σ γ_ih (a / s) (y_i − c) hᵀ.

    Parameters
    ----------
    Y : array (n, p)
    posteriors : sequence of array (b, n, S)
        γ, one array a kind.
    states : sequence of States
    kinds : sequence of Kind
    variance : array (p,)
        Φ.
    weights : sequence of float
        What the windows of each kind count.

    Returns
    -------
    mean : array (b, K, p)
    covariance : array (b, p, K, K)
    log_det : array (b,)
        Σ log det C over the dimensions.
    """
    eye = xp.eye(states[0].who.shape[1], dtype=Y.dtype, device=device(Y))
    L, pull = (eye / variance[:, None, None])[None, ...], 0.0
    for gamma, state, kind, weight in zip(posteriors, states, kinds, weights, strict=False):
        gamma, T = weight * gamma, xp.matrix_transpose(state.who)
        together = xp.matmul(T, xp.sum(gamma, axis=1)[:, :, None] * state.who)
        L = L + together[:, None, :, :] * (kind.gain**2 / kind.noise)[:, None, None]
        talk = xp.matrix_transpose(xp.matmul(gamma, state.who))
        pull = pull + xp.matmul(talk, (Y - kind.centre) * (kind.gain / kind.noise))
    C = xp.linalg.inv(L)
    mean = xp.matmul(C, xp.matrix_transpose(pull)[..., None])[..., 0]
    return xp.matrix_transpose(mean), C, -xp.sum(xp.linalg.slogdet(L)[1], axis=1)


def update_states(Y, mean, covariance, states, kinds, *, xp):
    """How likely each window is in each state, given the posterior of the speakers.

    log γ_ih = log prior + a / s (y_i − c)·(h m) − ½ Σ_p a² / s ((h m)² + h C hᵀ) + constant

    Parameters
    ----------
    Y : array (n, p)
    mean, covariance : array (b, K, p) and (b, p, K, K)
    states, kinds : sequences
        The priors of the states contain ``generic_likelihood``, as `demix` sets them.

    Returns
    -------
    posteriors : list of array (b, n, S)
    evidence : array (b,)
        Σ_i log Σ_h of what is normalised.
    """
    scores = []
    for state, kind in zip(states, kinds, strict=False):
        signal, power = kind.gain / kind.noise, kind.gain**2 / kind.noise
        M = xp.matmul(state.who, mean)
        spread = xp.sum(xp.matmul(state.who, covariance) * state.who, axis=-1)
        energy = xp.matmul(M**2 + xp.matrix_transpose(spread), power[:, None])
        fit = xp.matmul((Y - kind.centre) * signal, xp.matrix_transpose(M))
        scores.append(state.prior + fit - 0.5 * xp.matrix_transpose(energy))
    scores = xp.concat(scores, axis=-1)
    top = xp.max(scores, axis=-1, keepdims=True)
    gamma = xp.exp(scores - top)
    total = xp.sum(gamma, axis=-1, keepdims=True)
    gamma, n_singles = gamma / total, states[0].who.shape[0]
    evidence = xp.sum(xp.log(total) + top, axis=(1, 2))
    return [gamma[..., :n_singles], gamma[..., n_singles:]][: len(states)], evidence


def generic_likelihood(Y, kind, variance, n_talkers, *, xp):
    """log N(y; c, s) − log N(y; c, s + t a² Φ) for t talkers, summed over dimensions (n,).

    With it in the prior, a state is compared with a window of the same kind and *any* speakers:
    which kind a window is of is left to the detector of overlap, which knows better. But where the
    density of the kind is very low and the detector doesn't say so, almost any state gains by it.
    """
    share = n_talkers * kind.gain**2 * variance / kind.noise
    power = (Y - kind.centre) ** 2 / kind.noise
    return 0.5 * xp.sum(xp.log1p(share) - power * (share / (1 + share)), axis=1)


def generic_odds(Y, kinds, variance, *, xp):
    """Log odds (n,) that a window is overlapped, by its density under any two speakers and any one.

    log N(y; c, s + 2 a² Φ) of the second kind, less log N(y; c, s + Φ) of the first.
    """
    densities = []
    for n_talkers, kind in enumerate(kinds, start=1):
        spread = kind.noise + n_talkers * kind.gain**2 * variance
        densities.append(-0.5 * xp.sum((Y - kind.centre) ** 2 / spread + xp.log(spread), axis=1))
    return densities[1] - densities[0]


def divergence(mean, covariance, log_det, variance, *, xp):
    """KL divergence (b,) of the posterior of the speakers from their prior.

    ½ Σ_p ((Σ_k m_k² + tr C) / Φ − K + K log Φ − log det C)
    """
    n_speakers = mean.shape[1]
    spread = xp.sum(xp.linalg.diagonal(covariance), axis=-1)
    relative = (xp.sum(mean**2, axis=1) + spread) / variance
    return 0.5 * (xp.sum(relative + n_speakers * (xp.log(variance) - 1), axis=1) - log_det)


def solve(Y, posteriors, states, kinds, variance, *, xp, max_iter, tol=1e-2):
    """Alternate `update_speakers` and `update_states`; the bound on the evidence never falls.

    Parameters
    ----------
    Y : array (n, p)
    posteriors : list of array (b, n, S)
        Starts, one array a kind.
    states, kinds, variance
        As in `update_speakers`.
    max_iter : int
    tol : float
        Stop once no start gains more than this.

    Returns
    -------
    posteriors : list of array (b, n, S)
    mean : array (b, K, p)
    bound : list of array (b,)
        Evidence less divergence, one array an iteration.
    """
    states = [
        States(s.who, s.prior + generic_likelihood(Y, kind, variance, n, xp=xp)[:, None])
        for n, (s, kind) in enumerate(zip(states, kinds, strict=False), start=1)
    ]
    bounds = []
    for _ in range(max_iter):
        mean, C, log_det = update_speakers(Y, posteriors, states, kinds, variance, xp=xp)
        posteriors, evidence = update_states(Y, mean, C, states, kinds, xp=xp)
        bounds.append(evidence - divergence(mean, C, log_det, variance, xp=xp))
        if len(bounds) > 1 and bool(xp.all(bounds[-1] - bounds[-2] < tol)):
            break
    return posteriors, mean, bounds
