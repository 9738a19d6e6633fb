"""The solvers by name.

A solver of `SOLVERS` is a module with ``start(problem, W)`` and ``step(problem, state)`` for all
rows at once, and ``start_memory`` and ``absorb`` for mini-batches; those of `ADVERSARIAL_SOLVERS`
also take problems with adversarial rows.
"""

from anmf._core.threads import limited_threads
from anmf.nmf import hals, mu, safeguarded, stochastic_mu

SOLVERS = {"hals": hals, "mu": mu}
ADVERSARIAL_SOLVERS = {"safeguarded": safeguarded, "mu": stochastic_mu}


def resolve_solver(solver, beta, solvers=SOLVERS):
    """Module of a solver name that can minimise D_β."""
    if not isinstance(solver, str) or solver not in solvers:
        raise ValueError(f"solver={solver!r} must be one of {sorted(solvers)}")
    if solver == "hals" and beta != 2:
        raise ValueError(
            f"solver='hals' minimises the Frobenius loss (beta_loss=2), not beta_loss={beta:g}; "
            "use solver='mu'"
        )
    return solvers[solver]


def solve(problem, W):
    """Activations of given components, each row to its own optimum."""
    with limited_threads(*problem.X.shape, W.shape[0]):
        return (hals if problem.beta == 2 else mu).solve(problem, W)
