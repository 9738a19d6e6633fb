"""The solvers by name.

A solver is a module with five functions, so that everything else works with any of them:
``start(problem, W)`` and ``step(problem, state)`` for all rows at once, ``start_memory`` and
``absorb`` for mini-batches, ``solve(problem, W)`` for activations of given components.
"""

from anmf.nmf import hals, mu

SOLVERS = {"hals": hals, "mu": mu}


def resolve_solver(solver, beta):
    """Module of a solver name that can minimise D_β."""
    if not isinstance(solver, str) or solver not in SOLVERS:
        raise ValueError(f"solver={solver!r} must be one of {sorted(SOLVERS)}")
    if solver == "hals" and beta != 2:
        raise ValueError(
            f"solver='hals' minimises the Frobenius loss (beta_loss=2), not beta_loss={beta:g}; "
            "use solver='mu'"
        )
    return SOLVERS[solver]
