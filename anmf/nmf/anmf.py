"""The estimator `ANMF`."""

import warnings
from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import take_rows, to_host
from anmf._core.checks import check_count, check_real, check_weights
from anmf._core.iterate import IterationInfo
from anmf._core.types import RandomState, SparseMatrix
from anmf.nmf import stochastic_mu
from anmf.nmf.nmf import NMF
from anmf.nmf.parameters import check_parameters
from anmf.nmf.solvers import ADVERSARIAL_SOLVERS, solve


class ANMF(NMF):
    """Adversarially generated NMF: components that fit their own data well and all else badly.

    Also known as maximum-discrepancy NMF. Rows labelled −1 are adversarial. The components are
    those that explain the other rows well while explaining the adversarial rows badly, so that a
    mixture's share of its own source, and no more, goes to them.

    Parameters
    ----------
    n_components : int or None, default None
        Number k of components; None for the number of features.
    adversarial_weight : float, default 0.1
        Weight τ of the adversarial rows together, when the true rows together have 1.
    solver : {'safeguarded', 'mu'}, default 'safeguarded'
        'safeguarded', whose objective never rises, whatever the weight; 'mu', the published
        stochastic multiplicative updates, for comparison.
    init : {'exemplar', 'random', 'nndsvda'} or array-like of shape (k, m), default 'exemplar'
        Start of the components: rows of the data, random values, a singular value decomposition
        with zeros filled, or given rows. Drawn from the true rows.
    alpha_H : float or array-like of shape (k,), default 0.0
        Sparsity: weight of the sum of each sample's activations. It acts in `transform` too.
    alpha_W : float or array-like of shape (k,), default 0.0
        Shrinkage: weight of the sum of each component's entries.
    frozen : None, int, bool array-like of shape (k,) or array-like of shape (f, m), default None
        Components that stay as they are, as in `anmf.NMF`.
    missing : {'error', 'ignore'}, default 'error'
        'ignore' takes NaN as a missing entry, which gets no weight.
    batch_size : int or None, default None
        Rows of a mini-batch of both kinds in their proportion; None for all rows at once. For
        solver='mu', true rows of a batch; None for 500.
    adversarial_batch_size : int or None, default None
        Adversarial rows of a batch of solver='mu'; None for as many as true ones.
    update_H : bool, default False
        Whether solver='mu' refreshes the activations of each batch when it meets it, rather than
        all of them once an epoch.
    forget_factor : float, default 0.7
        In [0, 1]: what is left of the statistics of a mini-batch after one more pass over the data.
    max_iter : int, default 200
        Most iterations; one of solver='mu' is an epoch.
    tol : float, default 0.0001
        Stop once an iteration changes the objective by less than `tol` times its first value.
        0 runs `max_iter` iterations.
    callback : callable or None, default None
        Called after every iteration, as in `anmf.NMF`; a true result stops the fit.
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
        Objective after each iteration; it never rises for solver='safeguarded' without
        `batch_size`.
    n_iter_ : int
        Iterations done.

    Notes
    -----
    The objective, for true rows u and adversarial rows û with weights that sum to one each, is

        Σ_i ω_i g(u_i; W) − τ Σ_j ω̂_j g(û_j; W) + Σ_t α'_t Σ_l w_tl,   ‖w_t‖ = 1,
        g(x; W) = min_{h ≥ 0} ½‖x − h W‖² + Σ_t α_t h_t.

    **Choosing the weight.** For separation, 0.05 to 0.1 is right for a converged solver, and more
    than 0.2 costs more than it brings: the components then give up parts of their own source. What
    the term is worth depends on the sparsity `alpha_H`; see `anmf.NMF_separation`, which makes the
    adversarial rows of every source from the other sources.

    The safeguarded solver majorises the true part, takes the tangent of the adversarial part
    (Danskin's theorem) and adds a proximal term that grows until the objective doesn't rise.

    References
    ----------
    Ludvigsen and Grasmair, "Maximum discrepancy generative regularization and non-negative matrix
    factorization for single channel source separation", arXiv 2404.15296, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf import ANMF
    >>> rng = np.random.default_rng(0)
    >>> own, other = rng.random((50, 2)) @ [[1, 1, 0, 1], [0, 1, 1, 1]], rng.random((50, 4))
    >>> X, y = np.concatenate([own, other]), np.repeat([1, -1], 50)
    >>> model = ANMF(2, adversarial_weight=0.1, max_iter=100, random_state=0).fit(X, y)
    >>> model.transform(X).shape
    (100, 2)
    """

    beta_loss = 2.0  # the adversarial solvers' only loss

    def __init__(self, n_components: int | None = None, *, adversarial_weight: float = 0.1,
                 solver: str = "safeguarded", init: str | ArrayLike = "exemplar",
                 alpha_H: float | ArrayLike = 0.0, alpha_W: float | ArrayLike = 0.0,
                 frozen: int | ArrayLike | None = None, missing: str = "error",
                 batch_size: int | None = None, adversarial_batch_size: int | None = None,
                 update_H: bool = False, forget_factor: float = 0.7, max_iter: int = 200,
                 tol: float = 1e-4, callback: Callable[[IterationInfo], object] | None = None,
                 random_state: RandomState = None, verbose: int = 0) -> None:  # fmt: skip
        self.n_components = n_components
        self.adversarial_weight = adversarial_weight
        self.solver = solver
        self.init = init
        self.alpha_H = alpha_H
        self.alpha_W = alpha_W
        self.frozen = frozen
        self.missing = missing
        self.batch_size = batch_size
        self.adversarial_batch_size = adversarial_batch_size
        self.update_H = update_H
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
        y : array-like of shape (n,) or None, default None
            −1 marks adversarial rows; every other value, and None, the rows to be explained.
        sample_weight : array-like of shape (n,) or None, default None
            How much each row counts among those of its kind.

        Returns
        -------
        self
            With ``components_``.

        Raises
        ------
        ValueError
            For bad data, parameters that don't fit them, or if every row is adversarial.

        Warns
        -----
        UserWarning
            If no row is adversarial, which makes this plain NMF.
        """
        super().fit(X, y, sample_weight)
        return self

    def score(
        self, X: ArrayLike | SparseMatrix, y: ArrayLike | None = None, metric: str = "psnr"
    ) -> float:
        """Quality of the components, higher is better.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, m)
            Non-negative samples.
        y : array-like of shape (n,) or (n, 2, m) or None, default None
            Labels, −1 for adversarial rows; or true parts as in `anmf.NMF.score`.
        metric : str, default 'psnr'
            A name of `anmf.metrics.METRICS`, used with true parts.

        Returns
        -------
        float
            With labels of both kinds the discrepancy: the mean over adversarial rows of the
            divergence D_2 between row and model, minus that over the others. Else as `anmf.NMF`.
        """
        adversarial = None if y is None or np.ndim(y) != 1 else to_host(y) == -1
        if adversarial is None or not adversarial.any() or adversarial.all():
            return super().score(X, y, metric)
        W, problem = self._fitted(X)
        H = solve(problem, W)
        kinds = [problem.rows(np.flatnonzero(a)) for a in (adversarial, ~adversarial)]
        other, own = [
            part.loss(take_rows(H, np.flatnonzero(a)), W)
            for part, a in zip(kinds, (adversarial, ~adversarial), strict=True)
        ]
        return other - own

    def _resolve_solver(self):
        check_real("adversarial_weight", self.adversarial_weight)
        check_count("adversarial_batch_size", self.adversarial_batch_size, optional=True)
        return check_parameters(self, ADVERSARIAL_SOLVERS)

    def _arrange(self, X, y, sample_weight):
        n, weight = X.shape[0], check_weights(sample_weight, X.shape[0])
        adversarial = _adversarial_rows(y, n)
        if adversarial.all():
            raise ValueError(
                f"y marks all {n} rows as adversarial (y == -1); ANMF needs rows to explain, with "
                "any other label"
            )
        true, other = np.flatnonzero(~adversarial), np.flatnonzero(adversarial)
        if weight is not None and not weight[true].sum() > 0:
            raise ValueError("sample_weight is zero for every row with y != -1")
        if not self.adversarial_weight or (weight is not None and not weight[other].any()):
            other = other[:0]
        if len(true) == n:
            return X, weight, 0
        order = np.concatenate([true, other])
        return take_rows(X, order), None if weight is None else weight[order], len(other)

    def _start(self, X, y, sample_weight, rng):
        W, problem = super()._start(X, y, sample_weight, rng)
        if self.adversarial_weight and problem.n_true == problem.X.shape[0]:
            warnings.warn(
                "no adversarial rows (y == -1) with positive weight: ANMF fits plain NMF",
                stacklevel=4,
            )
        return W, problem

    def _descent(self, problem, W, rng):
        if self.solver != "mu":
            return super()._descent(problem, W, rng)
        size = self.batch_size or stochastic_mu.BATCH_SIZE
        scheme = stochastic_mu.Scheme(
            rng, size, self.adversarial_batch_size or size, bool(self.update_H)
        )
        return stochastic_mu.descent(problem, W, scheme)


def _adversarial_rows(y, n_rows):
    """Host mask of the rows labelled −1."""
    if y is None:
        return np.zeros(n_rows, dtype=bool)
    y = to_host(y)
    if y.shape != (n_rows,):
        raise ValueError(
            f"y has shape {y.shape}; expected one label for each of the {n_rows} rows of X, "
            "-1 for adversarial rows"
        )
    return np.asarray(y == -1)
