"""ISS with two rows at a time (ISS2)."""

from anmf.iva.covariance import conjugate_product, covariance_of, identity_rows, inner, pairs
from anmf.iva.pairwise import demix_pair, log_determinant


def iss2(V, *, xp):
    """One sweep over pairs of rows: each is cancelled from all others, then demixed exactly.

    With y = B y₀, the pair p = (y_m, y_n), G_l = ⟨φ_l p pᴴ⟩ and F_l = ⟨φ_l p ȳ_l⟩,

        y_l ← y_l − F_lᴴ G_l⁻¹ p for the other rows l,    p ← A p with A of `demix_pair`(G_m, G_n).

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
    Ikeshita and Nakatani, "ISS2: An extension of iterative source steering algorithm for
    majorization-minimization-based independent vector analysis", EUSIPCO 2022.
    """
    rows = identity_rows(V, xp=xp)
    gain = 0.0
    for m, n in pairs(len(rows)):
        rows, A = _steer_pair(V, rows, m, n, xp)
        gain = gain + log_determinant(A, xp=xp)
    return xp.stack(rows, axis=-2), gain


def _steer_pair(V, rows, m, n, xp):
    """All rows after the turn of the pair, and the matrix A of the pair."""
    steered, G = list(rows), {}
    for k, row in enumerate(rows):
        to_m = conjugate_product(covariance_of(V, k), rows[m], xp=xp)
        to_n = conjugate_product(covariance_of(V, k), rows[n], xp=xp)
        a = xp.real(inner(rows[m], to_m, xp=xp))
        b = inner(rows[m], to_n, xp=xp)
        c = xp.real(inner(rows[n], to_n, xp=xp))
        if k in (m, n):
            G[k] = _hermitian(a, b, c, xp)
            continue
        f, g = inner(row, to_m, xp=xp), inner(row, to_n, xp=xp)
        det = a * c - xp.real(b * xp.conj(b))
        sounds = xp.where(det > 0, 1 / xp.where(det > 0, det, 1.0), 0.0)
        p = sounds * (f * c - g * xp.conj(b))
        q = sounds * (g * a - f * b)
        steered[k] = row - p[:, None] * rows[m] - q[:, None] * rows[n]
    A = demix_pair(G[m], G[n], xp=xp)
    for i, k in enumerate((m, n)):
        steered[k] = A[:, i, 0, None] * rows[m] + A[:, i, 1, None] * rows[n]
    return steered, A


def _hermitian(a, b, c, xp):
    """[[a, b], [b̄, c]], stacked."""
    first = xp.stack([a + 0 * b, b], axis=-1)
    return xp.stack([first, xp.stack([xp.conj(b), c + 0 * b], axis=-1)], axis=-2)
