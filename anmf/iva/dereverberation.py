"""Late reverberation taken out along with the demixing (T-ISS)."""


def dereverberate(Y, G, X, weights, delay, *, xp):
    """One sweep over delayed channels z, each taken from all estimates: y_k ← y_k − v_k z.

        v_k = ⟨φ_k y_k z̄⟩ / ⟨φ_k |z|²⟩,    z_t = x_c,t−delay−l

    minimises the weighted power of every y_k over v_k. Silent channels change nothing.

    Parameters
    ----------
    Y, X : complex array (n_frequencies, n_channels, n_frames)
        Estimates and microphones.
    G : complex array (n_frequencies, n_taps, n_channels, n_channels)
        Filters so far: y_t = W x_t − Σ_l G_l x_t−delay−l.
    weights : array (n_frequencies or 1, n_channels, n_frames)
    delay : int
        Frames before the first tap, at least 1.
    xp : namespace

    Returns
    -------
    Y, G

    References
    ----------
    Nakashima, Scheibler, Togami and Ono, "Joint dereverberation and separation with iterative
    source steering", ICASSP 2021.
    """
    steps = []
    for tap in range(G.shape[1]):
        columns = []
        for c in range(X.shape[1]):
            z = delayed(X[:, c : c + 1, :], delay + tap, xp=xp)
            power = xp.sum(weights * xp.real(z * xp.conj(z)), axis=-1)
            sounds = power > 0
            inverse = xp.where(sounds, 1 / xp.where(sounds, power, 1.0), 0.0)
            v = xp.sum(weights * Y * xp.conj(z), axis=-1) * inverse
            Y = Y - v[..., None] * z
            columns.append(v)
        steps.append(xp.stack(columns, axis=-1))
    return Y, G + xp.stack(steps, axis=1)


def delayed(x, n_frames, *, xp):
    """`x` (..., n) later by `n_frames`, with zeros first."""
    if n_frames >= x.shape[-1]:
        return x * 0
    return xp.concat([x[..., :n_frames] * 0, x[..., : x.shape[-1] - n_frames]], axis=-1)


def reverberation(G, X, delay, *, xp):
    """What the filters take off: Σ_l G_l x_t−delay−l, (n_frequencies, n_rows, n_frames)."""
    return sum(
        xp.matmul(G[:, tap, :, :], delayed(X, delay + tap, xp=xp)) for tap in range(G.shape[1])
    )
