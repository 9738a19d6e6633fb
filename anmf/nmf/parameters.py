"""Parameters of the NMF family: checks, and what `NMF_separation` makes of its own."""

import numpy as np

from anmf._core.arrays import to_host
from anmf._core.checks import check_choice, check_count, check_penalty, check_real
from anmf.metrics import METRICS
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.methods import METHODS
from anmf.nmf.solvers import resolve_solver

DEFAULT_SIZE = 64
"""Components of a source for ``n_components=None``, where it has as many rows and features."""

DEFAULT_SPARSITY = 0.07
"""``alpha_H='auto'`` over the mean length of the labelled rows; see `anmf.NMF_separation`."""


def check_parameters(estimator):
    """Check what needs no data, and return the solver's module.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of `anmf.NMF`.

    Raises
    ------
    ValueError
        Naming the parameter, its value and what is expected.
    """
    solver = resolve_solver(estimator.solver, resolve_beta(estimator.beta_loss))
    check_choice("missing", estimator.missing, ("error", "ignore"))
    check_count("batch_size", estimator.batch_size, optional=True)
    check_count("max_iter", estimator.max_iter)
    check_real("tol", estimator.tol)
    check_real("forget_factor", estimator.forget_factor, maximum=1.0)
    if estimator.callback is not None and not callable(estimator.callback):
        raise ValueError(f"callback={estimator.callback!r} must be callable or None")
    return solver


def check_separation(estimator):
    """`check_parameters`, and those that only `NMF_separation` has."""
    check_parameters(estimator)
    check_choice("method", estimator.method, METHODS)
    check_choice("metric", estimator.metric, METRICS)
    check_count("n_sources", estimator.n_sources, optional=True)
    check_count("n_iter_no_change", estimator.n_iter_no_change)
    check_real("alpha_W", estimator.alpha_W)
    check_real("validation_fraction", estimator.validation_fraction, minimum=1e-6, maximum=0.9)


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


def basis_sizes(n_components, taught, X):
    """Components of each source, from one number, one a source, or None.

    Parameters
    ----------
    n_components : int, sequence of int or None
    taught : Supervision
    X : array (n, m)
        All rows, of which a source without rows of its own is learnt.

    Returns
    -------
    list of int
    """
    n_sources = len(taught.sources)
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


def check_inits(init, n_sources):
    """Raise unless `init` is a name (checked where it is used) or has one array a source."""
    if not isinstance(init, str) and len(init) != n_sources:
        raise ValueError(
            f"init has {len(init)} arrays; expected a name, or one array (k_s, n_features) for "
            f"each of the {n_sources} sources"
        )


def resolve_sparsity(alpha_H, n_components, taught, beta):
    """Sparsity as a host array (n_components,); 'auto' from the mean length of the labelled rows.

    Missing entries count as 0.
    """
    if not (isinstance(alpha_H, str) and alpha_H == "auto"):
        return check_penalty("alpha_H", alpha_H, n_components)
    if beta != 2:
        return np.zeros(n_components)
    rows = (to_host(source).astype(np.float64) for source in taught.sources)
    square = np.concatenate([np.nansum(source**2, axis=1) for source in rows])
    return np.full(n_components, DEFAULT_SPARSITY * np.sqrt(square).mean())
