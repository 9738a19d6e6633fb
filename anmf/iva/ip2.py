"""IP with two rows at a time (IP2)."""

from anmf.iva.covariance import adjoint, covariance_of, definite, identity_rows, pairs
from anmf.iva.pairwise import demix_pair


def ip2(V, *, xp):
    """One sweep over pairs (m, n) of rows, each minimised exactly, the others held.

    With P_i = (B V_i)⁻¹ [e_m e_n] and G_i = (P_iᴴ V_i P_i)⁻¹ for i = m, n, and the rows a_m, a_n of
    `demix_pair`(G_m, G_n),

        b_i ← a_i G_i P_iᴴ.

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
    Ono, "Fast algorithm for independent component/vector/low-rank matrix analysis with three or
    more sources", ASJ autumn meeting 2018.
    """
    rows, units = identity_rows(V, xp=xp), identity_rows(V, xp=xp)
    for m, n in pairs(len(rows)):
        B = xp.stack(rows, axis=-2)
        E = xp.stack([units[m], units[n]], axis=-1)
        P, G = {}, {}
        for i in (m, n):
            V_i = definite(covariance_of(V, i), xp=xp)
            P[i] = xp.linalg.solve(xp.matmul(B, V_i), E)
            G[i] = _inverse(xp.matmul(adjoint(P[i], xp=xp), xp.matmul(V_i, P[i])), xp)
        A = demix_pair(G[m], G[n], xp=xp)
        for k, i in enumerate((m, n)):
            row = xp.matmul(xp.matmul(A[:, k, None, :], G[i]), adjoint(P[i], xp=xp))
            rows[i] = row[:, 0, :]
    B = xp.stack(rows, axis=-2)
    return B, xp.linalg.slogdet(B)[1]


def _inverse(S, xp):
    """Inverse of stacked Hermitian 2 × 2 matrices."""
    a, b, c = xp.real(S[:, 0, 0]), S[:, 0, 1], xp.real(S[:, 1, 1])
    det = a * c - xp.real(b * xp.conj(b))
    det = xp.where(det > 0, det, 1.0)
    first = xp.stack([c + 0 * b, -b], axis=-1)
    second = xp.stack([-xp.conj(b), a + 0 * b], axis=-1)
    return xp.stack([first, second], axis=-2) / det[:, None, None]
