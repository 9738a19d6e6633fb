"""The estimator `NMF`."""

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import is_foreign, moved, random_generator
from anmf._core.checks import check_penalty, check_samples, check_weights
from anmf._core.iterate import IterationInfo, iterate
from anmf._core.threads import limited_threads
from anmf._core.types import Array, RandomState, SparseMatrix
from anmf.base import SeparatorMixin
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.parameters import check_parameters
from anmf.nmf.problem import make_problem, model_floor
from anmf.nmf.solvers import SOLVERS, solve
from anmf.nmf.start import start_components
from anmf.nmf.stream import descent


class NMF(SeparatorMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative matrix factorisation X ≈ H W.

    Rows of X are samples. H = ``transform(X)`` holds the activations, W = ``components_`` the
    components. (scikit-learn's own NMF uses the two letters the other way round.)

    Parameters
    ----------
    n_components : int or None, default None
        Number k of components; None for the number of features, as in scikit-learn.
    solver : {'hals', 'mu'}, default 'hals'
        'hals', extrapolated hierarchical alternating least squares, for the Frobenius loss;
        'mu', multiplicative updates, for every loss.
    beta_loss : float or {'frobenius', 'kullback-leibler', 'itakura-saito'}, default 2.0
        β of the divergence: 2, 1, 0 or any other number. For β ≤ 0 entries of X below
        float precision × mean(X) are raised to it, because the loss is infinite at zero.
    init : {'exemplar', 'random', 'nndsvda'} or array-like of shape (k, m), default 'exemplar'
        Start of the components: rows of the data, random values, a singular value decomposition
        with zeros filled, or given rows.
    alpha_H : float or array-like of shape (k,), default 0.0
        Sparsity: weight of the sum of each sample's activations. It acts in `transform` too.
    alpha_W : float or array-like of shape (k,), default 0.0
        Shrinkage: weight of the sum of each component's entries.
    frozen : None, int, bool array-like of shape (k,) or array-like of shape (f, m), default None
        Components that stay as they are: the leading rows themselves, (f, m); or the number or
        the mask of rows of an array `init`.
    missing : {'error', 'ignore'}, default 'error'
        'ignore' takes NaN as a missing entry, which gets no weight.
    batch_size : int or None, default None
        Rows of a mini-batch; None for all rows at once.
    forget_factor : float, default 0.7
        In [0, 1]: what is left of the statistics of a mini-batch after one more pass over the
        data (`fit`) or one more call (`partial_fit`).
    max_iter : int, default 200
        Most iterations (passes over the data).
    tol : float, default 0.0001
        Stop once an iteration changes the objective by less than `tol` times its first value.
        0 runs `max_iter` iterations.
    callback : callable or None, default None
        Called after every iteration with an object that has ``n_iter``, ``objective``,
        ``seconds`` and ``state`` (``state.components``); a true result stops the fit.
    random_state : int, Generator, RandomState or None, default None
        Seed of the draws of `init` and of mini-batches.
    verbose : int, default 0
        A progress bar when positive.

    Attributes
    ----------
    components_ : array of shape (k, m)
        Components W, rows of unit length (frozen rows as given).
    n_components_ : int
        Number k of components.
    n_features_in_ : int
        Number m of features.
    objective_ : ndarray of shape (n_iter,)
        Objective after each iteration; it never rises when `batch_size` is None.
    n_iter_ : int
        Iterations done.

    Notes
    -----
    The objective, with weights ω_i that sum to one and ‖w_t‖ = 1, is

        Σ_i ω_i [D_β(x_i | h_i W) + Σ_t α_t h_it] + Σ_t α'_t Σ_j w_tj,

    a mean over samples: the meaning of `alpha_H` doesn't change with their number. Components of
    unit length are what makes sparsity effective; without it, large components with small
    activations would evade the penalty.

    Arrays of NumPy, PyTorch, CuPy or any array-API library are accepted; results come back in the
    same library, dtype and device. SciPy's sparse matrices are accepted for the Frobenius loss.

    References
    ----------
    Gillis and Glineur, "Accelerated multiplicative updates and hierarchical ALS algorithms for
    nonnegative matrix factorization", Neural Computation 24(4), 2012. Ang and Gillis,
    "Accelerating nonnegative matrix factorization algorithms using extrapolation", Neural
    Computation 31(2), 2019. Févotte and Idier, Neural Computation 23(9), 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf import NMF
    >>> X = np.outer([1.0, 2.0, 3.0], [3.0, 4.0]) + np.outer([2.0, 0.0, 1.0], [1.0, 0.0])
    >>> model = NMF(n_components=2, tol=1e-9, max_iter=1000, random_state=0).fit(X)
    >>> bool(np.allclose(model.inverse_transform(model.transform(X)), X, atol=1e-3))
    True
    """

    adversarial_weight = 0.0  # which ANMF makes a parameter

    def __init__(self, n_components: int | None = None, *, solver: str = "hals",
                 beta_loss: float | str = 2.0, init: str | ArrayLike = "exemplar",
                 alpha_H: float | ArrayLike = 0.0, alpha_W: float | ArrayLike = 0.0,
                 frozen: int | ArrayLike | None = None, missing: str = "error",
                 batch_size: int | None = None, forget_factor: float = 0.7, max_iter: int = 200,
                 tol: float = 1e-4, callback: Callable[[IterationInfo], object] | None = None,
                 random_state: RandomState = None, verbose: int = 0) -> None:  # fmt: skip
        self.n_components = n_components
        self.solver = solver
        self.beta_loss = beta_loss
        self.init = init
        self.alpha_H = alpha_H
        self.alpha_W = alpha_W
        self.frozen = frozen
        self.missing = missing
        self.batch_size = batch_size
        self.forget_factor = forget_factor
        self.max_iter = max_iter
        self.tol = tol
        self.callback = callback
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike | SparseMatrix,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn components.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            Non-negative samples.
        y : None
            Ignored.
        sample_weight : array-like of shape (n,) or None, default None
            How much each row counts; a row of weight 2 counts as two.

        Returns
        -------
        self
            With ``components_``.

        Raises
        ------
        ValueError
            For bad data, or parameters that don't fit them.
        """
        self._resolve_solver()
        X = self._check(X, reset=True)
        rng = random_generator(self.random_state)
        W, problem = self._start(X, y, sample_weight, rng)
        with limited_threads(*problem.X.shape, W.shape[0]):
            outcome = iterate(
                *self._descent(problem, W, rng), max_iter=self.max_iter, tol=self.tol,
                callback=self.callback, verbose=self.verbose, description=type(self).__name__,
            )  # fmt: skip
        self.components_, self._memory = outcome.state.components, None
        outcome.settle(self)
        return self

    def partial_fit(
        self,
        X: ArrayLike | SparseMatrix,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Update the components with one mini-batch; the first call draws the start from it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            The non-negative samples of the mini-batch.
        y : array-like of shape (n,) or None, default None
            As in ``fit``.
        sample_weight : array-like of shape (n,) or None, default None
            How much each row counts; a row of weight 2 counts as two.

        Returns
        -------
        self
            With the new ``components_``.

        Raises
        ------
        ValueError
            As in ``fit``.
        """
        solver = self._resolve_solver()
        first = not hasattr(self, "components_")
        X = self._check(X, reset=first)
        if first:
            W, problem = self._start(X, y, sample_weight, random_generator(self.random_state))
            self._memory, self.objective_, self.n_iter_ = None, np.empty(0), 0
        else:
            problem = self._problem(*self._arrange(X, y, sample_weight))
            W = moved(self.components_, X)
        memory = self._memory or solver.start_memory(problem, W)
        self.components_, _, self._memory, value = solver.absorb(
            problem, W, None, memory, self.forget_factor
        )
        self.objective_ = np.append(self.objective_, value)
        self.n_iter_ += 1
        return self

    def transform(self, X: ArrayLike | SparseMatrix) -> Array:
        """Activations of each sample, at the optimum for its row alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            Non-negative samples.

        Returns
        -------
        H : array of shape (n, k)
            Non-negative; row i holds the weight of each component in sample i.
        """
        W, problem = self._fitted(X)
        return solve(problem, W)

    def inverse_transform(self, X: ArrayLike) -> Array:
        """The model H W of given activations; missing entries of the data are completed by it.

        Parameters
        ----------
        X : array-like of shape (n, k)
            Activations H.

        Returns
        -------
        array of shape (n, m)
            In the library of `X`.
        """
        check_is_fitted(self)
        H: Array = X if is_foreign(X) else np.asarray(X)
        if H.ndim != 2 or H.shape[1] != self.n_components_:
            raise ValueError(
                f"X has shape {tuple(H.shape)}; inverse_transform takes activations of shape "
                f"(n_samples, {self.n_components_})"
            )
        return H @ moved(self.components_, H)

    def separate(self, X: ArrayLike | SparseMatrix) -> Array:
        """What the components explain of each sample, and the rest.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            Non-negative samples.

        Returns
        -------
        array of shape (n, 2, m)
            min(X, H W) and X − min(X, H W), which sum to X. Where X is missing, H W and 0.
        """
        W, problem = self._fitted(X)
        xp, V = problem.xp, problem.X
        if sparse.issparse(V):
            V = V.toarray()
        model = solve(problem, W) @ W
        if problem.observed is not None:
            V = xp.where(problem.observed > 0, V, model)
        explained = xp.where(model < V, model, V)
        return xp.stack([explained, V - explained], axis=1)

    def score(
        self, X: ArrayLike | SparseMatrix, y: ArrayLike | None = None, metric: str = "psnr"
    ) -> float:
        """Quality of the model of X, higher is better.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            Non-negative samples.
        y : array-like of shape (n, 2, m) or None, default None
            True parts: what the components should explain, and the rest.
        metric : str, default 'psnr'
            A name of `anmf.metrics.METRICS`, used with true parts.

        Returns
        -------
        float
            With true parts, their mean `metric` in dB. Otherwise minus the mean over samples of
            the divergence D_β between the sample and its model.
        """
        if y is not None and np.ndim(y) == 3:
            return super().score(X, y, metric)
        W, problem = self._fitted(X)
        return -problem.loss(solve(problem, W), W)

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return self.components_.shape[0]

    _n_features_out = n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = self.beta_loss in (2, "frobenius") and self.missing == "error"
        tags.input_tags.allow_nan = self.missing == "ignore"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check(self, X, *, reset):
        sparse_too = self.__sklearn_tags__().input_tags.sparse
        return check_samples(self, X, reset=reset, missing=self.missing, accept_sparse=sparse_too)

    def _resolve_solver(self):
        """Check the parameters, and return the solver's module."""
        return check_parameters(self, SOLVERS)

    def _arrange(self, X, y, sample_weight):
        """Rows with the adversarial ones last, their weights, and how many are adversarial."""
        return X, check_weights(sample_weight, X.shape[0]), 0

    def _start(self, X, y, sample_weight, rng):
        """Initial components, and the problem; what `transform` needs of the data is kept."""
        X, weight, n_adversarial = self._arrange(X, y, sample_weight)
        n_true = X.shape[0] - n_adversarial
        true = X[:n_true, :] if n_adversarial else X
        self._floor = model_floor(true)
        W, self._frozen = start_components(
            true, self.n_components, self.init, self.frozen, rng,
            None if weight is None else weight[:n_true],
        )  # fmt: skip
        return W, self._problem(X, weight, n_adversarial)

    def _descent(self, problem, W, rng):
        """What makes the first state, and what lowers its objective."""
        options = {"batch_size": self.batch_size, "forget_factor": self.forget_factor}
        return descent(problem, W, self._resolve_solver(), rng=rng, **options)

    def _problem(self, X, weight=None, n_adversarial=0):
        k = self._frozen.shape[0]
        return make_problem(
            X, k, missing=self.missing, sample_weight=weight,
            alpha_H=check_penalty("alpha_H", self.alpha_H, k),
            alpha_W=check_penalty("alpha_W", self.alpha_W, k), frozen=self._frozen,
            beta=resolve_beta(self.beta_loss), floor=self._floor, n_adversarial=n_adversarial,
            adversarial_weight=self.adversarial_weight,
        )  # fmt: skip

    def _fitted(self, X):
        check_is_fitted(self)
        problem = self._problem(self._check(X, reset=False))
        return moved(self.components_, problem.X), problem
