"""Iterative source steering (ISS): every row takes its turn to be cancelled from the others."""

from anmf.iva.covariance import conjugate_product, covariance_of, identity_rows, inner


def iss(V, *, xp):
    """One sweep of rank-one updates B ← B − v b_k, one for each row k.

    With y = B y₀ and V_m the covariances of y₀ under the weights φ_m of row m,

        v_m = ⟨φ_m y_m ȳ_k⟩ / ⟨φ_m |y_k|²⟩ for m ≠ k,    v_k = 1 − ⟨φ_k |y_k|²⟩^(−1/2)

    minimises Σ_m b_m V_m b_mᴴ − 2 log|det B| over v. A silent row changes nothing.

    Parameters
    ----------
    V : complex array (n_frequencies, n_weights, n_channels, n_channels)
        Rows beyond the weights share the last.
    xp : namespace

    Returns
    -------
    B : complex array (n_frequencies, n_channels, n_channels)
    gain : array (n_frequencies,)
        log|det B|.

    References
    ----------
    Scheibler and Ono, "Fast and stable blind source separation with rank-1 updates", ICASSP 2020.
    """
    rows = identity_rows(V, xp=xp)
    gain = 0.0
    for k in range(len(rows)):
        rows, scale = _steer(V, rows, k, xp)
        gain = gain + xp.log(scale)
    return xp.stack(rows, axis=-2), gain


def _steer(V, rows, k, xp):
    """All rows after the turn of row k, and the factor of that row."""
    steered = []
    for m, row in enumerate(rows):
        u = conjugate_product(covariance_of(V, m), rows[k], xp=xp)
        power = xp.real(inner(rows[k], u, xp=xp))
        sounds = power > 0
        power = xp.where(sounds, power, 1.0)
        if m == k:
            scale = power**-0.5
            steered.append(scale[:, None] * row)
        else:
            v = xp.where(sounds, 1 / power, 0.0) * inner(row, u, xp=xp)
            steered.append(row - v[:, None] * rows[k])
    return steered, scale
