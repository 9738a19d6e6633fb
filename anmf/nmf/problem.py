"""What is to be factorised, and under which penalties: the one argument that all solvers share."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from anmf._core.arrays import like, namespace, take_rows, total, weighted_inner
from anmf.nmf.divergence import data_terms, model_terms

_BLOCK_BYTES = 2**19  # of X, so that a block and its model stay in the second-level cache


@dataclass(frozen=True)
class Problem:
    """Minimise Σ_i ω_i [D_β(x_i | h_i W) + Σ_t α_t h_it] + Σ_t (α'_t |w_t|₁ + ½ ρ_t ‖w_t − a_t‖²).

    Adversarial rows, which are to be fitted badly, come last and have negative weights. Every row's
    activations minimise its own bracket, whatever its weight.

    Attributes
    ----------
    X : array or sparse matrix (n, m)
        Data; where missing, 0, or `floor` for β ≤ 0.
    observed : array (n, m) or None
        1 where an entry of X is known, 0 where it is missing; None when all are known.
    weight : array (n, 1) or float
        ω_i, summing to one over the true rows and to minus their total weight over the
        adversarial ones.
    sparsity : array (k,)
        α_t.
    shrinkage : array (k,)
        α'_t.
    frozen : array (k, 1)
        True where a component is to stay as it is.
    free : tuple of int
        The other components.
    pull : array (k, m) or None
        ρ_t a_t: anchors a_t of unit length, to which components are drawn; None without any.
    penalised : bool
        Whether any penalty acts, so that the scale of a component matters.
    beta : float
    floor : float
        Smallest value of the model H W, and of X for β ≤ 0.
    xp : array namespace
    n_true : int
        Rows before the first adversarial one.
    """

    X: Any
    observed: Any
    weight: Any
    sparsity: Any
    shrinkage: Any
    frozen: Any
    free: tuple
    pull: Any
    penalised: bool
    beta: float
    floor: float
    xp: Any
    n_true: int

    def rows(self, indices):
        """The same problem on some rows, by ascending host indices.

        Weights are scaled up, so that both kinds of rows keep their total weight on average.
        """
        n, n_true = self.X.shape[0], int(np.searchsorted(indices, self.n_true))
        weight = 1.0 / len(indices)
        if not isinstance(self.weight, float):
            sizes = np.array([[self.n_true, n - self.n_true], [n_true, len(indices) - n_true]])
            share = np.repeat(sizes[0] / np.maximum(sizes[1], 1), sizes[1])[:, None]
            weight = take_rows(self.weight, indices)
            weight = weight * like(share, weight)
        observed = None if self.observed is None else take_rows(self.observed, indices)
        return replace(
            self, X=take_rows(self.X, indices), observed=observed, weight=weight,
            n_true=n_true,
        )  # fmt: skip

    def blocks(self, size=None):
        """Slices of rows: `size` each, or so that their share of X fits the cache.

        On an accelerator, where nothing is gained by small blocks, one slice is all rows.
        """
        n, m = self.X.shape
        if size is None:
            on_host = isinstance(self.X, np.ndarray)
            size = max(64, _BLOCK_BYTES // (m * self.X.dtype.itemsize)) if on_host else n
        return [slice(start, min(n, start + size)) for start in range(0, n, size)]

    def block(self, rows):
        """Data, observation mask (or None) and weights of a slice of rows."""
        observed = None if self.observed is None else self.observed[rows, :]
        weight = self.weight if isinstance(self.weight, float) else self.weight[rows, :]
        return self.X[rows, :], observed, weight

    def gather(self, H, B):
        """Hᵀ Ω B of all rows; equal weights are applied to the product, which is small."""
        if isinstance(self.weight, float):
            return (H.T @ B) * self.weight
        return (H * self.weight).T @ B

    def kinds(self):
        """The true rows alone, and the adversarial rows alone (with their negative weights)."""
        n, pieces = self.n_true, []
        for rows, n_true in ((slice(None, n), n), (slice(n, None), 0)):
            X, observed, weight = self.block(rows)
            pieces.append(replace(self, X=X, observed=observed, weight=weight, n_true=n_true))
        return pieces

    def grams(self, H):
        """Hᵀ |Ω| H of the true and of the adversarial rows."""
        weighted, n = H * self.weight, self.n_true
        return weighted[:n, :].T @ H[:n, :], -(weighted[n:, :].T @ H[n:, :])

    def constant(self):
        """Part of the objective that doesn't depend on the factors."""
        xp, X = self.xp, self.X
        if sparse.issparse(X):
            square = X.multiply(X).sum(axis=1)
            return 0.5 * float(np.sum(np.asarray(square).reshape(-1, 1) * self.weight))
        value = 0.0
        for rows in self.blocks():
            X, observed, weight = self.block(rows)
            terms = data_terms(X, self.beta, xp=xp)
            terms = terms if observed is None else xp.where(observed > 0, terms, 0)
            value += total(weight * terms, xp)
        return value

    def loss(self, H, W):
        """Weighted divergence Σ_i ω_i D_β(x_i | h_i W) of given factors, without penalties."""
        xp, value = self.xp, self.constant()
        if sparse.issparse(self.X):
            value -= weighted_inner(self.X @ W.T, H, self.weight, xp)
            return value + 0.5 * total(self.gather(H, H) * (W @ W.T), xp)
        for rows in self.blocks():
            X, observed, weight = self.block(rows)
            Y = H[rows, :] @ W
            Y = Y if self.beta == 2 else xp.clip(Y, self.floor, None)
            terms = model_terms(X, Y, self.beta, xp=xp)
            terms = terms if observed is None else terms * observed
            value += total(weight * terms, xp)
        return value

    def penalty(self, H, W):
        """Value of all penalties, components of unit length."""
        if not self.penalised:
            return 0.0
        xp = self.xp
        value = total(self.sparsity * xp.sum(H * self.weight, axis=0), xp)
        value += total(self.shrinkage * xp.sum(xp.abs(W), axis=1), xp)
        if self.pull is not None:  # ½ ρ ‖w − a‖² = ρ − ρ ⟨w, a⟩
            strength = xp.sqrt(xp.sum(self.pull * self.pull, axis=1))
            value += total(strength, xp) - total(self.pull * W, xp)
        return value


def make_problem(X, n_components, *, missing="error", sample_weight=None, alpha_H=0.0, alpha_W=0.0,
                 frozen=None, pull=None, beta=2.0, floor=0.0, n_adversarial=0,
                 adversarial_weight=0.0):  # fmt: skip
    """Assemble a `Problem` from checked data, where NaN means missing for ``missing='ignore'``.

    `sample_weight` (n,), the penalties (k,) or numbers, and the mask `frozen` (k,) are host values;
    `pull` is an array (k, m) of the data's library.
    The last `n_adversarial` rows are adversarial and weigh −`adversarial_weight` together.
    """
    xp, n = namespace(X), X.shape[0]
    reference = X.data if sparse.issparse(X) else X
    X, observed = _split_missing(X, xp) if missing == "ignore" else (X, None)
    if beta <= 0:
        X = xp.clip(X, floor, None)
    weight, n_true = 1.0 / n, n - n_adversarial
    if sample_weight is not None or n_adversarial:
        sample_weight = np.ones(n) if sample_weight is None else sample_weight
        weight = like(_signed(sample_weight, n_true, adversarial_weight), reference)
    penalties = [np.broadcast_to(np.asarray(a, float), (n_components,)) for a in (alpha_H, alpha_W)]
    frozen = np.zeros(n_components, bool) if frozen is None else np.asarray(frozen, bool)
    return Problem(
        X, observed, weight, *(like(a, reference) for a in penalties),
        like(frozen[:, None], reference, dtype=xp.bool), tuple(np.flatnonzero(~frozen).tolist()),
        pull, any(a.any() for a in penalties) or pull is not None, beta, floor, xp, n_true,
    )  # fmt: skip


def _signed(sample_weight, n_true, adversarial_weight):
    """Host weights (n, 1): positive with sum 1, then negative with sum −`adversarial_weight`."""
    true, adversarial = sample_weight[:n_true], sample_weight[n_true:]
    scaled = [true / true.sum(), -adversarial_weight * adversarial / (adversarial.sum() or 1.0)]
    return np.concatenate(scaled)[:, None]


def model_floor(X):
    """Smallest value a model of `X` may take: float precision × mean of the known entries."""
    values = X.data if sparse.issparse(X) else X
    xp = namespace(values)
    amount = total(values, xp)
    if amount != amount:  # NaN marks missing entries
        amount = total(xp.where(xp.isnan(values), 0, values), xp)
    mean = amount / (X.shape[0] * X.shape[1])
    return float(xp.finfo(values.dtype).eps) * (mean or 1.0)


def _split_missing(X, xp):
    """X with 0 for NaN, and the mask of known entries (None when all are)."""
    missing = xp.isnan(X)
    if not bool(xp.any(missing)):
        return X, None
    return xp.where(missing, 0, X), xp.astype(~missing, X.dtype)
