"""Choose the parameters of a separation by random search with cross-validation."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from tqdm.auto import tqdm

from anmf._core.checks import check_choice, check_count
from anmf.metrics import METRICS
from anmf.nmf.anmf import ANMF
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.folds import make_folds, read_rows
from anmf.nmf.methods import SPARSITY
from anmf.nmf.parameters import DEFAULT_SIZE, check_separation
from anmf.nmf.separation import NMF_separation

SPARSITY_SPAN = 1 / 14, 30 / 7
"""Ends of the search for `alpha_H`, over its default: 0.005 to 0.3 mean row lengths for 0.07."""

SIZES = 8, 16, 32, 64, 128

RANGES = {
    "adversarial_weight": (0.01, 0.5),
    "data_weight": (0.01, 1.0),
    "learning_rate": (0.003, 0.1),
}

WEIGHTS = {"anmf": ["adversarial_weight"], "anmf+dnmf": ["adversarial_weight", "data_weight"]}
"""What methods weigh; of the two weights of 'anmf+dnmf' only the ratio counts."""


def tune(estimator: Any, X: ArrayLike, y: ArrayLike, *,
         param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
         n_iter: int = 30, cv: Any = None, scoring: str | Callable[..., float] | None = None,
         n_jobs: int | None = None, refit: bool | str | Callable[..., int] = True,
         random_state: int | np.random.RandomState | None = None, verbose: int = 1,
         return_train_score: bool = False,
         error_score: str | float = "raise") -> RandomizedSearchCV:  # fmt: skip
    """Try parameters drawn at random and keep those that separate held-out data best.

    This is scikit-learn's ``RandomizedSearchCV`` with a search space, folds and a progress bar made
    for separation; with the same candidates and folds the results are the same.

    Parameters
    ----------
    estimator : NMF_separation, ANMF or Pipeline
        What to tune, or a pipeline that ends in it. Not changed. Any other estimator with
        ``separate`` and ``score`` needs `param_distributions`.
    X : array-like of shape (n, m)
        Non-negative samples, as in `anmf.NMF_separation.fit`.
    y : array-like of int, shape (n,), or array-like of shape (n, n_sources, m)
        As in `anmf.NMF_separation.fit`; for `anmf.ANMF` labels, −1 for adversarial rows. At the end
        of a pipeline, parts must be those of the rows that the last step receives.
    param_distributions : dict, list of dict or None, default None
        Lists or distributions by parameter, as in ``RandomizedSearchCV`` (``step__parameter`` in a
        pipeline); None for those of `search_space`.
    n_iter : int, default 30
        Candidates to try.
    cv : int, splitter, iterable of (train, test) or None, default None
        A number of folds, None for 3: shuffled folds with equal shares of the rows of each source,
        of mixtures with true parts, and of others. Splitters are given the labels, or the kind of
        each row where y holds parts. Rows that belong together (one recording) need
        ``GroupKFold(n).split(X, y, groups)``.
    scoring : None, str or callable, default None
        None for the estimator's own ``score``, a name of `anmf.metrics.METRICS`, or a callable
        ``(estimator, X, y)``.
    n_jobs : int or None, default None
        Fits that run at once, as in joblib.
    refit : bool, str or callable, default True
        Whether to fit the best candidate on all data, as in ``RandomizedSearchCV``.
    random_state : int, RandomState or None, default None
        Seed of the candidates and of the default folds. The estimator has its own.
    verbose : int, default 1
        A progress bar over candidates when positive; it moves by `n_jobs` at a time.
    return_train_score : bool, default False
        Whether ``cv_results_`` also holds the scores on training rows.
    error_score : 'raise' or float, default 'raise'
        What a failed fit is worth; 'raise' ends the search. With a number, the bar moves at the end
        only.

    Returns
    -------
    RandomizedSearchCV
        Fitted: ``best_params_``, ``best_score_``, ``cv_results_``, and ``best_estimator_`` with
        ``separate``.

    Raises
    ------
    ValueError
        For an estimator that doesn't separate, bad data or options, or folds that can't be learnt
        from or scored.

    Notes
    -----
    The best score is the best of many on the same folds, hence a little too high: report the score
    on rows that weren't part of the search. ANMF's own score is the discrepancy between its
    adversarial and its other rows, which need not agree with the quality of a separation; to tune
    for that, tune ``NMF_separation(method="anmf")``.

    References
    ----------
    Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012. Ludvigsen
    and Grasmair, arXiv 2404.15296, 2024.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> from anmf.nmf import tune
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(8, max_iter=5, random_state=0)
    >>> search = tune(model, data.X_train, data.y_train, n_iter=4, random_state=0, verbose=0)
    >>> sorted(search.best_params_)
    ['alpha_H']
    >>> search.best_estimator_.separate(data.X_test).shape
    (100, 2, 64)
    """
    check_count("n_iter", n_iter)
    prefix, model = _last_step(estimator)
    scorer = _make_scorer(scoring, model, y)
    rows = read_rows(model, _received(estimator, X, y, fit=True), y)
    if param_distributions is None:
        param_distributions = _make_space(prefix, model, rows)
    search = ProgressSearchCV(
        estimator, param_distributions, n_iter=n_iter, scoring=scorer, n_jobs=n_jobs, refit=refit,
        cv=make_folds(rows, X, y, cv, not callable(scoring), random_state),
        random_state=random_state, error_score=error_score, return_train_score=return_train_score,
        progress=bool(verbose),
    )  # fmt: skip
    return search.fit(X, y)


def search_space(estimator: Any, X: ArrayLike, y: ArrayLike) -> dict[str, Any]:
    """The parameters that `tune` searches, and where.

    Parameters
    ----------
    estimator : NMF_separation, ANMF or Pipeline
        What is to be tuned, or a pipeline that ends in it.
    X : array-like of shape (n, m)
        Non-negative samples, as in `tune`.
    y : array-like of int, shape (n,), or array-like of shape (n, n_sources, m)
        What is known of the samples, as in `tune`.

    Returns
    -------
    dict of str to distribution or list
        To be edited and passed to `tune` as `param_distributions`. All distributions are uniform
        on a logarithmic scale:

        - ``alpha_H``, from 1/14 to 4.3 times its default, which is relative to the mean length of
          the rows of the sources: 0.005 to 0.3 mean lengths, or 0.00086 to 0.051 for
          solver='bilevel'. Other losses than Frobenius replace the length ‖x‖ by
          ‖x‖^(β−1) · m^(1−β/2).
        - ``adversarial_weight``, 0.01 to 0.5, for the methods 'anmf' and 'anmf+dnmf'. Not for
          `anmf.ANMF`: its own score is its objective with weight 1, and would choose the largest.
        - ``data_weight``, 0.01 to 1, for 'anmf+dnmf'. Only its ratio to ``supervised_weight``
          counts, which therefore stays.
        - ``learning_rate``, 0.003 to 0.1, for solver='bilevel'.
        - ``n_components``, if the estimator leaves it open: powers of two from 8 to 128, at most
          half the rows of the smallest source; and None, where 64 would be more than that.

    Raises
    ------
    ValueError
        For an estimator without a search space of its own, or bad data.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf import NMF_separation
    >>> from anmf.nmf import search_space
    >>> X, y = np.full((40, 4), 0.5), np.repeat([0, 1], 20)
    >>> space = search_space(NMF_separation(method="anmf"), X, y)
    >>> sorted(space), space["n_components"]
    (['adversarial_weight', 'alpha_H', 'n_components'], [8, None])
    >>> [round(float(end), 6) for end in space["alpha_H"].support()]
    [0.005, 0.3]
    """
    prefix, model = _last_step(estimator)
    rows = read_rows(model, _received(estimator, X, y, fit=True), y)
    return _make_space(prefix, model, rows)


class ProgressSearchCV(RandomizedSearchCV):
    """``RandomizedSearchCV`` with a bar that shows how many candidates are done.

    Parameters
    ----------
    estimator, param_distributions, n_iter, scoring, n_jobs, refit, cv, random_state, error_score, \
    return_train_score
        As in ``RandomizedSearchCV``.
    progress : bool
        Whether to show the bar. Candidates are then evaluated in groups of as many as there are
        jobs, so `cv` must give the same folds each time it is asked.
    """

    def __init__(self, estimator, param_distributions, *, n_iter=10, scoring=None, n_jobs=None,
                 refit=True, cv=None, random_state=None, error_score=np.nan,
                 return_train_score=False, progress=True):  # fmt: skip
        super().__init__(
            estimator, param_distributions, n_iter=n_iter, scoring=scoring, n_jobs=n_jobs,
            refit=refit, cv=cv, random_state=random_state, error_score=error_score,
            return_train_score=return_train_score,
        )  # fmt: skip
        self.progress = progress

    def _run_search(self, evaluate_candidates):
        drawn = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        candidates = list(drawn)
        # A group in which all fits fail raises even when failures have a score: then, one group.
        steadily = self.progress and isinstance(self.error_score, str)
        size = effective_n_jobs(self.n_jobs) if steadily else len(candidates)
        chosen = self.refit if isinstance(self.refit, str) else "score"
        with tqdm(total=len(candidates), desc="tune", disable=not self.progress) as bar:
            for first in range(0, len(candidates), size):
                group = candidates[first : first + size]
                scores = evaluate_candidates(group).get(f"mean_test_{chosen}")
                if scores is not None:
                    bar.set_postfix(best=f"{np.fmax.reduce(scores):.4g}", refresh=False)
                bar.update(len(group))


def _last_step(estimator):
    """Prefix of the parameters, and the estimator proper, at the end of a pipeline or not."""
    prefix, model = "", estimator
    while isinstance(model, Pipeline):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    if isinstance(model, type) or not hasattr(model, "separate"):
        raise ValueError(
            f"estimator={estimator!r} has no `separate`; expected an instance of "
            "NMF_separation or ANMF, or a pipeline that ends in one"
        )
    return prefix, model


def _received(estimator, X, y=None, *, fit=False):
    """X as it comes to the last step."""
    while isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            steps = clone(estimator[:-1]) if fit else estimator[:-1]
            X = steps.fit_transform(X, y) if fit else steps.transform(X)
        estimator = estimator[-1]
    return X


def _score_by(estimator, X, y, *, metric):
    """Scorer of a metric; a pipeline can't hand the name of one to its last step."""
    return _last_step(estimator)[1].score(_received(estimator, X), y, metric=metric)


