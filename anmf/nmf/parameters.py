"""Checks of the parameters that the NMF family shares."""

from anmf._core.checks import check_choice, check_count, check_real
from anmf.nmf.divergence import resolve_beta
from anmf.nmf.solvers import resolve_solver


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
