"""Scorers for scikit-learn's model selection: ``GridSearchCV(model, grid, scoring=si_sdr_scorer)``.

They take any estimator with ``separate``, or a pipeline that ends in one, and mixtures `X` with
their true parts `y`. What separates comes back in one of two forms, which `y` tells apart:

- parts (n, n_sources, m): the metric is taken along the last axis;
- waveforms (n_times, n_sources): along the first one.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, moved, namespace
from anmf._core.types import Array
from anmf.metrics.bss_eval import bss_eval
from anmf.metrics.permutation import permutation_invariant
from anmf.metrics.snr import METRICS, mean_defined, psnr, sd_sdr, si_sdr, snr


def separation_scorer(
    metric: Callable[..., Array], *, axis: int | None = None, permute: bool = False, **options: Any
) -> Callable[[Any, ArrayLike, ArrayLike], float]:
    """Scorer of any metric of one reference and one estimate.

    Parameters
    ----------
    metric : callable
        ``metric(reference, estimate, axis=axis, **options)``, higher is better, such as
        `anmf.metrics.si_sdr`.
    axis : {None, 0, -1}, default None
        Axis of what ``separate`` returns along which the samples of one signal lie. None for −1 of
        parts (n, n_sources, m), for 0 of waveforms (n_times, n_sources). Images of sources at
        several microphones (n_times, n_sources, n_channels) need 0.
    permute : bool, default False
        Whether sources may come in any order, as blind methods return them. The best order is
        taken for every row of parts, and for each channel of waveforms.
    **options
        Passed to `metric`, such as ``clamp_db``.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, a float: the mean over all parts that aren't zero throughout.

    Raises
    ------
    ValueError
        For an `axis` that is none of these.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> from anmf.metrics import sd_sdr
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(8, max_iter=5, random_state=0)
    >>> scorer = separation_scorer(sd_sdr, clamp_db=30)
    >>> bool(scorer(model.fit(data.X_train, data.y_train), data.X_test, data.parts_test) > 5)
    True
    """
    if axis not in (None, 0, -1):
        raise ValueError(
            f"axis={axis!r} must be −1 for parts (n, n_sources, m), 0 for waveforms (n_times, "
            "n_sources), or None to tell by the number of axes"
        )
    metric = permutation_invariant(metric) if permute else metric
    return partial(_score, metric=metric, axis=axis, options=options)


def psnr_scorer(estimator: Any, X: ArrayLike, y: ArrayLike) -> float:
    """Mean PSNR in dB of what an estimator separates.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted one with ``separate``, or a pipeline that ends in one.
    X : array-like of shape (n, m)
        Mixtures.
    y : array-like of shape (n, n_sources, m) or (n_times, n_sources)
        Their true parts, as ``separate`` returns them. Or labels (n,), for an estimator whose own
        ``score`` takes them.

    Returns
    -------
    float
        Mean in dB over all parts that aren't zero throughout.

    Raises
    ------
    ValueError
        If `y` has another shape than the separated parts.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(8, max_iter=5, random_state=0).fit(data.X_train, data.y_train)
    >>> psnr_scorer(model, data.X_test, data.parts_test) > 15
    True
    """
    return _score(estimator, X, y, metric=psnr)


def snr_scorer(estimator: Any, X: ArrayLike, y: ArrayLike) -> float:
    """Mean SNR in dB of what an estimator separates.

    It rewards estimates that are too soft: see `anmf.metrics.snr`.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted one with ``separate``, or a pipeline that ends in one.
    X : array-like of shape (n, m)
        Mixtures.
    y : array-like of shape (n, n_sources, m) or (n_times, n_sources)
        Their true parts, as ``separate`` returns them. Or labels (n,), for an estimator whose own
        ``score`` takes them.

    Returns
    -------
    float
        Mean in dB over all parts that aren't zero throughout.

    Raises
    ------
    ValueError
        If `y` has another shape than the separated parts.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(8, max_iter=5, random_state=0).fit(data.X_train, data.y_train)
    >>> snr_scorer(model, data.X_test, data.parts_test) > 5
    True
    """
    return _score(estimator, X, y, metric=snr)


def si_sdr_scorer(estimator: Any, X: ArrayLike, y: ArrayLike) -> float:
    """Mean SI-SDR in dB of what an estimator separates.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted one with ``separate``, or a pipeline that ends in one.
    X : array-like of shape (n, m)
        Mixtures.
    y : array-like of shape (n, n_sources, m) or (n_times, n_sources)
        Their true parts, as ``separate`` returns them. Or labels (n,), for an estimator whose own
        ``score`` takes them.

    Returns
    -------
    float
        Mean in dB over all parts that aren't zero throughout.

    Raises
    ------
    ValueError
        If `y` has another shape than the separated parts.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, StratifiedKFold
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures(random_state=0)
    >>> search = GridSearchCV(
    ...     NMF_separation(max_iter=5, random_state=0),
    ...     {"n_components": [2, 16]},
    ...     scoring=si_sdr_scorer,
    ...     cv=StratifiedKFold(2, shuffle=True, random_state=0),
    ... )
    >>> search.fit(data.X_train, data.y_train).best_params_
    {'n_components': 16}
    """
    return _score(estimator, X, y, metric=si_sdr)


def sd_sdr_scorer(estimator: Any, X: ArrayLike, y: ArrayLike) -> float:
    """Mean SD-SDR in dB of what an estimator separates.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted one with ``separate``, or a pipeline that ends in one.
    X : array-like of shape (n, m)
        Mixtures.
    y : array-like of shape (n, n_sources, m) or (n_times, n_sources)
        Their true parts, as ``separate`` returns them. Or labels (n,), for an estimator whose own
        ``score`` takes them.

    Returns
    -------
    float
        Mean in dB over all parts that aren't zero throughout.

    Raises
    ------
    ValueError
        If `y` has another shape than the separated parts.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> data = load_digit_mixtures(random_state=0)
    >>> model = NMF_separation(8, max_iter=5, random_state=0).fit(data.X_train, data.y_train)
    >>> sd_sdr_scorer(model, data.X_test, data.parts_test) > 5
    True
    """
    return _score(estimator, X, y, metric=sd_sdr)


def sdr_scorer(estimator: Any, X: ArrayLike, y: ArrayLike) -> float:
    """Mean SDR of BSS Eval in dB of the waveforms that an estimator separates, in any order.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted one with ``separate``, or a pipeline that ends in one.
    X : array-like of shape (n_times,) or (n_times, n_channels)
        A mixture: one waveform, or one a microphone.
    y : array-like of shape (n_times, n_sources) or (n_times, n_sources, n_channels)
        True sources, or their images at each microphone.

    Returns
    -------
    float
        Mean in dB over all sources, in their best order.

    Raises
    ------
    ValueError
        If `y` has another shape than the separated waveforms.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf import AudioSeparator, NMF_separation
    >>> low, high = (np.sin(np.arange(4000) * w) for w in (0.1, 1.0))
    >>> model = AudioSeparator(NMF_separation(1, random_state=0), n_fft=256)
    >>> sdr_scorer(model.fit([low, high], [0, 1]), low + high, np.stack([low, high], axis=1)) > 20
    True
    """
    return _score(estimator, X, y, metric=_bss_eval, axis=0)


def _bss_eval(reference, estimate, *, axis, **options):
    return bss_eval(reference, estimate, **options).sdr


def _score(estimator, X, y, *, metric, axis=None, options=None):
    model, X = _last_step(estimator, X)
    if np.ndim(y) == 1:
        return _score_labels(model, X, y, metric, options)
    parts = model.separate(X)
    if tuple(np.shape(y)) != tuple(parts.shape):
        raise ValueError(
            f"y has shape {tuple(np.shape(y))}; expected the true parts of every mixture, as "
            f"separate returns them: {tuple(parts.shape)}"
        )
    y = moved(y if is_array(y) else np.asarray(y), parts)
    if axis is None:
        axis = 0 if parts.ndim == 2 else -1
    if axis == 0:
        xp, axis = namespace(parts), -2
        if parts.ndim == 3:
            y, parts = (xp.moveaxis(a, 2, 0) for a in (y, parts))
    with warnings.catch_warnings():  # parts that are zero throughout don't count
        warnings.simplefilter("ignore", RuntimeWarning)
        values = metric(y, parts, axis=axis, **(options or {}))
    return mean_defined(values[0] if isinstance(values, tuple) else values)


def _score_labels(model, X, y, metric, options):
    """Labelled rows: the estimator's own score knows how to make mixtures of them."""
    names = [name for name, known in METRICS.items() if known is metric]
    if options or not names or not hasattr(model, "score"):
        raise ValueError(
            f"y has shape {np.shape(y)}; expected true parts (n, n_sources, m), or waveforms "
            "(n_times, n_sources): labels work with the scorers of anmf.metrics.METRICS alone, "
            "such as si_sdr_scorer"
        )
    return model.score(X, y, metric=names[0])


def _last_step(estimator, X):
    """The model that separates, and X as it comes to it through the steps of a pipeline."""
    while hasattr(estimator, "steps"):
        if len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    if not hasattr(estimator, "separate"):
        raise ValueError(
            f"estimator={estimator!r} has no `separate`; expected a separator of anmf, or a "
            "pipeline that ends in one"
        )
    return estimator, X
