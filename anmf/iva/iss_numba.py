"""ISS and ISS2, compiled: the small matrices of `LANES` frequencies go through side by side.

Matrices are real, (2, ..., LANES): real parts, imaginary parts, and the frequencies last, so that
every line below is a vector instruction.
"""

import numpy as np

from anmf._core.jit import inlined, jit

LANES = 16


@jit
def iss(V, B):
    """Twin of `anmf.iva.iss.iss`: V (2, n_weights, n, n, LANES), B (2, n, n, LANES) the identity.

    In the turn of row k, row m of B has entries in the columns before k and in column m only.
    Returns log|det B| (LANES,).
    """
    n_weights, n = V.shape[1], V.shape[2]
    u, z, v = np.empty((2, LANES)), np.empty((2, LANES)), np.empty((2, n, LANES))
    power, product = np.empty(LANES), np.ones(LANES)
    for k in range(n):
        for m in range(n):
            w = min(m, n_weights - 1)
            power[:] = 0
            z[:] = 0
            for i in range(k + 1):
                _row_times(V, w, i, B, k, k + 1, u)
                _add_real(B, k, i, u, power)
                _add_product(B, m, i, u, z)
            if m > k:
                _row_times(V, w, m, B, k, k + 1, u)
                _add_product(B, m, m, u, z)
            for l in range(LANES):  # noqa: E741
                safe = power[l] if power[l] > 0 else np.inf
                v[0, m, l] = z[0, l] / safe
                v[1, m, l] = z[1, l] / safe
            if m == k:
                for l in range(LANES):  # noqa: E741
                    scale = 1 / np.sqrt(power[l]) if power[l] > 0 else 1.0
                    v[0, k, l] = 1 - scale
                    v[1, k, l] = 0
                    product[l] *= scale
        for m in range(n):
            if m != k:
                _subtract(B, m, k, k + 1, v)
        _subtract(B, k, k, k + 1, v)
    return np.log(product)


@inlined
def _row_times(V, w, i, B, k, size, u):
    """u = entry i of V_w b_kᴴ, where b_k has entries in the first columns only."""
    u[:] = 0
    for j in range(size):
        for l in range(LANES):  # noqa: E741
            a, b, c, d = V[0, w, i, j, l], V[1, w, i, j, l], B[0, k, j, l], B[1, k, j, l]
            u[0, l] += a * c + b * d
            u[1, l] += b * c - a * d


@inlined
def _add_real(B, k, i, u, power):
    """Re(B_ki u) is added to `power`."""
    for l in range(LANES):  # noqa: E741
        power[l] += B[0, k, i, l] * u[0, l] - B[1, k, i, l] * u[1, l]


@inlined
def _add_product(B, k, i, u, z):
    """B_ki u is added to z."""
    for l in range(LANES):  # noqa: E741
        z[0, l] += B[0, k, i, l] * u[0, l] - B[1, k, i, l] * u[1, l]
        z[1, l] += B[0, k, i, l] * u[1, l] + B[1, k, i, l] * u[0, l]


@inlined
def _subtract(B, m, k, size, v):
    """b_m ← b_m − v_m b_k in the first columns."""
    for c in range(size):
        for l in range(LANES):  # noqa: E741
            a, b = B[0, k, c, l], B[1, k, c, l]
            B[0, m, c, l] -= v[0, m, l] * a - v[1, m, l] * b
            B[1, m, c, l] -= v[0, m, l] * b + v[1, m, l] * a


@jit
def iss2(V, B):
    """Twin of `anmf.iva.iss2.iss2`, as `iss`."""
    n_weights, n = V.shape[1], V.shape[2]
    u, o, rows = np.empty((2, LANES)), np.empty((2, LANES)), B.copy()
    G, A, x = np.zeros((2, 4, LANES)), np.empty((2, 2, 2, LANES)), np.empty((8, LANES))
    gain = np.zeros(LANES)
    for first in range(1 if n == 2 else n):
        p, q = first, (first + 1) % n
        for k in range(n):
            w = min(k, n_weights - 1)
            x[:] = 0  # a, c, b, f, g: the 2 x 2 matrix [[a, b], [b*, c]], and the row beside it
            for i in range(n):
                _row_times(V, w, i, B, p, n, u)
                _row_times(V, w, i, B, q, n, o)
                _add_real(B, p, i, u, x[0])
                _add_real(B, q, i, o, x[1])
                _add_product(B, p, i, o, x[2:4])
                if k not in (p, q):
                    _add_product(B, k, i, u, x[4:6])
                    _add_product(B, k, i, o, x[6:8])
            if k in (p, q):
                G[0 if k == p else 1] = x[:4]
            else:
                _cancel(B, rows, k, p, q, x)
        demix_pair(G, A)
        _combine(B, rows, p, p, q, A[:, 0])
        _combine(B, rows, q, p, q, A[:, 1])
        B[:] = rows
        _add_log_determinant(A, gain)
    return gain


