"""AuxIVA by iterative source steering (ISS), unrolled, with its reverse pass.

An iteration brings every source to unit mean power, has a source model weigh its power, and makes
one sweep of ISS. All that is kept of it is W, from which the reverse pass makes the rest again, so
that memory is that of one iteration. Gradients by complex z are ∂L/∂Re z + i ∂L/∂Im z.

Arrays: X (batch, n_frequencies, n_channels, n_frames), W (batch, n_frequencies, n_sources,
n_channels), Y = W X, and weights φ like Y or with one frequency that stands for all.

References
----------
Scheibler and Togami, "Surrogate source model learning for determined source separation", ICASSP
2021 (arXiv:2011.05540).
"""

from anmf._core.jit import with_twin

FLOOR = 1e-8
"""ε: what weighted powers ⟨φ |y|²⟩ count as at least, unless they are zero."""

_twin = with_twin(module="anmf.iva.unrolled_numba")


def sweep(Y, W, weights, *, xp, floor=FLOOR):
    """One sweep of ISS: sources take turns to be cancelled from the others.

    In the turn of source s, with ⟨·⟩ the mean over frames and d_m = max(⟨φ_m |y_s|²⟩, ε),

        y_m ← y_m − v_m y_s,    w_m ← w_m − v_m w_s,
        v_m = ⟨φ_m y_m ȳ_s⟩ / d_m for m ≠ s,    v_s = 1 − d_s^(−1/2).

    Where ⟨φ_m |y_s|²⟩ is zero, v_m is zero: silence changes nothing.

    Parameters
    ----------
    Y : complex array (batch, n_frequencies, n_sources, n_frames)
    W : complex array (batch, n_frequencies, n_sources, n_channels)
    weights : array (batch, n_frequencies or 1, n_sources, n_frames)
        φ, at least 0.
    xp : namespace
    floor : float
        ε.

    Returns
    -------
    Y, W : complex arrays
        Of the same shapes.

    References
    ----------
    Scheibler and Ono, "Fast and stable blind source separation with rank-1 updates", ICASSP 2020.
    """
    for s in range(Y.shape[2]):
        Y, W = _steered(Y, W, weights, s, floor, xp)
    return Y, W


def sweep_reverse(gY, gW, Y, W, weights, *, xp, floor=FLOOR):
    """Gradients through `sweep`, turn by turn from the last.

    With G = ∂L/∂y and H = ∂L/∂w after the turn of source s, and all else from before it,

        Γ_m = −Σ_t G_m ȳ_s − H_m w_sᴴ,
        N_m = Γ_m / d_m, D_m = −Re(Γ̄_m v_m) / d_m for m ≠ s,    N_s = 0, D_s = Re(Γ_s) / 2d_s^1.5,
        ∂L/∂φ_m += (Re(N̄_m y_m ȳ_s) + D_m |y_s|²) / T,
        G_s −= Σ_m v̄_m G_m,    H_s −= Σ_m v̄_m H_m,
        G_m += φ_m N_m y_s / T,    G_s += Σ_m φ_m (N̄_m y_m + 2 D_m y_s) / T,

    where D_m is zero if the floor is active.

    Parameters
    ----------
    gY, gW : complex arrays
        Gradients with respect to the outputs.
    Y, W, weights, xp, floor
        Arguments of `sweep`.

    Returns
    -------
    gY, gW : complex arrays
        Gradients with respect to the arguments.
    gweights : array of the shape of `weights`
    """
    states, share, gweights = [(Y, W)], 1 / Y.shape[3], 0.0
    for s in range(Y.shape[2] - 1):
        states.append(_steered(*states[-1], weights, s, floor, xp))
    for s in reversed(range(Y.shape[2])):
        Y, W = states[s]
        y, w = Y[:, :, s : s + 1, :], W[:, :, s : s + 1, :]
        v, d, own, sounds = _turn(Y, weights, s, floor, xp)
        gv = -xp.sum(gY * xp.conj(y), axis=3) - xp.sum(gW * xp.conj(w), axis=3)
        gn = xp.where(sounds, (1 - own) * gv / d, 0.0)[..., None]
        gd = own * xp.real(gv) / (2 * d**1.5) - (1 - own) * xp.real(xp.conj(gv) * v) / d
        gd = xp.where(d > floor, gd, 0.0)[..., None]
        gweights = gweights + share * (xp.real(xp.conj(gn) * Y * xp.conj(y)) + gd * _square(y, xp))
        back = share * weights * (xp.conj(gn) * Y + 2 * gd * y) - xp.conj(v)[..., None] * gY
        own = own[..., None]
        gW = gW - own * xp.sum(xp.conj(v)[..., None] * gW, axis=2, keepdims=True)
        gY = gY + share * weights * gn * y + own * xp.sum(back, axis=2, keepdims=True)
    if weights.shape[1] == 1:
        gweights = xp.sum(gweights, axis=1, keepdims=True)
    return gY, gW, gweights