def _make_scorer(scoring, model, y):
    if scoring is None or callable(scoring):
        return scoring
    check_choice("scoring (unless it is None or a callable)", scoring, METRICS)
    if np.ndim(y) == 1 and not isinstance(model, NMF_separation):
        raise ValueError(
            f"scoring={scoring!r} compares parts, which {type(model).__name__} doesn't get from "
            "labels; use scoring=None for its own score, or tune NMF_separation(method='anmf')"
        )
    return partial(_score_by, metric=scoring)


def _make_space(prefix, model, rows):
    if isinstance(model, ANMF):
        sparsity, beta, names = SPARSITY, 2.0, []
    elif isinstance(model, NMF_separation):
        solver, learner = check_separation(model)
        sparsity, beta = learner.sparsity, resolve_beta(model.beta_loss)
        names = [*WEIGHTS.get(model.method, []), *["learning_rate"] * (solver == "bilevel")]
    else:
        raise ValueError(
            f"{type(model).__name__} has no search space of its own; pass param_distributions"
        )
    # Where activations start to pay: the size of the gradient of the loss at none, for even rows.
    unit = (rows.scale or 1.0) ** (beta - 1) * rows.width ** (1 - beta / 2)
    space = {"alpha_H": loguniform(*(sparsity * unit * end for end in SPARSITY_SPAN))}
    space |= {name: loguniform(*RANGES[name]) for name in names}
    fixed = not isinstance(model.init, str) or getattr(model, "frozen", None) is not None
    if model.n_components is None and not fixed:
        most = rows.fewest // 2  # so many are left to train on, in the smallest number of folds
        sizes = [k for k in SIZES if k <= most]
        space["n_components"] = sizes if DEFAULT_SIZE in sizes else [*sizes, None]
    return {prefix + name: values for name, values in space.items()}
