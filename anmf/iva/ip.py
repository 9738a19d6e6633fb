"""Iterative projection (IP): every row of the demixing in turn, the others held."""

from anmf.iva.covariance import covariance_of, definite, identity_rows


def ip(V, *, xp):
    """One sweep b_k ← uᴴ / √(uᴴ V_k u) with u = (B V_k)⁻¹ e_k, row after row.

    It minimises Σ_m b_m V_m b_mᴴ − 2 log|det B| over row k. Where V_k isn't positive definite to
    rounding, the row stays as it is.

    Parameters
    ----------
    V, xp
        As in `anmf.iva.iss.iss`.

    Returns
    -------
    B, gain
        As in `anmf.iva.iss.iss`.

    References
    ----------
    Ono, "Stable and fast update rules for independent vector analysis based on auxiliary function
    technique", WASPAA 2011.
    """
    rows = identity_rows(V, xp=xp)
    units = identity_rows(V, xp=xp)
    gain = 0.0
    for k, unit in enumerate(units):
        V_k = definite(covariance_of(V, k), xp=xp)
        B = xp.stack(rows, axis=-2)
        u = xp.linalg.solve(xp.matmul(B, V_k), unit[..., None])[..., 0]
        power = xp.matmul(covariance_of(V, k), u[..., None])[..., 0]
        power = xp.real(xp.sum(xp.conj(u) * power, axis=-1))
        fine = power > 0
        scale = xp.where(fine, power, 1.0) ** -0.5
        rows[k] = xp.where(fine[:, None], scale[:, None] * xp.conj(u), rows[k])
        gain = gain - xp.log(scale)
    return xp.stack(rows, axis=-2), gain