def _steered(Y, W, weights, s, floor, xp):
    """Y and W after the turn of source s."""
    v = _turn(Y, weights, s, floor, xp)[0][..., None]
    return Y - v * Y[:, :, s : s + 1, :], W - v * W[:, :, s : s + 1, :]


def _turn(Y, weights, s, floor, xp):
    """v, d, 1 for m = s and 0 for the others, and whether ⟨φ |y_s|²⟩ > 0: (..., n_sources)."""
    y = Y[:, :, s : s + 1, :]
    d = xp.mean(weights * _square(y, xp), axis=3)
    sounds, d = d > 0, xp.where(d > floor, d, floor)
    own = xp.stack([0 * d[:, :, 0] + float(m == s) for m in range(Y.shape[2])], axis=2)
    n = xp.sum(weights * Y * xp.conj(y), axis=3) / Y.shape[3]
    v = own * (1 - d**-0.5) + (1 - own) * n / d
    return xp.where(sounds, v, 0.0), d, own, sounds


def _square(Y, xp):
    return xp.real(Y) ** 2 + xp.imag(Y) ** 2


@_twin
def power(X, W, *, xp):
    """|W X|² (batch, n_frequencies, n_sources, n_frames)."""
    return _square(xp.matmul(W, X), xp)


@_twin
def power_reverse(gpower, X, W, *, xp):
    """∂L/∂W = Σ_t 2 g y xᴴ with y = W x, from g = ∂L/∂|y|²."""
    return xp.matmul(2 * gpower * xp.matmul(W, X), _adjoint(X, xp))


@_twin
def next_demixing(X, W, weights, *, xp, floor=FLOOR):
    """W after a `sweep` of Y = W X under `weights`."""
    return sweep(xp.matmul(W, X), W, weights, xp=xp, floor=floor)[1]


@_twin
def next_demixing_reverse(gW, X, W, weights, *, xp, floor=FLOOR):
    """∂L/∂W and ∂L/∂φ before `next_demixing`, from ∂L/∂W after it; Y passes on ∂L/∂Y Xᴴ."""
    Y = xp.matmul(W, X)
    gY, gW, gweights = sweep_reverse(xp.zeros_like(Y), gW, Y, W, weights, xp=xp, floor=floor)
    return gW + xp.matmul(gY, _adjoint(X, xp)), gweights


def unroll(X, source_model, n_iter, *, xp, W=None, floor=FLOOR):
    """Demixing matrices along `n_iter` iterations of AuxIVA under a source model.

    In every iteration, each source is divided by √g, g the mean of |y|² over frequencies and
    frames (1 for silence); φ comes of |y|² / g; a `sweep` follows.

    Parameters
    ----------
    X : complex array (batch, n_frequencies, n_channels, n_frames)
        Microphones; contiguous, or it is copied in every step.
    source_model : object
        ``forward(P)`` maps |y|² / g (batch, n_frequencies, n_sources, n_frames) to (φ, tape), and
        ``backward(tape, gφ)`` maps ∂L/∂φ to (a dictionary of gradients of parameters, ∂L/∂P).
    n_iter : int
    xp : namespace
    W : complex array (batch, n_frequencies, n_sources, n_channels), optional
        Where demixing starts, by default the identity.
    floor : float
        As in `sweep`.

    Returns
    -------
    list of complex array (batch, n_frequencies, n_sources, n_channels)
        At the start and after each iteration: ``W[k] @ X`` are the sources after k.

    Raises
    ------
    ValueError
        For arrays of wrong shapes.
    """
    _check_shapes(X, W)
    demixing = [_identity(X, xp) if W is None else W]
    for _ in range(n_iter):
        P, W, _ = _normalised(X, demixing[-1], xp)
        weights, _ = source_model.forward(P)
        _check_weights(weights, P)
        demixing.append(next_demixing(X, W, weights, xp=xp, floor=floor))
    return demixing


