"""Separation of a recording into speech and the noise that is in it."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import random_generator
from anmf.nmf.anmf import ANMF
from anmf.nmf.separation import NMF_separation
from anmf.nmf.updates import unit_rows

PRETRAINING_SPARSITY = 0.02
"""Sparsity of a speech basis in its own training, over the mean length of the rows."""

_ADVERSARIAL_ITERATIONS = 20
_ROWS_A_START = 8


class NoiseAdaptive(BaseEstimator):
    """Separate the rows of a recording into speech and the noise that is in it.

    Anchored sparse semi-supervised NMF: the speech basis stays, its activations are sparse; a few
    noise components start from the quietest rows, and are learnt while an anchor holds them there.

    Parameters
    ----------
    basis : array (k, m)
        Speech components.
    n_noise : int
        Noise components.
    alpha_H : float
        Sparsity of the speech activations, over the mean length of the rows.
    anchor : float
        As in `anmf.NMF_separation`, for the noise.
    quiet_share : float
        Share of the rows, the quietest ones, from which noise components start.
    speech_rows : array (n, m) or None
        Rows of clean speech, for `adversarial_weight`.
    adversarial_weight : float
        When positive, a second pass: the speech basis learns to refuse what the first took for
        noise, and the recording is separated again.
    max_iter : int
    random_state : int, Generator, RandomState or None

    Attributes
    ----------
    model_ : NMF_separation
    """

    def __init__(self, basis, *, n_noise=8, alpha_H=0.05, anchor=5.0, quiet_share=0.1,
                 speech_rows=None, adversarial_weight=0.0, max_iter=15,
                 random_state=None):  # fmt: skip
        self.basis = basis
        self.n_noise = n_noise
        self.alpha_H = alpha_H
        self.anchor = anchor
        self.quiet_share = quiet_share
        self.speech_rows = speech_rows
        self.adversarial_weight = adversarial_weight
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn the noise of a recording from its rows X (n, m)."""
        rng = random_generator(self.random_state)
        noise = quiet_rows(X, self.n_noise, self.quiet_share, rng)
        self.model_ = self._adapted(X, self.basis, noise)
        if self.adversarial_weight and self.speech_rows is not None:
            rest = self.model_.separate(X)[:, 1]
            speech = self.speech_rows
            rows = np.concatenate([speech / speech.mean(), rest / (rest.mean() or 1.0)])
            refusing = ANMF(
                len(self.basis), init=self.basis, adversarial_weight=self.adversarial_weight,
                alpha_H=PRETRAINING_SPARSITY * mean_length(rows[: len(speech)]), tol=0.0,
                max_iter=_ADVERSARIAL_ITERATIONS, random_state=rng,
            )  # fmt: skip
            refusing.fit(rows, np.repeat([0, -1], [len(speech), len(rest)]))
            self.model_ = self._adapted(X, refusing.components_, noise)
        return self

    def separate(self, X):
        """Speech and noise (n, 2, m) of rows X (n, m)."""
        check_is_fitted(self)
        return self.model_.separate(X)

    def _adapted(self, X, basis, noise):
        sparsity = np.repeat([self.alpha_H * mean_length(X), 0.0], [len(basis), len(noise)])
        model = NMF_separation(
            init=[basis, noise], frozen=[True, False], anchor=[0.0, self.anchor],
            alpha_H=sparsity, max_iter=self.max_iter,
        )  # fmt: skip
        return model.fit(X, np.full(len(X), -1))


def quiet_rows(X, n_rows, share, rng):
    """Starts of noise components: means of a few of the quietest rows that sound at all.

    Parameters
    ----------
    X : array (n, m)
    n_rows : int
    share : float
        Of the rows, the quietest of which are drawn from.
    rng : numpy.random.Generator

    Returns
    -------
    array (n_rows, m)
        Of unit length and without zeros.
    """
    energy = X.sum(axis=1)
    order = np.argsort(energy, kind="stable")
    order = order[energy[order] > 0]
    if not len(order):
        return unit_rows(np.ones((n_rows, X.shape[1]), X.dtype), xp=np)[0]
    quiet = order[: max(n_rows, int(share * len(order)))]
    size = min(_ROWS_A_START, len(quiet))
    drawn = [X[rng.choice(quiet, size, replace=False)].mean(axis=0) for _ in range(n_rows)]
    return unit_rows(np.stack(drawn) + 0.01 * X.mean(), xp=np)[0].astype(X.dtype)


def mean_length(X):
    """Mean length of the rows, 1 where all are zero."""
    return float(np.linalg.norm(X, axis=1).mean()) or 1.0
