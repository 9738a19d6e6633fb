"""Two rows at once, exactly: the 2 × 2 problem inside ISS2 and IP2."""

import math


def demix_pair(G_m, G_n, *, xp):
    """The two rows a_m, a_n that minimise a_m G_m a_mᴴ + a_n G_n a_nᴴ − 2 log|det[a_m; a_n]|.

    They are the eigenvectors of G_m h = λ G_n h, the smaller λ for m, with a = hᴴ, in closed form.

    Parameters
    ----------
    G_m, G_n : complex array (..., 2, 2)
        Hermitian, positive definite.
    xp : namespace

    Returns
    -------
    A : complex array (..., 2, 2)
        Rows a_m and a_n.

    References
    ----------
    Ono, "Fast stereo independent vector analysis and its implementation on mobile phone", IWAENC
    2012.
    """
    G_m, size_m = _unit_trace(G_m, xp)
    G_n, size_n = _unit_trace(G_n, xp)
    first, second = _eigenvectors(G_m, G_n, xp)
    first, second = _normalized(G_m, first, xp), _normalized(G_n, second, xp)
    return xp.stack([first / size_m, second / size_n], axis=-2)


def _unit_trace(G, xp):
    """G over its trace, so that no product of entries underflows, and the root of the trace."""
    trace = xp.real(G[..., 0, 0]) + xp.real(G[..., 1, 1])
    trace = xp.where(trace > 0, trace, 1.0)
    return G / trace[..., None, None], (trace**0.5)[..., None]


def _eigenvectors(G_m, G_n, xp):
    """Columns h, as pairs of entries, of the smaller and of the larger λ.

    M = adj(G_n) G_m has the same eigenvectors; with d = (M₀₀ − M₁₁)/2 and D² = d² + M₀₁ M₁₀ they
    are (d ± D, M₁₀), and also (M₀₁, −d ± D): the one without cancellation is taken. Where λ is
    (almost) double, any two that G_n makes orthogonal will do.
    """
    a, b, c = G_n[..., 0, 0], G_n[..., 0, 1], G_n[..., 1, 1]
    M00 = c * G_m[..., 0, 0] - b * G_m[..., 1, 0]
    M01 = c * G_m[..., 0, 1] - b * G_m[..., 1, 1]
    M10 = a * G_m[..., 1, 0] - xp.conj(b) * G_m[..., 0, 0]
    M11 = a * G_m[..., 1, 1] - xp.conj(b) * G_m[..., 0, 1]
    d = (M00 - M11) / 2
    size = xp.real(M00 + M11) / 2
    square = xp.real(d * d + M01 * M10)
    double = square <= (math.sqrt(xp.finfo(size.dtype).eps) * size) ** 2
    D = xp.where(double, 1.0, square) ** 0.5
    ahead = xp.real(d) >= 0
    one = M01 * 0 + 1
    smaller = [xp.where(ahead, M01, d - D), xp.where(ahead, -d - D, M10)]
    larger = [xp.where(ahead, d + D, M01), xp.where(ahead, M10, D - d)]
    smaller = [xp.where(double, one, smaller[0]), xp.where(double, 0 * one, smaller[1])]
    larger = [xp.where(double, -b / xp.where(xp.real(a) > 0, a, one), larger[0]),
              xp.where(double, one, larger[1])]  # fmt: skip
    return smaller, larger


def _normalized(G, h, xp):
    """The row hᴴ / √(hᴴ G h)."""
    p, q = h
    power = (
        xp.real(G[..., 0, 0]) * _square(p, xp)
        + xp.real(G[..., 1, 1]) * _square(q, xp)
        + 2 * xp.real(xp.conj(p) * G[..., 0, 1] * q)
    )
    scale = xp.where(power > 0, power, 1.0) ** -0.5
    return xp.stack([scale * xp.conj(p), scale * xp.conj(q)], axis=-1)


def log_determinant(A, *, xp):
    """log|det A| of stacked 2 × 2 matrices."""
    det = A[..., 0, 0] * A[..., 1, 1] - A[..., 0, 1] * A[..., 1, 0]
    return 0.5 * xp.log(_square(det, xp))


def _square(z, xp):
    """|z|², differentiable at zero."""
    return xp.real(z) ** 2 + xp.imag(z) ** 2
