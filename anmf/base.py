"""The contract that every estimator of the package shares."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, moved
from anmf._core.checks import check_choice
from anmf._core.types import Array
from anmf.metrics import METRICS, mean_score

__all__ = ["SeparatorMixin"]


class SeparatorMixin:
    """Adds ``fit_separate`` and ``score`` to an estimator that has ``fit`` and ``separate``.

    ``separate(X)`` takes mixtures X (n, m) and returns their parts (n, n_sources, m). Where the
    model is mixture-consistent, ``separate(X).sum(axis=1)`` gives X back.

    Examples
    --------
    >>> import numpy as np
    >>> class Halves(SeparatorMixin):
    ...     def fit(self, X, y=None):
    ...         return self
    ...
    ...     def separate(self, X):
    ...         return np.stack([X / 2, X / 2], axis=1)
    >>> Halves().fit_separate(np.array([[2.0, 4.0]]))
    array([[[1., 2.],
            [1., 2.]]])
    >>> Halves().score(np.array([[2.0, 4.0]]), [[[2.0, 3.0], [0.0, 1.0]]], metric="snr") > 0
    True
    """

    def fit_separate(
        self: Any, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any
    ) -> Array:
        """Fit to `X` and `y`, then separate `X`.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Samples to learn from and to separate.
        y : array-like of shape (n,) or (n, n_sources, m), default None
            What is known of the samples, as ``fit`` takes it.
        **fit_params
            Passed to ``fit``.

        Returns
        -------
        array of shape (n, n_sources, m)
            Parts of the samples, as ``separate`` returns them.
        """
        return self.fit(X, y, **fit_params).separate(X)

    def score(self: Any, X: ArrayLike, y: ArrayLike, metric: str = "psnr") -> float:
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Mixtures.
        y : array-like of shape (n, n_sources, m)
            Their true parts.
        metric : str, default 'psnr'
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
            Mean over mixtures and parts; parts that are zero throughout don't count.
        """
        check_choice("metric", metric, METRICS)
        return self._compare(self.separate(X), y, metric)

    def _compare(self, parts, y, metric):
        """Mean quality of parts against true ones of the same shape."""
        if tuple(np.shape(y)) != tuple(parts.shape):
            raise ValueError(
                f"y has shape {tuple(np.shape(y))}; score needs the true parts of every mixture, "
                f"of shape (n_samples, n_sources, n_features) = {tuple(parts.shape)}"
            )
        return mean_score(metric, moved(y if is_array(y) else np.asarray(y), parts), parts)
