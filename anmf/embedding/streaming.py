"""Moments of a stream of rows: its singular value decomposition, brought up to date exactly."""

from dataclasses import dataclass, replace

from anmf._core.arrays import like, namespace, to_host
from anmf.embedding.routes import above_rounding, blocks, decompose, full


@dataclass(frozen=True)
class Moments:
    """What is known of the rows seen so far, all in double precision.

    Attributes
    ----------
    n : int
        Number of rows.
    mean : array (d,)
    values : array (r,)
        Singular values of the centred rows, falling; all above zero, or the leading ones.
    axes : array (r, d)
        Right singular vectors in rows.
    power : float
        Σ ‖x − mean‖².
    skew : array (d,)
        Σ ‖x − mean‖² (x − mean).
    fourth : float
        Σ ‖x − mean‖⁴.
    """

    n: int
    mean: object
    values: object
    axes: object
    power: float
    skew: object
    fourth: float

    @property
    def square(self):
        """Squared Frobenius norm of the scatter Σ (x − mean)(x − mean)ᵀ, a float.

        What is outside the known axes counts as equal in all directions left.
        """
        xp, squares = namespace(self.values), self.values**2
        left = min(self.n - 1, self.axes.shape[1]) - squares.shape[0]
        rest = max(self.power - float(xp.sum(squares)), 0.0)
        return float(xp.sum(squares**2)) + (rest**2 / left if left > 0 else 0.0)


def gather(X, n_components=None, solver="auto", rng=None):
    """Moments of data (n, d); parameters are as in ``decompose``.

    Examples
    --------
    >>> import numpy as np
    >>> gather(np.array([[1.0, 0.0], [3.0, 0.0]])).values ** 2
    array([2.])
    """
    mean, values, axes = decompose(X, n_components, solver, rng)
    return Moments(X.shape[0], mean, values, axes, *_higher(X, mean))


def absorb(moments, X, n_components=None):
    """Moments of the rows seen so far and of new ones.

    The singular values and vectors are those of the rows

        [S Vᵀ; X − mean_X; √(n m / (n + m)) (mean − mean_X)],

    whose scatter is that of all n + m rows: exact as long as no component has been dropped. The
    sums of third and fourth order follow the mean by expanding ‖x − mean − δ‖².

    Parameters
    ----------
    moments : Moments
        Of n rows.
    X : array (m, d)
        New rows.
    n_components : int or None
        Most components to keep.

    Returns
    -------
    Moments
        In the library and on the device of `X`.

    References
    ----------
    Ross, Lim, Lin and Yang, "Incremental learning for robust visual tracking", International
    Journal of Computer Vision 77, 2008. Brand, Linear Algebra and its Applications 415(1), 2006.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(9, 3))
    >>> streamed = absorb(gather(X[:4]), X[4:])
    >>> bool(np.allclose(streamed.values, gather(X).values))
    True
    """
    xp, moments = namespace(X), _moved(moments, X)
    X = xp.astype(X, xp.float64, copy=False)
    n, m, old = moments.n, X.shape[0], moments.mean
    centre = xp.mean(X, axis=0)
    jump = (n * m / (n + m)) ** 0.5 * (old - centre)
    rows = [moments.values[:, None] * moments.axes, X - centre, jump[None, :]]
    values, axes = full(xp.concat(rows, axis=0), xp=xp)
    # A convex combination, so that equal means stay what they are.
    mean = old + (m / (n + m)) * (centre - old)
    kept = min(n_components or values.shape[0], values.shape[0])
    values, axes = above_rounding(values[:kept], axes[:kept, :], mean, n + m)
    power, skew, fourth = _shifted(moments, mean - old, xp)
    more_power, more_skew, more_fourth = _higher(X, mean)
    higher = power + more_power, skew + more_skew, fourth + more_fourth
    return Moments(n + m, mean, values, axes, *higher)


def _higher(X, mean):
    """Σ a, Σ a c and Σ a² of centred rows c with a = ‖c‖²."""
    xp = namespace(X)
    power, skew, fourth = 0.0, 0.0, 0.0
    for C in blocks(X, mean):
        a = xp.vecdot(C, C)
        power, skew, fourth = power + float(xp.sum(a)), skew + a @ C, fourth + float(a @ a)
    return power, skew, fourth


def _shifted(moments, delta, xp):
    """Σ a, Σ a c and Σ a² of the rows of `moments` about its mean + delta.

    With b = c·δ and e = ‖δ‖², a becomes a − 2 b + e; sums of c and of b are zero.
    """
    n, power, skew = moments.n, moments.power, moments.skew
    e = float(delta @ delta)
    scatter = ((moments.axes @ delta) * moments.values**2) @ moments.axes  # Σ b c
    squares = float(scatter @ delta)  # Σ b²
    fourth = moments.fourth + 4 * squares + n * e**2 - 4 * float(skew @ delta) + 2 * e * power
    return power + n * e, skew - 2 * scatter - (power + n * e) * delta, fourth


def _moved(moments, X):
    """The same on the library and device of X."""
    names = ("mean", "values", "axes", "skew")
    dtype = namespace(X).float64
    arrays = {name: like(to_host(getattr(moments, name)), X, dtype=dtype) for name in names}
    return replace(moments, **arrays)
