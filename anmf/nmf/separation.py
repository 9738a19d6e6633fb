"""The estimator `NMF_separation`."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import moved, namespace, random_generator
from anmf._core.checks import check_samples
from anmf._core.iterate import iterate
from anmf.base import SeparatorMixin
from anmf.masks import wiener
from anmf.metrics import mean_score
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.early_stopping import Monitor, hold_out
from anmf.nmf.labels import labelled_mixtures, read_labels
from anmf.nmf.methods import METHODS, Task, learn_missing
from anmf.nmf.parameters import (
    basis_sizes,
    check_inits,
    check_parameters,
    check_separation,
    declared_sources,
    resolve_sparsity,
)
from anmf.nmf.problem import make_problem, model_floor


class NMF_separation(
    SeparatorMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Single-channel source separation with one non-negative basis a source.

    A basis W_s is learnt for every source. The activations of a mixture on all bases stacked then
    tell how much each source contributes, and the mixture is shared out accordingly.

    Parameters
    ----------
    n_components : int, sequence of int or None
        Components of each source; None for 64, or as many as a source has rows or features.
    method : {'nmf', 'exemplar'}
        How bases are learnt, a name of `anmf.nmf.METHODS`: 'nmf' factorises the rows of every
        source; 'exemplar' takes rows of the data themselves, with nothing to train.
    n_sources : int or None
        None for the number of labels. When larger, sources without labelled rows are learnt from
        the mixtures while the bases of the others are frozen (semi-supervised separation).
    wiener : bool
        Whether the parts share out the mixture, X · P_s / Σ_r P_r, and so sum to it. Otherwise
        they are P_s = H_s W_s.
    solver, beta_loss, alpha_W, missing, batch_size, forget_factor, random_state, verbose
        As in `anmf.NMF`.
    init : str or list of array (k_s, m)
        As in `anmf.NMF`, one array a source.
    alpha_H : float, array (sum of k_s,) or 'auto'
        Sparsity of the activations in training and in `transform`. 'auto' is 0.07 × the mean
        length of the labelled rows for the Frobenius loss, 0 for the others.
    max_iter : int
        Iterations; the default was chosen together with `alpha_H`.
    tol : float
        As in `anmf.NMF`; 0 runs `max_iter` iterations.
    metric : str
        What `score` and early stopping measure, a name of `anmf.metrics.METRICS`.
    early_stopping : bool
        Keep the bases of the iteration that separates held-out mixtures best. These are made of
        held-out labelled rows, or are held out of X where `y` gives its true parts.
    validation_fraction : float
        Share of the rows held out.
    n_iter_no_change : int
        Iterations without a better score after which training stops early.
    callback : callable or None
        As in `anmf.NMF`; ``info.state.bases`` are the current bases.

    Attributes
    ----------
    bases_ : list of array (k_s, m)
        Basis of each source, rows of unit length.
    components_ : array (sum of k_s, m)
        All bases stacked.
    sources_ : ndarray (n_sources,)
        Label of each source, in the order of the parts.
    alpha_H_ : ndarray (sum of k_s,)
        Sparsity used.
    objective_ : ndarray (n_iter_,)
        Sum of the objectives of the sources after each iteration; then that of the mixtures if
        sources were learnt from them.
    validation_scores_ : ndarray (n_iter,)
        With early stopping, the score after each iteration.
    n_iter_ : int
    n_features_in_ : int

    Notes
    -----
    The default sparsity was chosen on held-out mixtures of training digits (MNIST 0 + 1 and 3 + 8,
    64 components a source): of 0.002 to 0.27 times the mean row length, in training and separation
    alike, 0.07 was best on 3 + 8 and on average, and 0.1 dB below the best on 0 + 1
    (``python -m benchmarks sparsity`` repeats the search). Without sparsity, more iterations fit
    each source better and separate worse.

    References
    ----------
    Schmidt and Olsson, "Single-channel speech separation using sparse non-negative matrix
    factorization", Interspeech 2006. Le Roux, Weninger and Hershey, "Sparse NMF — half-baked or
    well done?", MERL TR2015-023, 2015.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(32, random_state=0).fit(data.X_train, data.y_train)
    >>> parts = model.separate(data.X_test)
    >>> parts.shape == data.parts_test.shape
    True
    """

    def __init__(self, n_components=None, *, method="nmf", n_sources=None, wiener=True,
                 solver="hals", beta_loss=2.0, init="exemplar", alpha_H="auto", alpha_W=0.0,
                 missing="error", batch_size=None, forget_factor=0.7, max_iter=30, tol=0.0,
                 metric="psnr", early_stopping=False, validation_fraction=0.1,
                 n_iter_no_change=10, callback=None, random_state=None, verbose=0):  # fmt: skip
        self.n_components = n_components
        self.method = method
        self.n_sources = n_sources
        self.wiener = wiener
        self.solver = solver
        self.beta_loss = beta_loss
        self.init = init
        self.alpha_H = alpha_H
        self.alpha_W = alpha_W
        self.missing = missing
        self.batch_size = batch_size
        self.forget_factor = forget_factor
        self.max_iter = max_iter
        self.tol = tol
        self.metric = metric
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callback = callback
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y):
        """Learn one basis a source.

        Parameters
        ----------
        X : array (n, m)
            Non-negative samples of the sources, and of mixtures.
        y : array of int (n,), or array (n, n_sources, m)
            The source of each row, −1 for a mixture; or the true parts of each row, which then
            serve as the samples of the sources. `anmf.stack_sources` makes `X` and `y` from one
            array a source.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad data, labels that don't fit them, or unknown options.
        """
        check_separation(self)
        X = self._check(X, reset=True)
        rng = random_generator(self.random_state)
        taught = read_labels(X, y, declared_sources(self.n_components, self.n_sources))
        missing = [s for s, rows in enumerate(taught.sources) if not rows.shape[0]]
        self.sources_, self._floor = taught.labels, model_floor(X)
        callback = self.callback
        if self.early_stopping:
            if missing:
                raise ValueError(
                    f"early_stopping=True makes mixtures from rows of every source, and {missing} "
                    "have none; use early_stopping=False"
                )
            taught, *held = hold_out(taught, self.validation_fraction, rng)
            callback = Monitor(self._score_bases, *held, self.n_iter_no_change, self.callback)
        check_inits(self.init, len(taught.sources))
        self._sizes = basis_sizes(self.n_components, taught, X)
        beta = resolve_beta(self.beta_loss)
        self.alpha_H_ = resolve_sparsity(self.alpha_H, sum(self._sizes), taught, beta)
        self._learn(self._task(taught, rng), missing, callback)
        return self

    def _learn(self, task, missing, callback):
        """Run the method for the sources that have rows, then learn the missing ones."""
        known = [s for s in range(len(task.sources)) if s not in missing]
        outcome = self._iterate(*METHODS[self.method](task.only(known)), callback)
        bases = outcome.state.bases
        if missing:
            start, step = learn_missing(task, dict(zip(known, bases, strict=True)), missing)
            if outcome.interrupted:
                bases = start().bases
            else:
                first, outcome = outcome, self._iterate(start, step, callback)
                outcome.history = first.history + outcome.history
                bases = outcome.state.bases
        if isinstance(callback, Monitor):
            self.validation_scores_ = np.asarray(callback.history)
            bases = callback.bases or bases
        self.bases_ = bases
        outcome.settle(self)

    def _iterate(self, start, step, callback):
        return iterate(
            start, step, max_iter=self.max_iter, tol=self.tol, callback=callback,
            verbose=self.verbose, description=f"{type(self).__name__} ({self.method})",
        )  # fmt: skip

    def transform(self, X):
        """Activations of mixtures on all bases stacked.

        Parameters
        ----------
        X : array (n, m)

        Returns
        -------
        H : array (n, sum of k_s)
        """
        check_is_fitted(self)
        return self._activations(self._check(X, reset=False), self.bases_)[0]

    def separate(self, X):
        """Parts of mixtures.

        Parameters
        ----------
        X : array (n, m)

        Returns
        -------
        array (n, n_sources, m)
            In the order of ``sources_``; they sum to X when `wiener` (to the completed X where
            entries are missing).
        """
        check_is_fitted(self)
        return self._separate(self._check(X, reset=False), self.bases_)

    def score(self, X, y, metric=None):
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        X : array (n, m)
            Mixtures, or labelled rows of the sources.
        y : array (n, n_sources, m) or array of int (n,)
            True parts of the mixtures; or labels, from whose rows mixtures are made (always the
            same ones), so that cross-validation works with labels alone. Use scikit-learn's
            ``StratifiedKFold`` there, so that every fold has rows of every source.
        metric : str or None
            A name of `anmf.metrics.METRICS`; None for the parameter `metric`.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        if np.ndim(y) == 1:
            X, y = labelled_mixtures(self._check(X, reset=False), y, self.sources_)
        return super().score(X, y, metric or self.metric)

    @property
    def components_(self):
        """All bases stacked, (sum of k_s, m)."""
        return namespace(*self.bases_).concat(self.bases_, axis=0)

    @property
    def _n_features_out(self):
        return sum(self._sizes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.allow_nan = self.missing == "ignore"
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check(self, X, *, reset):
        return check_samples(self, X, reset=reset, missing=self.missing)

    def _task(self, taught, rng):
        return Task(
            sources=taught.sources,
            mixtures=taught.mixtures,
            n_components=self._sizes,
            sparsity=np.split(self.alpha_H_, np.cumsum(self._sizes)[:-1]),
            solver=check_parameters(self),
            init=self.init,
            shrinkage=self.alpha_W,
            beta=resolve_beta(self.beta_loss),
            floor=self._floor,
            missing=self.missing,
            rng=rng,
            options={"batch_size": self.batch_size, "forget_factor": self.forget_factor},
        )

    def _activations(self, X, bases):
        bases = [moved(basis, X) for basis in bases]
        W = namespace(X).concat(bases, axis=0)
        problem = make_problem(
            X, W.shape[0], missing=self.missing, alpha_H=self.alpha_H_,
            beta=resolve_beta(self.beta_loss), floor=self._floor,
        )  # fmt: skip
        return check_parameters(self).solve(problem, W), bases, problem

    def _separate(self, X, bases):
        H, bases, problem = self._activations(X, bases)
        xp, ends = problem.xp, np.cumsum(self._sizes).tolist()
        groups = [H[:, end - k : end] for end, k in zip(ends, self._sizes, strict=True)]
        parts = xp.stack([h @ W for h, W in zip(groups, bases, strict=True)], axis=1)
        if not self.wiener:
            return parts
        X = problem.X
        if problem.observed is not None:
            X = xp.where(problem.observed > 0, X, xp.sum(parts, axis=1))
        return wiener(X, parts)

    def _score_bases(self, bases, mixtures, parts):
        return mean_score(self.metric, parts, self._separate(mixtures, bases))