@inlined
def _cancel(B, rows, k, p, q, x):
    """Row k less its share of the pair: x holds a, c, b, f and g."""
    for l in range(LANES):  # noqa: E741
        a, c, br, bi = x[0, l], x[1, l], x[2, l], x[3, l]
        det = a * c - (br * br + bi * bi)
        safe = det if det > 0 else np.inf
        fr, fi, gr, gi = x[4, l], x[5, l], x[6, l], x[7, l]
        x[4, l] = (fr * c - (gr * br + gi * bi)) / safe
        x[5, l] = (fi * c - (gi * br - gr * bi)) / safe
        x[6, l] = (gr * a - (fr * br - fi * bi)) / safe
        x[7, l] = (gi * a - (fr * bi + fi * br)) / safe
    for j in range(B.shape[1]):
        for l in range(LANES):  # noqa: E741
            a, b, c, d = B[0, p, j, l], B[1, p, j, l], B[0, q, j, l], B[1, q, j, l]
            re = x[4, l] * a - x[5, l] * b + x[6, l] * c - x[7, l] * d
            im = x[4, l] * b + x[5, l] * a + x[6, l] * d + x[7, l] * c
            rows[0, k, j, l] = B[0, k, j, l] - re
            rows[1, k, j, l] = B[1, k, j, l] - im


@inlined
def _combine(B, rows, k, p, q, a):
    """Row k is a₀ b_p + a₁ b_q; a (2, 2, LANES)."""
    for j in range(B.shape[1]):
        for l in range(LANES):  # noqa: E741
            x, y, z, o = B[0, p, j, l], B[1, p, j, l], B[0, q, j, l], B[1, q, j, l]
            rows[0, k, j, l] = a[0, 0, l] * x - a[1, 0, l] * y + a[0, 1, l] * z - a[1, 1, l] * o
            rows[1, k, j, l] = a[0, 0, l] * y + a[1, 0, l] * x + a[0, 1, l] * o + a[1, 1, l] * z


@inlined
def demix_pair(G, A):
    """Twin of `anmf.iva.pairwise.demix_pair`: G (2, 4, LANES) holds a, c, Re b and Im b of G_m and
    G_n, the rows a_m and a_n go to A (2, 2, 2, LANES).
    """
    eps = np.finfo(np.float64).eps
    for l in range(LANES):  # noqa: E741
        sm, sn = G[0, 0, l] + G[0, 1, l], G[1, 0, l] + G[1, 1, l]
        sm, sn = sm if sm > 0 else 1.0, sn if sn > 0 else 1.0
        m00, m11, mr, mi = G[0, 0, l] / sm, G[0, 1, l] / sm, G[0, 2, l] / sm, G[0, 3, l] / sm
        a, c, br, bi = G[1, 0, l] / sn, G[1, 1, l] / sn, G[1, 2, l] / sn, G[1, 3, l] / sn
        # M = adj(G_n) G_m: d is half of M00 - M11, q is M01, r is M10
        cross = br * mr + bi * mi
        size = (c * m00 + a * m11) / 2 - cross
        dr, di = (c * m00 - a * m11) / 2, -(bi * mr - br * mi)
        qr, qi = c * mr - br * m11, c * mi - bi * m11
        rr, ri = a * mr - br * m00, bi * m00 - a * mi
        square = dr * dr - di * di + qr * rr - qi * ri
        double = square <= eps * size * size
        D = np.sqrt(1.0 if double else square)
        ahead = dr >= 0
        x0, x1 = (qr if ahead else dr - D), (qi if ahead else di)
        x2, x3 = (-dr - D if ahead else rr), (-di if ahead else ri)
        y0, y1 = (dr + D if ahead else qr), (di if ahead else qi)
        y2, y3 = (rr if ahead else D - dr), (ri if ahead else -di)
        safe = a if a > 0 else 1.0
        x0, x1, x2, x3 = (
            (1.0 if double else x0), (0.0 if double else x1),
            (0.0 if double else x2), (0.0 if double else x3),
        )  # fmt: skip
        y0, y1, y2, y3 = (
            (-br / safe if double else y0), (-bi / safe if double else y1),
            (1.0 if double else y2), (0.0 if double else y3),
        )  # fmt: skip
        s = _scale(m00, m11, mr, mi, x0, x1, x2, x3) / np.sqrt(sm)
        t = _scale(a, c, br, bi, y0, y1, y2, y3) / np.sqrt(sn)
        A[0, 0, 0, l], A[1, 0, 0, l] = x0 * s, -x1 * s
        A[0, 0, 1, l], A[1, 0, 1, l] = x2 * s, -x3 * s
        A[0, 1, 0, l], A[1, 1, 0, l] = y0 * t, -y1 * t
        A[0, 1, 1, l], A[1, 1, 1, l] = y2 * t, -y3 * t


@inlined
def _scale(a, c, br, bi, x0, x1, x2, x3):
    """1 / √(hᴴ G h) with h = (x0 + i x1, x2 + i x3)."""
    re, im = x0 * x2 + x1 * x3, x0 * x3 - x1 * x2
    power = a * (x0 * x0 + x1 * x1) + c * (x2 * x2 + x3 * x3) + 2 * (br * re - bi * im)
    return 1 / np.sqrt(power if power > 0 else 1.0)


@inlined
def _add_log_determinant(A, gain):
    """log|det A| is added to `gain`."""
    for l in range(LANES):  # noqa: E741
        a, b, c, d = A[0, 0, 0, l], A[1, 0, 0, l], A[0, 1, 1, l], A[1, 1, 1, l]
        e, f, g, h = A[0, 0, 1, l], A[1, 0, 1, l], A[0, 1, 0, l], A[1, 1, 0, l]
        re = a * c - b * d - (e * g - f * h)
        im = a * d + b * c - (e * h + f * g)
        gain[l] += 0.5 * np.log(re * re + im * im)
