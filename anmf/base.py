"""The contract that every estimator of the package shares."""

import numpy as np

from anmf._core.arrays import is_array, moved
from anmf._core.checks import check_choice
from anmf.metrics import METRICS, mean_score


class SeparatorMixin:
    """Adds ``fit_separate`` and ``score`` to an estimator that has ``fit`` and ``separate``.

    ``separate(X)`` takes mixtures X (n, m) and returns their parts (n, n_sources, m). Where the
    model is mixture-consistent, ``separate(X).sum(axis=1)`` gives X back.
    """

    def fit_separate(self, X, y=None, **fit_params):
        """Fit to `X` and `y`, then separate `X`.

        Parameters
        ----------
        X : array (n, m)
        y : array, optional
            As in ``fit``.
        **fit_params
            Passed to ``fit``.

        Returns
        -------
        array (n, n_sources, m)
        """
        return self.fit(X, y, **fit_params).separate(X)

    def score(self, X, y, metric="psnr"):
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        X : array (n, m)
            Mixtures.
        y : array (n, n_sources, m)
            Their true parts.
        metric : str
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
