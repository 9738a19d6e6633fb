"""Neighbouring frequencies that share the weights of the source model."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bands:
    """Bands of `n_bins` frequencies; the last has what is left, too.

    Attributes
    ----------
    n_frequencies, n_bins : int
    """

    n_frequencies: int
    n_bins: int

    @property
    def count(self):
        """Number of bands."""
        return max(1, self.n_frequencies // self.n_bins)

    @property
    def sizes(self):
        """Frequencies in each, ndarray (count,)."""
        sizes = np.full(self.count, self.n_bins)
        sizes[-1] = self.n_frequencies - self.n_bins * (self.count - 1)
        return sizes

    def mean(self, power, *, xp):
        """Mean over the frequencies of each band: (count, ...) of (n_frequencies, ...)."""
        if self.n_bins == 1:
            return power
        split = self.n_bins * (self.count - 1)
        rest = xp.mean(power[split:, ...], axis=0, keepdims=True)
        whole = xp.reshape(power[:split, ...], (self.count - 1, self.n_bins, *power.shape[1:]))
        return xp.concat([xp.mean(whole, axis=1), rest], axis=0)

    def spread(self, weights, *, xp):
        """The value of its band at each frequency: (n_frequencies, ...) of (count, ...)."""
        if weights.shape[0] == 1 or self.n_bins == 1:
            return weights
        sizes = self.sizes.tolist()
        rows = [weights[k : k + 1, ...] for k in range(self.count) for _ in range(sizes[k])]
        return xp.concat(rows, axis=0)
