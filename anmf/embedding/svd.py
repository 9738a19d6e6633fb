"""The estimator `SVDDecorrelator`."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import (
    is_array,
    is_foreign,
    moved,
    namespace,
    random_generator,
    take_rows,
    to_host,
)
from anmf._core.checks import check_choice, check_count, check_real, check_table
from anmf._core.threads import limited_threads
from anmf._core.types import Array, RandomState
from anmf.base import SeparatorMixin
from anmf.embedding.checks import (
    check_embeddings,
    check_n_components,
    check_n_speakers,
    check_shrinkage,
)
from anmf.embedding.counting import COUNTING_RULES, calibrate
from anmf.embedding.covariance import join_classes, within_classes
from anmf.embedding.labels import read_labels
from anmf.embedding.learn import TooLittleError, learn
from anmf.embedding.models import DEMIXING_MODELS, demix_heard
from anmf.embedding.pair_search import learn_pair_mixture
from anmf.embedding.rank import is_share
from anmf.embedding.routes import ROUTES
from anmf.embedding.scores import score_labels, score_parts
from anmf.embedding.streaming import absorb, gather
from anmf.embedding.whitening import WHITENINGS

COVARIANCES = ("total", "within")


class SVDDecorrelator(
    SeparatorMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Decorrelated coordinates of embeddings, and the speakers of a recording by its embeddings.

    ``transform`` decorrelates and scales to unit variance, by singular value decomposition and
    whitening. ``separate`` takes the embeddings of the segments of one recording, and finds how
    many people speak, what the embedding of each is and who speaks when, with no enrolled
    inventory. ``fit`` learns from embeddings of other people.

    Parameters
    ----------
    n_components : int, float, {'gavish-donoho', 'marchenko-pastur'} or None, default None
        Number k of principal directions to keep: an int; a float in (0, 1], the fewest that hold
        this share of the variance; a rule for data of low rank plus white noise (at least one is
        kept); None for all that have variance, the rank of the centred data.
    whitening : {'zca', 'pca', 'cholesky', 'zca-cor', 'pca-cor', None}, default 'zca'
        Which of the whitenings, see Notes; None leaves the variances of ``components_``.
    covariance : {'total', 'within'}, default 'total'
        What becomes the identity: the covariance of the rows about their mean, or about the mean
        of their class, pooled over classes; the latter needs `y`.
    shrinkage : 'ledoit-wolf', float or None, default 'ledoit-wolf'
        Intensity ρ of the shrinkage of the covariance; a float in [0, 1]. None for 0.
    ridge : float, default 0.0
        What is added to the diagonal of the covariance, in squared units of X.
    svd_solver : {'auto', 'full', 'gram', 'randomized'}, default 'auto'
        Route to the decomposition: of the data, of products of their rows or columns, or of
        products with random vectors, which needs an int `n_components`. 'auto' chooses by shape
        and falls back where 'gram' would be inaccurate.
    n_speakers : int, str or None, default None
        Of a recording: their number; or a rule to count them, 'evidence', 'agglomerative',
        'gavish-donoho' or 'marchenko-pastur', see Notes; None for the best that ``fit`` allows.
        May be set after ``fit``.
    max_speakers : int, default 8
        Most to be counted.
    demixing_model : {'auto', 'cone', 'pair-mixture'}, default 'auto'
        How recordings are taken apart, see Notes. 'auto' for 'pair-mixture' where ``fit`` saw
        overlapped rows, else 'cone'.
    random_state : int, Generator, RandomState or None, default None
        Seed of random vectors, and of the starts of ``separate``.

    Attributes
    ----------
    mean_ : array of shape (d,)
        Of the rows.
    components_ : array of shape (k, d)
        Orthonormal rows V, the principal directions of the centred rows; the largest entry in
        size of each is positive.
    singular_values_ : array of shape (k,)
        Of the centred rows.
    explained_variance_ratio_ : array of shape (k,)
        Share of the variance along each direction.
    whitening_ : array of shape (k, d)
        W, with W C Wᵀ = I for the covariance C of Notes.
    dewhitening_ : array of shape (d, k)
        W⁺, with W W⁺ = I, and W⁺ W = VᵀV the projector on the kept directions.
    shrinkage_ : float
        ρ.
    n_components_ : int
        k.
    n_samples_seen_ : int
        Rows that `mean_` and the covariance are of: overlapped ones are left out.
    n_features_in_ : int
        d.
    threshold_ : float or None
        Cosine of centred embeddings at which two segments are as likely of one speaker as of two.
        None unless ``fit`` saw labels, of two speakers at least and two segments of one.
    pair_mixture_ : PairMixture or None
        What overlapped rows taught.
    n_speakers_ : int
        Of the last recording that ``separate`` saw, as all that follow.
    speaker_embeddings_ : array of shape (n_speakers_, d)
        One a speaker, in the coordinates of `X`.
    activations_ : array of shape (n, n_speakers_)
        For 'cone', how much of each speaker is in each segment, 1 where it talks alone; for
        'pair-mixture', the probability that it talks.
    labels_ : ndarray of int, shape (n,)
        The loudest speaker of each segment, −1 where it is silent.
    talking_ : ndarray of bool, shape (n, n_speakers_)
        Who talks in each segment.
    overlap_ : ndarray of bool, shape (n,)
        Where two speakers or more talk.

    Notes
    -----
    **Decorrelation.** With the scatter S about the mean (n − 1 degrees of freedom) or about means
    of classes (n − number of classes; a class with one row adds nothing), the covariance is

        C = (1 − ρ) S + (ρ tr(S) / d + ridge) I,

    and z = W (x − mean). While all directions are kept (k = d), W is the whitening of C by name:
    the symmetric 'zca' keeps z_j closest to x_j, and the '-cor' kinds don't depend on the scales
    of features (with `shrinkage` None and no `ridge`, which do). When k < d, the directions
    dropped leave no features to stay close to: W = A V, with A the whitening by name of V C Vᵀ.
    For the total covariance that matrix is diagonal, all five are the same, and z_j is the j-th
    principal coordinate at unit variance. For None, W = V.

    Coordinates are decorrelated and of unit variance as C has it: exactly so on the rows of
    ``fit`` when ρ and `ridge` are 0. Else the variance of those rows is below one along weak
    directions, and with ρ > 0 above one along strong ones.

    The Ledoit-Wolf intensity is that of all d features. When the rows are decomposed in part
    (randomised, or streamed with an int `n_components`), the rest counts as equal in all
    directions. The rules by random matrices hold for white noise only; on raw embeddings of speech
    their rank is not to be trusted.

    **Speakers.** 'cone': coordinates of a recording lie in a cone, non-negative combinations of one
    direction a speaker, which are found in its leading singular directions. That holds where
    embeddings are linear in speakers; ``covariance='within'`` then is best. It needs no labels.
    Embeddings of overlapped speech are no such sums. 'pair-mixture' learns from overlapped rows how
    they look: their own mean, how much is left of both speakers in each dimension, and a linear
    detector of overlap. Each segment then is of one speaker or of a pair, by variational EM.

    Counting: 'evidence' takes the number of speakers of the largest variational bound, less a cost
    for every speaker and for two that are alike; it needs overlapped rows. 'agglomerative' clusters
    by average linkage of the cosines of centred embeddings, down to `threshold_`; it needs labels.
    The rules by random matrices, on whitened coordinates, need none, and are right where recordings
    are linear and ``covariance='within'``; on embeddings of speech they are not. None is the first
    of 'evidence', 'agglomerative' and 'gavish-donoho' that can be had.

    On d-vectors of conversations of unseen people (``python -m benchmarks embedding``), the pair
    mixture names more of them than any clustering where people talk over each other, and about as
    many where they don't. It has a space of its own: the parameters of decorrelation have no part
    in it. Fitted without overlapped rows, the cone with ``whitening=None`` does as k-means does.

    References
    ----------
    Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician
    72(4), 2018. Ledoit and Wolf, Journal of Multivariate Analysis 88(2), 2004. Gavish and Donoho,
    IEEE Transactions on Information Theory 60(8), 2014. Landini et al., "Bayesian HMM clustering of
    x-vector sequences (VBx) in speaker diarization", Computer Speech & Language 71, 2022, has the
    mixture of single speakers.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.embedding import SVDDecorrelator
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 3)) + 5
    >>> model = SVDDecorrelator(shrinkage=None)
    >>> Z = model.fit_transform(X)
    >>> bool(np.allclose(np.cov(Z.T), np.eye(3)))
    True
    >>> bool(np.allclose(model.inverse_transform(Z), X))
    True

    Embeddings of other people teach what people are like; then two are found in a recording:

    >>> people = rng.normal(size=(30, 20))
    >>> y = np.repeat(np.arange(30), 8)
    >>> model = SVDDecorrelator(covariance="within", random_state=0)
    >>> _ = model.fit(people[y] + 0.3 * rng.normal(size=(240, 20)), y)
    >>> two, talks = rng.normal(size=(2, 20)), np.repeat([[1, 0], [0, 1], [0.6, 0.7]], 6, axis=0)
    >>> parts = model.separate(talks @ two + 0.3 * rng.normal(size=(18, 20)))
    >>> parts.shape, model.n_speakers_
    ((18, 2, 20), 2)
    >>> from anmf.metrics import centred_cosine
    >>> centred_cosine(two, model.speaker_embeddings_)[0].round(1)
    array([1., 1.])
    """

    def __init__(
        self,
        n_components: int | float | str | None = None,
        *,
        whitening: str | None = "zca",
        covariance: str = "total",
        shrinkage: str | float | None = "ledoit-wolf",
        ridge: float = 0.0,
        svd_solver: str = "auto",
        n_speakers: int | str | None = None,
        max_speakers: int = 8,
        demixing_model: str = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.n_components = n_components
        self.whitening = whitening
        self.covariance = covariance
        self.shrinkage = shrinkage
        self.ridge = ridge
        self.svd_solver = svd_solver
        self.n_speakers = n_speakers
        self.max_speakers = max_speakers
        self.demixing_model = demixing_model
        self.random_state = random_state

    def fit(self, X: Array, y: ArrayLike | None = None) -> Self:
        """Learn mean, directions and whitening, and from labels, what speakers are like.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings, one a row.
        y : array-like of shape (n,) or (n, 2) or None, default None
            Speaker (or class) of each row; or both speakers as integers, −1 for none. Floating
            numbers count as None, unless ``covariance='within'`` needs `y`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad data or parameters; for a single row, constant rows, an int `n_components`
            above the rank of the centred data, a singular within-class covariance, or overlapped
            rows of speakers who have no row for themselves.
        """
        X, labels = self._check(X, y, reset=True)
        rng = random_generator(self.random_state)
        if labels is None:
            alone, mixture = X, None
        else:
            alone = take_rows(X, labels.singles)
            mixture = learn_pair_mixture(to_host(X).astype(np.float64), labels, rng)
        with limited_threads(*X.shape, min(X.shape)):
            moments = gather(alone, self._bound(), self.svd_solver, rng)
            by_class = self.covariance == "within"
            within = within_classes(alone, labels.speakers) if by_class else None
            self._settle(moments, within, X)
        if labels is not None:
            self.pair_mixture_ = mixture
            self.threshold_ = calibrate(to_host(alone - self.mean_), labels.speakers, rng)
        return self

    def partial_fit(self, X: Array, y: ArrayLike | None = None) -> Self:
        """Add a block of rows to those seen so far, by ``fit`` or this method.

        Exactly what ``fit`` on all rows gives, unless `n_components` is an int: then only that
        many directions are remembered between blocks, and what earlier blocks dropped is lost.
        `svd_solver` has no part in it. A block may have a single row; until the rows suffice,
        an int `n_components` is cut to their rank, and before there is any variance (or while
        the covariance within classes is singular) the estimator isn't fitted.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Embeddings, one a row; one will do.
        y : array-like of shape (m,) or None, default None
            As in ``fit``. With ``covariance='within'``, `shrinkage` must be a number or None.

        Returns
        -------
        self
        """
        first = not hasattr(self, "_moments")
        if self.covariance == "within" and self.shrinkage == "ledoit-wolf":
            raise ValueError(
                "shrinkage='ledoit-wolf' can't be streamed with covariance='within'; "
                "give partial_fit a number or None"
            )
        X, labels = self._check(X, y, reset=first)
        by_class = self.covariance == "within"
        if labels is not None and len(labels.overlapped):
            raise ValueError(
                "y has overlapped rows, which can't be streamed; give partial_fit one speaker a "
                "row, or give all rows to fit"
            )
        if not first and by_class and self._within is None:
            raise ValueError(
                "covariance='within' was set after rows without classes were seen; "
                "call fit, which starts anew"
            )
        alone = X if labels is None else take_rows(X, labels.singles)
        with limited_threads(sum(X.shape), X.shape[1], X.shape[1]):
            if first:
                moments = gather(alone, self._bound(), "full")
            else:
                moments = absorb(self._moments, alone, self._bound())
            within = within_classes(alone, labels.speakers) if by_class else None
            if not first and within is not None:
                within = join_classes(self._within, within)
            self._settle(moments, within, X, streaming=True)
        return self

    def transform(self, X: Array) -> Array:
        """Decorrelated coordinates Z = (X − mean) Wᵀ.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings, one a row.

        Returns
        -------
        array of shape (n, k)
            In the library and precision of `X`, on its device.
        """
        self._check_fitted()
        X = check_embeddings(self, X, reset=False)
        return (X - moved(self.mean_, X)) @ moved(self.whitening_, X).T

    def inverse_transform(self, X: Array) -> Array:
        """Embeddings Z (W⁺)ᵀ + mean of coordinates Z; inverts ``transform`` on kept directions.

        Parameters
        ----------
        X : array-like of shape (n, k)
            Coordinates Z.

        Returns
        -------
        array of shape (n, d)
            For Z = ``transform(X)``: X with what lies off the mean in dropped directions removed.
        """
        self._check_fitted()
        Z = X if is_foreign(X) else to_host(X)
        check_table("X", Z, f"{type(self).__name__}.inverse_transform")
        if Z.shape[1] != self.n_components_:
            raise ValueError(
                f"X has shape {tuple(Z.shape)}; inverse_transform takes coordinates of shape "
                f"(n_samples, {self.n_components_})"
            )
        if not namespace(Z).isdtype(Z.dtype, "real floating"):
            Z = namespace(Z).astype(Z, namespace(Z).float64)
        return Z @ moved(self.dewhitening_, Z).T + moved(self.mean_, Z)

    def separate(self, X: Array) -> Array:
        """Take the embeddings of one recording apart, and set the attributes that tell of it.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings of the segments of a recording, in any order. Rows of zeros are silence.

        Returns
        -------
        array of shape (n, n_speakers_, d)
            What is each speaker's in each segment; summed over speakers, X.

        Raises
        ------
        ValueError
            For bad data or parameters, fewer different segments than `n_speakers`, nothing but
            silence, and models and rules that need labels that ``fit`` hadn't.
        """
        self._check_fitted()
        self._check_speakers()
        X = check_embeddings(self, X, reset=False)
        usual = "cone" if self.pair_mixture_ is None else "pair-mixture"
        name = usual if self.demixing_model == "auto" else self.demixing_model
        model, rng = DEMIXING_MODELS[name](self), random_generator(self.random_state)
        precise = namespace(X).astype(X, namespace(X).float64)
        with limited_threads(*X.shape, min(X.shape)):
            found = demix_heard(model, precise, self.n_speakers, self.max_speakers, rng)
        self.n_speakers_ = found.speakers.shape[0]
        self.speaker_embeddings_ = moved(found.speakers, X)
        self.activations_ = moved(found.activations, X)
        self.talking_, self.labels_ = found.talking, found.labels
        self.overlap_ = self.talking_.sum(axis=1) > 1
        return moved(found.parts, X)

    def score(self, X: Array, y: Array, metric: str = "snr") -> float:
        """How well a recording is taken apart, with speakers in the order that fits best.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings of the segments of one recording.
        y : array-like of shape (n,) or (n, n_true, d)
            The speaker of each segment, or the true parts of all speakers.
        metric : str, default 'snr'
            For parts, a name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
            Share of the segments whose `labels_` are right; for parts, the mean over speakers of
            the metric in dB, where one that isn't found counts as zeros.
        """
        y = to_host(y) if is_array(y) else np.asarray(y)
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        if y.ndim == 1 and len(y) != n:
            raise ValueError(f"y has {len(y)} labels, and X {n} rows; give each row its speaker")
        parts = self.separate(X)
        return (
            score_labels(y, self.labels_) if y.ndim == 1 else score_parts(y, to_host(parts), metric)
        )

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return self.components_.shape[0]

    _n_features_out = n_components_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "components_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = self.covariance == "within"
        return tags

    def _check(self, X, y, *, reset):
        """Checked rows, and host labels where the covariance needs them."""
        if self.whitening is not None:
            check_choice("whitening", self.whitening, WHITENINGS.keys() - {None})
        check_choice("covariance", self.covariance, COVARIANCES)
        check_choice("svd_solver", self.svd_solver, {"auto", *ROUTES})
        check_shrinkage(self.shrinkage)
        check_real("ridge", self.ridge)
        X = check_embeddings(self, X, reset=reset)
        check_n_components(self.n_components, X.shape[1])
        if self.svd_solver == "randomized" and self._bound() is None:
            raise ValueError(
                f"n_components={self.n_components!r} must be an int for svd_solver='randomized', "
                "which finds that many; or use svd_solver='auto'"
            )
        self._check_speakers()
        return X, read_labels(y, X.shape[0], required=self.covariance == "within")

    def _check_speakers(self):
        check_n_speakers(self.n_speakers, {"evidence", *COUNTING_RULES})
        check_count("max_speakers", self.max_speakers)
        check_choice("demixing_model", self.demixing_model, {"auto", *DEMIXING_MODELS})

    def _bound(self):
        """The number of components that was asked for, if it was a number."""
        asked = self.n_components
        return None if asked is None or isinstance(asked, str) or is_share(asked) else int(asked)

    def _settle(self, moments, within, X, *, streaming=False):
        """Set what is learnt, in the dtype of X; raise if it isn't enough, unless streaming."""
        try:
            learnt = learn(self, moments, within, streaming=streaming)
        except TooLittleError:
            if not streaming:
                raise
            learnt = {}
        for name in ("components_", "whitening_", "dewhitening_"):
            self.__dict__.pop(name, None)
        self.threshold_ = self.pair_mixture_ = None
        self._moments, self._within, self.n_samples_seen_ = moments, within, moments.n
        self.mean_ = moved(moments.mean, X)
        for name, value in learnt.items():
            setattr(self, name, value if isinstance(value, float) else moved(value, X))

    def _check_fitted(self):
        check_is_fitted(self, "n_samples_seen_")
        if not hasattr(self, "components_"):
            raise NotFittedError(
                f"{type(self).__name__} has seen n_samples = {self.n_samples_seen_}, too few to "
                "decorrelate: partial_fit more rows"
            )
