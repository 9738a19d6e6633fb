"""What the methods of `NMF_separation` are given, and the states they give back."""

from dataclasses import dataclass, replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

from anmf._core.checks import check_components
from anmf.nmf.problem import make_problem
from anmf.nmf.start import start_components


@dataclass(frozen=True)
class Task:
    """What a method learns from.

    Attributes
    ----------
    sources : list of array (n_s, m)
        Rows of each known source, alone or as parts of mixtures.
    mixtures : array (n, m) or None
    paired, parts : array (n, m) and array (n, n_sources, m), or None
        Mixtures with known parts.
    n_components : list of int
    sparsity : list of array (k_s,)
        Weight of the activations of each source's components.
    solver : str
        How the method is to be computed, a name of its own.
    init : str or list of array
    shrinkage : float
    beta : float
    floor : float
    missing : str
    scale : float
        Mean length of the rows of the sources.
    rng : numpy.random.Generator
    options : SimpleNamespace
        Parameters of `NMF_separation` that only some methods have, defaults filled in.
    """

    sources: list
    mixtures: Any
    paired: Any
    parts: Any
    n_components: list
    sparsity: list
    solver: str
    init: Any
    shrinkage: float
    beta: float
    floor: float
    missing: str
    scale: float
    rng: Any
    options: Any

    def only(self, chosen):
        """The same task for some of the sources."""
        if len(chosen) == len(self.sources):
            return self
        init, options = self.init, self.options
        shares = options.adversarial_shares
        shares = None if shares is None else np.asarray(shares)[np.ix_(chosen, chosen)]
        weight = [options.adversarial_weight[s] for s in chosen]
        gain = [options.mixture_gain[s] for s in chosen]
        changed = {"adversarial_shares": shares, "adversarial_weight": weight, "mixture_gain": gain}
        return replace(
            self,
            sources=[self.sources[s] for s in chosen],
            paired=None,
            parts=None,
            n_components=[self.n_components[s] for s in chosen],
            sparsity=[self.sparsity[s] for s in chosen],
            init=init if isinstance(init, str) else [init[s] for s in chosen],
            options=SimpleNamespace(**{**vars(options), **changed}),
        )

    def start(self, source, X, n_components):
        """Initial components of a source, from the rows X."""
        init = self.init if isinstance(self.init, str) else self.init[source]
        return start_components(X, n_components, init, None, self.rng)[0]

    def given(self, source):
        """Basis of a source as it stands in `init`, in the data's library."""
        reference = self.sources[source] if self.mixtures is None else self.mixtures
        W = check_components("init", self.init[source], reference.shape[1], reference)
        if W.shape[0] != self.n_components[source]:
            raise ValueError(
                f"init[{source}] has {W.shape[0]} rows; expected n_components = "
                f"{self.n_components[source]}"
            )
        return W

    def problem(self, source, X, **adversary):
        """The factorisation of rows X on the basis of a source."""
        return make_problem(
            X, self.n_components[source], missing=self.missing, alpha_H=self.sparsity[source],
            alpha_W=self.shrinkage, beta=self.beta, floor=self.floor, **adversary,
        )  # fmt: skip

    @property
    def batching(self):
        """Options of `anmf.nmf.stream.descent`."""
        names = "batch_size", "forget_factor"
        return {name: getattr(self.options, name) for name in names}


@dataclass(frozen=True)
class Bases:
    """State of a method that learns the sources side by side."""

    states: tuple

    @property
    def bases(self):
        return [state.components for state in self.states]

    @property
    def objective(self):
        return float(sum(state.objective for state in self.states))

    @property
    def converged(self):
        return all(state.converged for state in self.states)


@dataclass(frozen=True)
class Fixed:
    """State of a method with nothing to iterate."""

    bases: list
    objective: float = 0.0
    converged: bool = True


@dataclass(frozen=True)
class Member:
    """Bases that analyse a mixture and, one for one, the components that rebuild its parts."""

    bases: list
    reconstruction: list


@dataclass(frozen=True)
class Ensemble:
    """State of one or several runs of a method that differ by their random draws."""

    states: tuple

    @property
    def members(self):
        return [Member(s.bases, getattr(s, "reconstruction", s.bases)) for s in self.states]

    @property
    def bases(self):
        """Those of the first member."""
        return self.states[0].bases

    @property
    def objective(self):
        return float(np.mean([state.objective for state in self.states]))

    @property
    def converged(self):
        return all(state.converged for state in self.states)


def side_by_side(runs, together):
    """Several (start, step) as one, whose state is ``together(states)``."""

    def start():
        return together(tuple(begin() for begin, _ in runs))

    def step(state):
        return together(tuple(go(part) for (_, go), part in zip(runs, state.states, strict=True)))

    return start, step


def split_rows(W, sizes):
    """Consecutive groups of rows of W."""
    edges = np.cumsum([0, *sizes]).tolist()
    return [W[a:b, :] for a, b in pairwise(edges)]