def unroll_reverse(gradients, demixing, X, source_model, *, xp, floor=FLOOR):
    """Gradients of a loss with respect to the parameters of the source model, and to W[0].

    Parameters
    ----------
    gradients : dict of complex array
        ∂L/∂W[k] by iteration k, what it is directly: for a loss of Y = W[k] X, ∂L/∂Y Xᴴ.
    demixing : list of complex array
        Of `unroll`.
    X, source_model, xp, floor
        As in `unroll`.

    Returns
    -------
    gradients : dict of array
        Summed over iterations.
    gW : complex array (batch, n_frequencies, n_sources, n_channels)
    """
    last = max(gradients)
    total, gW = {}, gradients[last]
    for k in reversed(range(last)):
        P, W, g = _normalised(X, demixing[k], xp)
        weights, tape = source_model.forward(P)
        gW, gweights = next_demixing_reverse(gW, X, W, weights, xp=xp, floor=floor)
        found, gP = source_model.backward(tape, gweights)
        total = {name: total[name] + found[name] if total else found[name] for name in found}
        gW = _normalised_reverse(gW, gP, P, W, g, X, demixing[k], xp)
        if k in gradients:
            gW = gW + gradients[k]
    return total, gW


def unrolled_loss(X, source_model, loss, n_iter, *, xp, at=None, W=None, floor=FLOOR):
    """Mean of a loss over some of the iterations, and gradients of the source model's parameters.

    Parameters
    ----------
    X, source_model, n_iter, xp, W, floor
        As in `unroll`.
    loss : callable
        Maps Y (batch, n_frequencies, n_sources, n_frames) to (loss, ∂L/∂Y), as do those of
        `anmf.iva.losses` once they have the references.
    at : sequence of int, optional
        Different iterations from 1 to `n_iter`, by default the last.

    Returns
    -------
    loss : array ()
    gradients : dict of array
    """
    at = (n_iter,) if at is None else tuple(at)
    if not at or len(set(at)) < len(at) or not 1 <= min(at) <= max(at) <= n_iter:
        raise ValueError(f"at={at} must be different iterations from 1 to n_iter={n_iter}")
    demixing = unroll(X, source_model, max(at), xp=xp, W=W, floor=floor)
    total, gradients = 0.0, {}
    for k in at:
        value, gY = loss(xp.matmul(demixing[k], X))
        total = total + value / len(at)
        gradients[k] = xp.matmul(gY, _adjoint(X, xp)) / len(at)
    return total, unroll_reverse(gradients, demixing, X, source_model, xp=xp, floor=floor)[0]


def _normalised(X, W, xp):
    """|y|² / g, W / √g and g (batch, 1, n_sources, 1), 1 for silence."""
    P = power(X, W, xp=xp)
    g = xp.mean(P, axis=(1, 3), keepdims=True)
    g = xp.where(g > 0, g, 1.0)
    return P / g, W / g**0.5, g


def _normalised_reverse(gW, gP, P, W, g, X, before, xp):
    """∂L/∂W before `_normalised` from those of its results: W / √g and P = |y|² / g.

    ∂L/∂g = −(½ Re⟨W / √g, ∂L/∂(W / √g)⟩ + Σ P ∂L/∂P) / g, which reaches all |y|² alike; not those
    of silence, through which ∂L/∂|y|² doesn't get to W.
    """
    along = 0.5 * xp.sum(xp.real(gW * xp.conj(W)), axis=(1, 3), keepdims=True)
    along = along + xp.sum(gP * P, axis=(1, 3), keepdims=True)
    gpower = (gP - along / (P.shape[1] * P.shape[3])) / g
    return gW / g**0.5 + power_reverse(gpower, X, before, xp=xp)


def _check_shapes(X, W):
    if X.ndim != 4 or not (W is None or (*W.shape[:2], *W.shape[3:]) == tuple(X.shape[:3])):
        raise ValueError(
            f"X has shape {tuple(X.shape)}, W has {W if W is None else tuple(W.shape)}; expected "
            "(batch, bins, channels, frames) and (batch, bins, sources, channels)"
        )


def _check_weights(weights, P):
    """Compiled code relies on it."""
    found, whole = tuple(weights.shape), tuple(P.shape)
    if found not in (whole, (whole[0], 1, *whole[2:])):
        raise ValueError(
            f"source_model.forward gave weights of shape {found}; expected {whole}, or 1 frequency"
        )


def _adjoint(A, xp):
    return xp.conj(xp.matrix_transpose(A))


def _identity(X, xp):
    zero, n = 0 * X[:, :, 0, 0], X.shape[2]
    rows = [xp.stack([zero + float(c == k) for c in range(n)], axis=2) for k in range(n)]
    return xp.stack(rows, axis=2)
