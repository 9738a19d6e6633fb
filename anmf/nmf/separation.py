"""The estimator `NMF_separation`."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import moved, namespace, random_generator
from anmf._core.checks import check_choice, check_samples
from anmf._core.iterate import IterationInfo, iterate
from anmf._core.threads import limited_threads
from anmf._core.types import Array, RandomState
from anmf.base import SeparatorMixin
from anmf.masks import wiener
from anmf.metrics import METRICS, mean_score
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.early_stopping import Monitor, hold_out
from anmf.nmf.labels import known_mixtures, read_labels
from anmf.nmf.methods import join, learn_missing, learn_nothing
from anmf.nmf.parameters import (
    basis_sizes,
    check_inits,
    check_separation,
    check_shares,
    declared_sources,
    frozen_sources,
    mean_length,
    one_a_source,
    resolve_sparsity,
)
from anmf.nmf.problem import make_problem, model_floor
from anmf.nmf.solvers import solve
from anmf.nmf.task import Ensemble, Task, side_by_side


class NMF_separation(
    SeparatorMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Single-channel source separation with one non-negative basis a source.

    A basis W_s is learnt for every source. The activations of a mixture on all bases stacked then
    tell how much each source contributes, and the mixture is shared out accordingly.

    Parameters
    ----------
    n_components : int, sequence of int or None, default None
        Components of each source; None for 64, or as many as a source has rows or features.
    method : {'nmf', 'exemplar', 'anmf', 'dnmf', 'anmf+dnmf'}, default 'nmf'
        How bases are learnt, a name of `anmf.nmf.METHODS`: 'nmf' factorises the rows of every
        source; 'exemplar' takes rows of the data themselves, with nothing to train; 'anmf' also
        makes every basis refuse the other sources (`anmf.ANMF`); 'dnmf' trains all bases together
        to separate mixtures; 'anmf+dnmf' does both.
    n_sources : int or None, default None
        None for the number of labels. When larger, sources without labelled rows are learnt from
        the mixtures while the bases of the others are frozen (semi-supervised separation).
    wiener : bool, default True
        Whether the parts share out the mixture, X · P_s / Σ_r P_r, and so sum to it. Otherwise
        they are P_s = H_s W_s.
    solver : str, default 'auto'
        'auto', or for 'nmf' and 'exemplar' 'hals' (the Frobenius loss) or 'mu' (any); for 'anmf'
        'safeguarded' or 'mu'; for 'dnmf' and 'anmf+dnmf' 'bilevel' or 'mu'. The first is what
        'auto' takes; 'mu' of the last three are the published updates, kept for comparison.
    beta_loss : float or {'frobenius', 'kullback-leibler', 'itakura-saito'}, default 2.0
        β of the divergence, as in `anmf.NMF`. 'anmf' and 'dnmf' minimise the Frobenius loss only.
    init : str or list of array-like of shape (k_s, m), default 'exemplar'
        Start of the bases, as in `anmf.NMF`; of arrays, one a source.
    frozen : sequence of bool, one a source, or None, default None
        Sources whose basis is that of `init`, rows as given, and stays; they need no rows.
    anchor : float or sequence of float, default 0.0
        Strength with which the components of a source that is learnt from the mixtures are drawn
        to their start, over the mean energy of a mixture a component: 0 leaves them free, and the
        source may grow to explain the others too.
    alpha_H : float, array-like of shape (sum of k_s,) or 'auto', default 'auto'
        Sparsity of the activations in training and in `transform`. 'auto' is 0.07 × the mean
        length of the sources' rows (0.012 × for solver='bilevel') for the Frobenius loss, 0 for
        the others.
    alpha_W : float, default 0.0
        Shrinkage: weight of the sum of each component's entries.
    adversarial_weight : float or sequence of float, default 0.05
        Weight τ of the adversarial rows of each source, for 'anmf'.
    adversarial_shares : array-like of shape (n_sources, n_sources) or None, default None
        Share of source j (column) among the adversarial rows of source i (row); what is left of 1
        goes to the mixtures. None weighs all rows alike.
    mixture_gain : float or sequence of float, default 1.0
        Factor on the mixtures among the adversarial rows.
    data_weight : float, default 0.1
        For 'anmf+dnmf', weight of the objective of 'anmf'.
    supervised_weight : float, default 1.0
        For 'anmf+dnmf', weight of the separation error.
    reconstruction : {'tied', 'untied'}, default 'untied'
        Whether the basis that analyses mixtures also rebuilds the parts, or one of its own does,
        for solver='bilevel'.
    remix : bool, default True
        Whether solver='bilevel' mixes the rows of the sources anew in every epoch; otherwise it
        uses the given mixtures and their true parts alone.
    learning_rate : float, default 0.01
        First step size of solver='bilevel', which falls to 0 over `max_iter` epochs.
    warm_up : int or None, default None
        Iterations of plain NMF ('anmf+dnmf': of 'anmf') before the method's own; None for 30 with
        solver='bilevel', else 0.
    n_estimators : int, default 1
        Models trained from different random draws, whose outputs are averaged.
    missing : {'error', 'ignore'}, default 'error'
        'ignore' takes NaN as a missing entry, which gets no weight.
    batch_size : int or None, default None
        Rows of a mini-batch; None for all rows at once, 250 mixtures with solver='bilevel', 500
        rows for the published updates.
    adversarial_batch_size : int or None, default None
        Adversarial rows of a batch of the published updates; None for as many as true ones.
    update_H : bool, default False
        Whether the published updates refresh the activations of each batch when they meet it.
    forget_factor : float, default 0.7
        In [0, 1]: what is left of the statistics of a mini-batch after one more pass over the data.
    max_iter : int or None, default None
        Iterations; None for 30, for 100 epochs of solver='bilevel', for 200 of the published
        updates.
    tol : float, default 0.0
        Stop once an iteration changes the objective by less than `tol` times its first value;
        0 runs `max_iter` iterations.
    metric : str, default 'psnr'
        What `score` and early stopping measure, a name of `anmf.metrics.METRICS`.
    early_stopping : bool, default False
        Whether to keep the bases of the iteration that separates held-out mixtures best. These
        are made of held-out labelled rows, or are held out of X where `y` gives its true parts.
    validation_fraction : float, default 0.1
        Share of the rows held out.
    n_iter_no_change : int, default 10
        Iterations without a better score after which training stops early.
    callback : callable or None, default None
        As in `anmf.NMF`; ``info.state.bases`` are the current bases, ``info.state.members`` those
        of all models.
    random_state : int, Generator, RandomState or None, default None
        Seed of all random draws.
    verbose : int, default 0
        A progress bar when positive.

    Attributes
    ----------
    bases_ : list of array of shape (k_s, m)
        Basis of each source, rows of unit length.
    reconstruction_ : list of array of shape (k_s, m)
        What rebuilds the parts: ``bases_`` itself unless `reconstruction` is 'untied'.
    members_ : list
        All models, each with ``bases`` and ``reconstruction``; the two above are of the first.
    components_ : array of shape (n_estimators × sum of k_s, m)
        The bases of all models stacked.
    sources_ : ndarray of shape (n_sources,)
        Label of each source, in the order of the parts.
    alpha_H_ : ndarray of shape (sum of k_s,)
        Sparsity used.
    objective_ : ndarray of shape (n_iter_,)
        Sum of the objectives of the sources after each iteration (the mean separation loss in an
        epoch, for solver='bilevel'), the mean over models; then that of the mixtures if sources
        were learnt from them.
    validation_scores_ : ndarray of shape (n_iter,)
        With early stopping, the score after each iteration.
    n_iter_ : int
        Iterations done.
    n_features_in_ : int
        Number m of features.

    Notes
    -----
    **Which method.** On overlaid digits of MNIST, 64 components a source, in dB of the median PSNR
    (``python -m benchmarks mnist_pairs``): 'dnmf' is 1.5 to 3 dB above all others, needs no more
    than rows of each source, and takes 13 to 15 times as long to train, about as long to separate.
    With 250 pairs and 500 single rows of each of two digits, it gains 2.5 dB over 'nmf' in the mean
    of nine pairs (``python -m benchmarks mnist``). `n_estimators` adds some tenths of a dB to any
    method, at its price.

    **When the adversarial term helps.** With the default sparsity 'anmf' is within a few tenths of
    a dB of 'nmf' on test mixtures of five pairs of digits: sparsity alone does as well. With hardly
    any sparsity the term helps, most where sources are easy to tell apart. 'dnmf' gains nothing
    from the objective of adversarial bases as a further term when data are few (``python -m
    benchmarks mnist``, both).

    **Choosing τ.** Keep `adversarial_weight` at 0.03 to 0.1. From 0.2 on the bases give up parts of
    their own source (the same benchmark).

    **Choosing the sparsity.** The default was chosen on held-out mixtures of training digits (0 + 1
    and 3 + 8): of 0.002 to 0.27 times the mean row length, in training and separation alike, 0.07
    was best on 3 + 8 and on average, and 0.1 dB below the best on 0 + 1 (``python -m benchmarks
    sparsity``). Without sparsity, more iterations fit each source better and separate worse.

    References
    ----------
    Schmidt and Olsson, "Single-channel speech separation using sparse non-negative matrix
    factorization", Interspeech 2006. Weninger, Le Roux, Hershey and Watanabe, "Discriminative NMF
    and its application to single-channel source separation", Interspeech 2014. Le Roux, Weninger
    and Hershey, "Sparse NMF — half-baked or well done?", MERL TR2015-023, 2015. Ludvigsen and
    Grasmair, "Maximum discrepancy generative regularization and non-negative matrix factorization
    for single channel source separation", arXiv 2404.15296, 2024.

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

    def __init__(self, n_components: int | Sequence[int] | None = None, *, method: str = "nmf",
                 n_sources: int | None = None, wiener: bool = True, solver: str = "auto",
                 beta_loss: float | str = 2.0, init: str | Sequence[ArrayLike] = "exemplar",
                 frozen: Sequence[bool] | None = None, anchor: float | Sequence[float] = 0.0,
                 alpha_H: float | str | ArrayLike = "auto", alpha_W: float = 0.0,
                 adversarial_weight: float | Sequence[float] = 0.05,
                 adversarial_shares: ArrayLike | None = None,
                 mixture_gain: float | Sequence[float] = 1.0, data_weight: float = 0.1,
                 supervised_weight: float = 1.0, reconstruction: str = "untied",
                 remix: bool = True, learning_rate: float = 0.01, warm_up: int | None = None,
                 n_estimators: int = 1, missing: str = "error", batch_size: int | None = None,
                 adversarial_batch_size: int | None = None, update_H: bool = False,
                 forget_factor: float = 0.7, max_iter: int | None = None, tol: float = 0.0,
                 metric: str = "psnr", early_stopping: bool = False,
                 validation_fraction: float = 0.1, n_iter_no_change: int = 10,
                 callback: Callable[[IterationInfo], object] | None = None,
                 random_state: RandomState = None, verbose: int = 0) -> None:  # fmt: skip
        self.n_components = n_components
        self.method = method
        self.n_sources = n_sources
        self.wiener = wiener
        self.solver = solver
        self.beta_loss = beta_loss
        self.init = init
        self.frozen = frozen
        self.anchor = anchor
        self.alpha_H = alpha_H
        self.alpha_W = alpha_W
        self.adversarial_weight = adversarial_weight
        self.adversarial_shares = adversarial_shares
        self.mixture_gain = mixture_gain
        self.data_weight = data_weight
        self.supervised_weight = supervised_weight
        self.reconstruction = reconstruction
        self.remix = remix
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.n_estimators = n_estimators
        self.missing = missing
        self.batch_size = batch_size
        self.adversarial_batch_size = adversarial_batch_size
        self.update_H = update_H
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

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn one basis a source.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Non-negative samples of the sources, and of mixtures.
        y : array-like of int, shape (n,), or array-like of shape (n, n_sources, m)
            Weak supervision: the source of each row, −1 for a mixture. Or, weak and strong: the
            true parts of each row. A row whose parts but one are zero is a sample of that source;
            NaN throughout marks a mixture whose parts are unknown. Parts need not sum to their
            mixture (the magnitudes of audio don't). `anmf.stack_sources` makes either form.

        Returns
        -------
        self
            With ``bases_`` and ``reconstruction_``.

        Raises
        ------
        ValueError
            For bad data, labels that don't fit them, unknown options, or data that the method
            can't learn from.
        """
        _, learner = check_separation(self)
        rows: Array = self._check(X, reset=True)
        rng = random_generator(self.random_state)
        n_sources = declared_sources(self.n_components, self.n_sources)
        frozen = frozen_sources(self.frozen, self.init, n_sources)
        n_sources = n_sources or (len(self.frozen or ()) if frozen else None)
        taught = read_labels(rows, y, n_sources, frozen)
        missing = [s for s, own in enumerate(taught.sources) if not own.shape[0]]
        missing = [s for s in missing if s not in frozen]
        self.sources_, self._floor = taught.labels, model_floor(rows)
        callback: Any = self.callback
        if self.early_stopping:
            if missing or frozen:
                raise ValueError(
                    f"early_stopping=True makes mixtures from rows of every source, and "
                    f"{missing or frozen} have none or are frozen; use early_stopping=False"
                )
            taught, X, y = hold_out(taught, self.validation_fraction, rng)
            callback = Monitor(self._score_members, X, y, self.n_iter_no_change, self.callback)
        check_inits(self.init, len(taught.sources))
        self._sizes = basis_sizes(self.n_components, self.init, taught, rows)
        task = self._task(taught, rng)
        n, m = rows.shape
        at_once = min(task.options.batch_size or learner.batch_size or n, n)
        with limited_threads(at_once, m, sum(self._sizes)):
            self._learn(task, learner, frozen, missing, callback)
        return self

    def _learn(self, task, learner, frozen, missing, callback):
        """Run the method for the sources that have rows, then learn the missing ones."""
        taught = [s for s in range(len(task.sources)) if s not in (*missing, *frozen)]
        learn = learner.run if taught else learn_nothing
        runs = [learn(task.only(taught)) for _ in range(self.n_estimators)]
        outcome = self._iterate(runs, task, callback if taught else None)
        outcome.history = outcome.history if taught else []
        if missing or frozen:
            given = {s: (task.given(s), task.given(s)) for s in frozen}
            known = [given | _by_source(taught, member) for member in outcome.state.members]
            rest = learn_missing if missing else join
            runs = [rest(task, bases, missing) for bases in known]
            if outcome.interrupted:
                outcome.state = side_by_side(runs, Ensemble)[0]()
            else:
                first, outcome = outcome, self._iterate(runs, task, callback)
                outcome.history = first.history + outcome.history
        self.members_ = outcome.state.members
        if isinstance(callback, Monitor):
            self.validation_scores_ = np.asarray(callback.history)
            self.members_ = callback.members or self.members_
        self.bases_, self.reconstruction_ = self.members_[0].bases, self.members_[0].reconstruction
        outcome.settle(self)

    def _iterate(self, runs, task, callback):
        return iterate(
            *side_by_side(runs, Ensemble), max_iter=task.options.max_iter, tol=self.tol,
            callback=callback, verbose=self.verbose,
            description=f"{type(self).__name__} ({self.method})",
        )  # fmt: skip

    def transform(self, X: ArrayLike) -> Array:
        """Activations of mixtures on all bases stacked.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Non-negative mixtures.

        Returns
        -------
        H : array of shape (n, n_estimators × sum of k_s)
            Non-negative; row i holds the weight of each component in mixture i.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        codes = [self._activations(X, member)[0] for member in self.members_]
        return namespace(X).concat(codes, axis=1)

    def separate(self, X: ArrayLike) -> Array:
        """Parts of mixtures.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Non-negative mixtures.

        Returns
        -------
        array of shape (n, n_sources, m)
            In the order of ``sources_``; they sum to X when `wiener` (to the completed X where
            entries are missing).
        """
        check_is_fitted(self)
        return self._separate(self._check(X, reset=False), self.members_)

    def score(self, X: ArrayLike, y: ArrayLike, metric: str | None = None) -> float:
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        X : array-like of shape (n, m)
            Mixtures, or labelled rows of the sources.
        y : array-like of shape (n, n_sources, m), or array-like of int, shape (n,)
            True parts of the mixtures; of weak and strong data together, only rows with the parts
            of several sources count. Or labels, from whose rows mixtures are made (always the same
            ones), so that cross-validation works with labels alone. Use scikit-learn's
            ``StratifiedKFold`` there, so that every fold has rows of every source.
        metric : str or None, default None
            A name of `anmf.metrics.METRICS`; None for the parameter `metric`.

        Returns
        -------
        float
            Mean over mixtures and parts; parts that are zero throughout don't count.
        """
        check_is_fitted(self)
        metric = self.metric if metric is None else metric
        check_choice("metric", metric, METRICS)
        X = self._check(X, reset=False)
        if np.shape(y)[1:] in ((), (len(self.sources_), self.n_features_in_)):
            X, y = known_mixtures(X, y, self.sources_)
        return self._compare(self._separate(X, self.members_), y, metric)

    @property
    def components_(self) -> Array:
        """The bases of all models stacked."""
        bases = [basis for member in self.members_ for basis in member.bases]
        return namespace(*bases).concat(bases, axis=0)

    @property
    def _n_features_out(self):
        return sum(self._sizes) * len(self.members_)

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
        """What the method learns from; parameters that need the data are resolved here."""
        solver, learner = check_separation(self)
        beta, scale, n = resolve_beta(self.beta_loss), mean_length(taught), len(taught.sources)
        default = learner.sparsity * scale
        self.alpha_H_ = resolve_sparsity(self.alpha_H, sum(self._sizes), default, beta)
        check_shares(self.adversarial_shares, n)
        options = SimpleNamespace(**self.get_params(deep=False))
        options.max_iter = learner.max_iter if self.max_iter is None else self.max_iter
        options.warm_up = learner.warm_up if self.warm_up is None else self.warm_up
        for name in ("adversarial_weight", "mixture_gain", "anchor"):
            setattr(options, name, one_a_source(name, getattr(self, name), n))
        return Task(
            sources=taught.sources, mixtures=taught.mixtures, paired=taught.paired,
            parts=taught.parts, n_components=self._sizes,
            sparsity=np.split(self.alpha_H_, np.cumsum(self._sizes)[:-1]), solver=solver,
            init=self.init, shrinkage=self.alpha_W, beta=beta, floor=self._floor,
            missing=self.missing, scale=scale, rng=rng, options=options,
        )  # fmt: skip

    def _activations(self, X, member):
        bases = [moved(basis, X) for basis in member.bases]
        W = namespace(X).concat(bases, axis=0)
        problem = make_problem(
            X, W.shape[0], missing=self.missing, alpha_H=self.alpha_H_,
            beta=resolve_beta(self.beta_loss), floor=self._floor,
        )  # fmt: skip
        return solve(problem, W), problem

    def _separate(self, X, members):
        """Mean over the models of the parts each of them finds."""
        outputs = [self._parts(X, member) for member in members]
        return sum(outputs[1:], start=outputs[0]) / len(outputs)

    def _parts(self, X, member):
        H, problem = self._activations(X, member)
        xp, ends = problem.xp, np.cumsum(self._sizes).tolist()
        pieces = zip(ends, self._sizes, member.reconstruction, strict=True)
        parts = [H[:, end - k : end] @ moved(rows, X) for end, k, rows in pieces]
        parts = xp.stack(parts, axis=1)
        if not self.wiener:
            return parts
        X = problem.X
        if problem.observed is not None:
            X = xp.where(problem.observed > 0, X, xp.sum(parts, axis=1))
        return wiener(X, parts)

    def _score_members(self, members, mixtures, parts):
        return mean_score(self.metric, parts, self._separate(mixtures, members))


def _by_source(known, member):
    """Basis and reconstruction of each known source, by its number."""
    return dict(zip(known, zip(member.bases, member.reconstruction, strict=True), strict=True))
