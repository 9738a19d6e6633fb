"""Covariances: their shrinkage, and the one within classes."""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import like, namespace, take_rows, to_host
from anmf.embedding.routes import EPS


def ledoit_wolf(n, d, power, square, fourth):
    """Best intensity ρ of the shrinkage (1 − ρ) S + ρ μ I of a covariance, μ = tr S / d.

    With S = Σ_i x_i x_iᵀ / n of centred rows, ρ = min(β², δ²) / δ², where δ² = ‖S − μ I‖² is how
    far S is from its target, and β² = (Σ_i ‖x_i‖⁴ / n − ‖S‖²) / n estimates the error of S.

    Parameters
    ----------
    n, d : int
        Shape of the data.
    power : float
        Σ_i ‖x_i‖².
    square : float
        Squared Frobenius norm of Σ_i x_i x_iᵀ.
    fourth : float
        Σ_i ‖x_i‖⁴.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    Journal of Multivariate Analysis 88(2), 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.covariance import ledoit_wolf_shrinkage
    >>> X = np.random.default_rng(0).normal(size=(30, 4))
    >>> X -= X.mean(axis=0)
    >>> a, S = (X**2).sum(axis=1), X.T @ X
    >>> rho = ledoit_wolf(30, 4, a.sum(), (S**2).sum(), (a**2).sum())
    >>> bool(np.isclose(rho, ledoit_wolf_shrinkage(X)))
    True
    """
    square = square / n**2
    distance = square - (power / n) ** 2 / d
    error = (fourth / n - square) / n
    if min(error, distance) <= EPS * square:
        return 0.0
    return min(error, distance) / distance


@dataclass(frozen=True)
class Within:
    """Classes of labelled rows, and how rows scatter about the mean of their class.

    Attributes
    ----------
    labels : ndarray (n_classes,)
        Sorted.
    counts : ndarray (n_classes,)
    means : array (n_classes, d)
    scatter : array (d, d)
        Σ_i (x_i − mean of its class)(x_i − mean of its class)ᵀ.
    fourth : float or None
        Σ_i ‖x_i − mean of its class‖⁴; None where rows came in several blocks.
    """

    labels: np.ndarray
    counts: np.ndarray
    means: object
    scatter: object
    fourth: float | None

    @property
    def n_rows(self):
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def freedom(self):
        """Degrees of freedom: rows less classes. A class of one row adds none."""
        return self.n_rows - len(self.counts)


def within_classes(X, y):
    """Scatter about the means of classes, for data (n, d) and host labels (n,).

    Examples
    --------
    >>> import numpy as np
    >>> within_classes(np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 1])).scatter
    array([[2.]])
    """
    xp = namespace(X)
    X = xp.astype(X, xp.float64, copy=False)
    labels, place, counts = np.unique(y, return_inverse=True, return_counts=True)
    members = np.arange(len(labels))[:, None] == place
    means = like(members / counts[:, None], X) @ X
    residuals = X - take_rows(means, place)
    lengths = xp.vecdot(residuals, residuals)
    return Within(labels, counts, means, residuals.T @ residuals, float(lengths @ lengths))


def join_classes(old, new):
    """Both blocks of labelled rows as one, exactly; the library is that of `new`."""
    labels, place = np.unique(np.concatenate([old.labels, new.labels]), return_inverse=True)
    before, after = place[: len(old.labels)], place[len(old.labels) :]
    n, m = np.zeros((2, len(labels)))
    n[before], m[after] = old.counts, new.counts
    pick = np.eye(len(labels))
    means_old = like(pick[:, before] @ to_host(old.means), new.means)
    means_new = like(pick[:, after], new.means) @ new.means
    jumps = like(np.sqrt(n * m / (n + m))[:, None], new.means) * (means_old - means_new)
    share = like((m / (n + m))[:, None], new.means)
    scatter = like(to_host(old.scatter), new.means) + new.scatter + jumps.T @ jumps
    means = (1 - share) * means_old + share * means_new
    return Within(labels, (n + m).astype(int), means, scatter, None)
