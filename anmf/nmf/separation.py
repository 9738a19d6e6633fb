"""The estimator `NMF_separation`."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import moved, namespace, random_generator
from anmf._core.checks import check_choice, check_samples
from anmf._core.iterate import iterate
from anmf._core.threads import limited_threads
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
    n_components : int, sequence of int or None
        Components of each source; None for 64, or as many as a source has rows or features.
    method : {'nmf', 'exemplar', 'anmf', 'dnmf', 'anmf+dnmf'}
        How bases are learnt, a name of `anmf.nmf.METHODS`: 'nmf' factorises the rows of every
        source; 'exemplar' takes rows of the data themselves, with nothing to train; 'anmf' also
        makes every basis refuse the other sources (`anmf.ANMF`); 'dnmf' trains all bases together
        to separate mixtures; 'anmf+dnmf' does both.
    n_sources : int or None
        None for the number of labels. When larger, sources without labelled rows are learnt from
        the mixtures while the bases of the others are frozen (semi-supervised separation).
    wiener : bool
        Whether the parts share out the mixture, X · P_s / Σ_r P_r, and so sum to it. Otherwise
        they are P_s = H_s W_s.
    solver : str
        'auto', or for 'nmf' and 'exemplar' 'hals' (the Frobenius loss) or 'mu' (any); for 'anmf'
        'safeguarded' or 'mu'; for 'dnmf' and 'anmf+dnmf' 'bilevel' or 'mu'. The first is what
        'auto' takes; 'mu' of the last three are the published updates, kept for comparison.
    beta_loss, alpha_W, missing, forget_factor, random_state, verbose
        As in `anmf.NMF`. 'anmf' and 'dnmf' minimise the Frobenius loss only.
    init : str or list of array (k_s, m)
        As in `anmf.NMF`, one array a source.
    frozen : None or sequence of bool (n_sources,)
        Sources whose basis is that of `init`, rows as given, and stays; they need no rows.
    anchor : float or sequence of float
        Strength with which the components of a source that is learnt from the mixtures are drawn
        to their start, over the mean energy of a mixture a component: 0 leaves them free, and the
        source may grow to explain the others too.
    alpha_H : float, array (sum of k_s,) or 'auto'
        Sparsity of the activations in training and in `transform`. 'auto' is 0.07 × the mean
        length of the sources' rows (0.012 × for solver='bilevel') for the Frobenius loss, 0 for
        the others.
    adversarial_weight : float or sequence of float
        Weight τ of the adversarial rows of each source, for 'anmf'.
    adversarial_shares : array (n_sources, n_sources) or None
        Share of source j (column) among the adversarial rows of source i (row); what is left of 1
        goes to the mixtures. None weighs all rows alike.
    mixture_gain : float or sequence of float
        Factor on the mixtures among the adversarial rows.
    data_weight : float
        For 'anmf+dnmf', weight of the objective of 'anmf'.
    supervised_weight : float
        For 'anmf+dnmf', weight of the separation error.
    reconstruction : {'tied', 'untied'}
        Whether the basis that analyses mixtures also rebuilds the parts, or one of its own does,
        for solver='bilevel'.
    remix : bool
        Whether solver='bilevel' mixes the rows of the sources anew in every epoch; otherwise it
        uses the given mixtures and their true parts alone.
    learning_rate : float
        First step size of solver='bilevel', which falls to 0 over `max_iter` epochs.
    warm_up : int or None
        Iterations of plain NMF ('anmf+dnmf': of 'anmf') before the method's own; None for 30 with
        solver='bilevel', else 0.
    n_estimators : int
        Models trained from different random draws, whose outputs are averaged.
    batch_size : int or None
        As in `anmf.NMF`; None for 250 mixtures with solver='bilevel', 500 rows for the published
        updates.
    adversarial_batch_size, update_H
        As in `anmf.ANMF`, for the published updates.
    max_iter : int or None
        Iterations; None for 30, for 100 epochs of solver='bilevel', for 200 of the published
        updates.
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
        As in `anmf.NMF`; ``info.state.bases`` are the current bases, ``info.state.members`` those
        of all models.

    Attributes
    ----------
    bases_ : list of array (k_s, m)
        Basis of each source, rows of unit length.
    reconstruction_ : list of array (k_s, m)
        What rebuilds the parts: ``bases_`` itself unless `reconstruction` is 'untied'.
    members_ : list
        All models, each with ``bases`` and ``reconstruction``; the two above are of the first.
    components_ : array (n_estimators × sum of k_s, m)
        The bases of all models stacked.
    sources_ : ndarray (n_sources,)
        Label of each source, in the order of the parts.
    alpha_H_ : ndarray (sum of k_s,)
        Sparsity used.
    objective_ : ndarray (n_iter_,)
        Sum of the objectives of the sources after each iteration (the mean separation loss in an
        epoch, for solver='bilevel'), the mean over models; then that of the mixtures if sources
        were learnt from them.
    validation_scores_ : ndarray (n_iter,)
        With early stopping, the score after each iteration.
    n_iter_ : int
    n_features_in_ : int

    Notes
    -----
    **Which method.** On overlaid digits of MNIST, 64 components a source, in dB of the median PSNR
    (``python -m benchmarks mnist_pairs``): 'dnmf' is 2 to 3 dB above all others and needs no more
    than rows of each source; it takes 5 to 10 times as long to train, and as long to separate. With
    250 pairs and 500 single rows of each of two digits, it gains 2.5 dB over 'nmf' in the mean of
    nine pairs. `n_estimators` adds some tenths of a dB to any method, at its price.

    **When the adversarial term helps.** With the default sparsity 'anmf' is worth −0.2 to +0.1 dB
    over 'nmf' on test mixtures of five pairs of digits: sparsity alone does as well. Adversarial
    mixtures instead of the other source's rows, and τ of each source chosen on held-out mixtures,
    change that by 0.2 dB at most, up or down. With a sixth of that sparsity, or less, the term is
    worth 0.4 to 2.6 dB, most where sources are easy to tell apart, and less than the sparsity it
    makes up for on all other pairs. 'dnmf' gains nothing from adversarial bases as its start (−0.2
    to +0.1 dB) or from their objective as a further term, whatever the amount of data.

    **Choosing τ.** Keep `adversarial_weight` at 0.03 to 0.1. From 0.2 on the bases give up parts of
    their own source, and at 0.4 quality falls below that of plain NMF on every pair.

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

    def __init__(self, n_components=None, *, method="nmf", n_sources=None, wiener=True,
                 solver="auto", beta_loss=2.0, init="exemplar", frozen=None, anchor=0.0,
                 alpha_H="auto", alpha_W=0.0,
                 adversarial_weight=0.05, adversarial_shares=None, mixture_gain=1.0,
                 data_weight=0.1, supervised_weight=1.0, reconstruction="untied", remix=True,
                 learning_rate=0.01, warm_up=None, n_estimators=1, missing="error",
                 batch_size=None, adversarial_batch_size=None, update_H=False, forget_factor=0.7,
                 max_iter=None, tol=0.0, metric="psnr", early_stopping=False,
                 validation_fraction=0.1, n_iter_no_change=10, callback=None, random_state=None,
                 verbose=0):  # fmt: skip
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

    def fit(self, X, y):
        """Learn one basis a source.

        Parameters
        ----------
        X : array (n, m)
            Non-negative samples of the sources, and of mixtures.
        y : array of int (n,), or array (n, n_sources, m)
            Weak supervision: the source of each row, −1 for a mixture. Or, weak and strong: the
            true parts of each row. A row whose parts but one are zero is a sample of that source;
            NaN throughout marks a mixture whose parts are unknown. Parts need not sum to their
            mixture (the magnitudes of audio don't). `anmf.stack_sources` makes either form.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad data, labels that don't fit them, unknown options, or data that the method
            can't learn from.
        """
        _, learner = check_separation(self)
        X = self._check(X, reset=True)
        rng = random_generator(self.random_state)
        n_sources = declared_sources(self.n_components, self.n_sources)
        frozen = frozen_sources(self.frozen, self.init, n_sources)
        n_sources = n_sources or (len(self.frozen) if frozen else None)
        taught = read_labels(X, y, n_sources, frozen)
        missing = [s for s, rows in enumerate(taught.sources) if not rows.shape[0]]
        missing = [s for s in missing if s not in frozen]
        self.sources_, self._floor = taught.labels, model_floor(X)
        callback = self.callback
        if self.early_stopping:
            if missing or frozen:
                raise ValueError(
                    f"early_stopping=True makes mixtures from rows of every source, and "
                    f"{missing or frozen} have none or are frozen; use early_stopping=False"
                )
            taught, *held = hold_out(taught, self.validation_fraction, rng)
            callback = Monitor(self._score_members, *held, self.n_iter_no_change, self.callback)
        check_inits(self.init, len(taught.sources))
        self._sizes = basis_sizes(self.n_components, self.init, taught, X)
        task = self._task(taught, rng)
        rows = task.options.batch_size or learner.batch_size or X.shape[0]
        with limited_threads(min(rows, X.shape[0]), X.shape[1], sum(self._sizes)):
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

    def transform(self, X):
        """Activations of mixtures on all bases stacked.

        Parameters
        ----------
        X : array (n, m)

        Returns
        -------
        H : array (n, n_estimators × sum of k_s)
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        codes = [self._activations(X, member)[0] for member in self.members_]
        return namespace(X).concat(codes, axis=1)

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
        return self._separate(self._check(X, reset=False), self.members_)

    def score(self, X, y, metric=None):
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        X : array (n, m)
            Mixtures, or labelled rows of the sources.
        y : array (n, n_sources, m) or array of int (n,)
            True parts of the mixtures; of weak and strong data together, only rows with the parts
            of several sources count. Or labels, from whose rows mixtures are made (always the same
            ones), so that cross-validation works with labels alone. Use scikit-learn's
            ``StratifiedKFold`` there, so that every fold has rows of every source.
        metric : str or None
            A name of `anmf.metrics.METRICS`; None for the parameter `metric`.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        metric = self.metric if metric is None else metric
        check_choice("metric", metric, METRICS)
        X = self._check(X, reset=False)
        if np.shape(y)[1:] in ((), (len(self.sources_), self.n_features_in_)):
            X, y = known_mixtures(X, y, self.sources_)
        return self._compare(self._separate(X, self.members_), y, metric)

    @property
    def components_(self):
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
