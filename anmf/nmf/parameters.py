"""Parameters of the NMF family: checks, and what `NMF_separation` makes of its own."""

import numpy as np

from anmf._core.arrays import to_host
from anmf._core.checks import check_choice, check_count, check_penalty, check_real
from anmf.metrics import METRICS
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.methods import METHODS, resolve_learner
from anmf.nmf.solvers import resolve_solver

DEFAULT_SIZE = 64
"""Components of a source for ``n_components=None``, where it has as many rows and features."""

RECONSTRUCTIONS = ("tied", "untied")


def check_parameters(estimator, solvers):
    """Check what needs no data, and return the solver's module.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of `anmf.NMF`.
    solvers : dict of str to module
        The solvers it may have.

    Raises
    ------
    ValueError
        Naming the parameter, its value and what is expected.
    """
    solver = resolve_solver(estimator.solver, resolve_beta(estimator.beta_loss), solvers)
    check_count("max_iter", estimator.max_iter)
    _check_common(estimator)
    return solver


def _check_common(estimator):
    check_choice("missing", estimator.missing, ("error", "ignore"))
    check_count("batch_size", estimator.batch_size, optional=True)
    check_real("tol", estimator.tol)
    check_real("forget_factor", estimator.forget_factor, maximum=1.0)
    if estimator.callback is not None and not callable(estimator.callback):
        raise ValueError(f"callback={estimator.callback!r} must be callable or None")


def check_separation(estimator):
    """Check the parameters of `NMF_separation` that need no data.

    Returns
    -------
    solver : str
    learner : anmf.nmf.methods.Learner
    """
    _check_common(estimator)
    check_choice("method", estimator.method, METHODS)
    solver, learner = resolve_learner(
        estimator.method, estimator.solver, resolve_beta(estimator.beta_loss)
    )
    check_choice("metric", estimator.metric, METRICS)
    check_choice("reconstruction", estimator.reconstruction, RECONSTRUCTIONS)
    for name in ("n_sources", "max_iter", "adversarial_batch_size"):
        check_count(name, getattr(estimator, name), optional=True)
    for name in ("n_iter_no_change", "n_estimators"):
        check_count(name, getattr(estimator, name))
    check_count("warm_up", estimator.warm_up, minimum=0, optional=True)
    for name in ("alpha_W", "data_weight", "supervised_weight", "learning_rate"):
        check_real(name, getattr(estimator, name))
    check_real("validation_fraction", estimator.validation_fraction, minimum=1e-6, maximum=0.9)
    return solver, learner


def one_a_source(name, value, n_sources):
    """A non-negative number for every source, from one number or one a source."""
    values = [value] * n_sources if np.ndim(value) == 0 else list(value)
    if len(values) != n_sources:
        raise ValueError(
            f"{name}={value!r} must be one number, or one for each of the {n_sources} sources"
        )
    for number in values:
        check_real(name, number)
    return [float(number) for number in values]


def check_shares(shares, n_sources):
    """Raise unless `adversarial_shares` is None or a matrix of shares whose rows allow for 1."""
    if shares is None:
        return
    matrix = np.asarray(shares)
    fits = matrix.shape == (n_sources, n_sources) and matrix.dtype.kind in "fiu"
    if fits:
        matrix = matrix * (1.0 - np.eye(n_sources))
        fits = np.all(np.isfinite(matrix)) and not np.any(matrix < 0)
    if not fits or np.any(matrix.sum(axis=1) > 1 + 1e-9):
        raise ValueError(
            f"adversarial_shares={shares!r} must be an array ({n_sources}, {n_sources}), entry "
            "i, j the share of source j among the adversarial rows of source i, at least 0, the "
            "rows summing to at most 1 without the diagonal"
        )


def declared_sources(n_components, n_sources):
    """Number of sources that the parameters tell, None when only the labels do."""
    if np.ndim(n_components) == 0:
        return n_sources
    if n_sources not in (None, len(n_components)):
        raise ValueError(
            f"n_components={n_components!r} gives {len(n_components)} sizes for "
            f"n_sources={n_sources}; give one size a source"
        )
    return len(n_components)


def basis_sizes(n_components, init, taught, X):
    """Components of each source, from one number, one a source, or None.

    Parameters
    ----------
    n_components : int, sequence of int or None
    init : str or list of array (k_s, m)
        Whose sizes count where `n_components` is None.
    taught : Supervision
    X : array (n, m)
        All rows, of which a source without rows of its own is learnt.

    Returns
    -------
    list of int
    """
    n_sources = len(taught.sources)
    if n_components is None and not isinstance(init, str):
        return [len(basis) for basis in init]
    if n_components is None:
        rows = [source.shape[0] or X.shape[0] for source in taught.sources]
        return [min(DEFAULT_SIZE, n, X.shape[1]) for n in rows]
    sizes = [n_components] * n_sources if np.ndim(n_components) == 0 else list(n_components)
    if len(sizes) != n_sources:
        raise ValueError(
            f"n_components={n_components!r} must be one number, or one for each of the "
            f"{n_sources} sources"
        )
    for size in sizes:
        check_count("n_components", size)
    return [int(size) for size in sizes]


def frozen_sources(frozen, init, n_sources):
    """Numbers of the sources whose basis is that of `init` and stays.

    Parameters
    ----------
    frozen : None or sequence of bool (n_sources,)
    init : str or list of array
    n_sources : int or None
        As declared; with frozen sources it must be.
    """
    if frozen is None:
        return []
    mask = to_host(frozen)
    if mask.dtype != bool or mask.ndim != 1 or n_sources not in (None, len(mask)):
        raise ValueError(
            f"frozen={frozen!r} must be None or one bool for each of the n_sources={n_sources} "
            "sources"
        )
    if mask.any() and (isinstance(init, str) or len(init) != len(mask)):
        raise ValueError(
            f"frozen={frozen!r} marks bases of init, but init={init!r}; pass init as a list of one "
            "array (k_s, n_features) a source"
        )
    return np.flatnonzero(mask).tolist()


def check_inits(init, n_sources):
    """Raise unless `init` is a name (checked where it is used) or has one array a source."""
    if not isinstance(init, str) and len(init) != n_sources:
        raise ValueError(
            f"init has {len(init)} arrays; expected a name, or one array (k_s, n_features) for "
            f"each of the {n_sources} sources"
        )


def mean_length(taught):
    """Mean length of the rows of all sources (else of the mixtures); missing entries count as 0."""
    known = [source for source in taught.sources if source.shape[0]] or [taught.mixtures]
    rows = [to_host(source) for source in known]
    square = np.concatenate([np.nansum(X * X, axis=1, dtype=np.float64) for X in rows])
    return float(np.sqrt(square).mean())


def resolve_sparsity(alpha_H, n_components, default, beta):
    """Sparsity as a host array (n_components,), `default` for 'auto' and the Frobenius loss."""
    if not (isinstance(alpha_H, str) and alpha_H == "auto"):
        return check_penalty("alpha_H", alpha_H, n_components)
    return np.full(n_components, default if beta == 2 else 0.0)
