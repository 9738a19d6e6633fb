"""AuxIVA on a stream: block by block, with what is remembered of the past."""

import numpy as np

from anmf._core.arrays import namespace
from anmf.iva.covariance import weighted_covariances
from anmf.iva.lowrank import LowRank
from anmf.iva.solve import demix
from anmf.iva.source_models import among, resolve_source_model
from anmf.iva.start import given_rows
from anmf.metrics import solve_permutation

RECENT = 128
"""Frames that are kept, to be weighted anew with every block: 8 s at 16 kHz for frames of 4096."""

BEGINNING = 20
"""Least number of iterations where learning begins."""


class Memory:
    """What a stream leaves behind, of one size however long it is.

    The last `RECENT` frames are kept as they are, and go into every iteration along with those of
    the block. Of older ones the covariances of the microphones remain, under the weights that they
    had when they were recent.

    Parameters
    ----------
    n_frequencies, n_channels : int
    init : str or array
        As in `anmf.AuxIVA`.
    forgetting : float
        Factor of what is remembered of older frames, for each frame.

    Attributes
    ----------
    rows : complex128 ndarray (n_frequencies, n_channels, n_channels)
        Demixing so far.

    Notes
    -----
    With N older frames, so far as they aren't forgotten, the sum P of their weighted covariances
    and T frames at hand, the covariances are V = (Σ_t φ_t x_t x_tᴴ + P) / (T + N).

    Little sound is easily demixed too well or in the wrong way, and demixing stays where it has
    begun. Learning therefore begins again from `init`, unless that is an array, whenever there are
    twice as many frames as at the last beginning, as long as all frames are kept.

    References
    ----------
    Taniguchi, Ono, Kawamura and Sagayama, "An auxiliary-function approach to online independent
    vector analysis for real-time blind source separation", HSCMA 2014.
    """

    def __init__(self, n_frequencies, n_channels, init, forgetting):
        self._init, self._forgetting = init, forgetting
        self.rows = given_rows(init, n_frequencies, n_channels)
        self._recent, self._past, self._n_past = None, np.zeros(0), 0.0
        self._energy, self._n_heard, self._n_begun = 0.0, 0.0, 0

    def learn(self, Z, n_sources, update, source_model, **options):
        """Demixing from a block of spectra (n_frequencies, n_channels, n_frames) and the past.

        Returns
        -------
        Demixed
            Of which `rows` and `taps` are at another scale.

        Raises
        ------
        ValueError
            For 'nmf', whose activations are those of a whole recording.
        """
        model = resolve_source_model(source_model)
        if isinstance(model, LowRank):
            raise ValueError(
                f"source_model={source_model!r} learns the activations of a whole recording; for "
                "a stream use 'cliques' or another model"
            )
        level, first = self._level(Z), self._recent is None
        Z = Z if first else np.concatenate([self._recent, Z], axis=2)
        n_frames = Z.shape[2]
        n_leaving = max(0, n_frames - RECENT)
        kept = self._forgetting**n_leaving
        self._n_past, self._past = kept * self._n_past, kept * self._past
        share = (n_frames + self._n_past) / n_frames
        twice = self._n_past == 0 and 2 * self._n_begun <= n_frames <= RECENT
        anew = first or (twice and isinstance(self._init, str))
        if anew:
            options["max_iter"] = max(options["max_iter"], BEGINNING)
        elif hasattr(model, "warm"):
            model = model.warm()
        found = demix(
            Z, n_sources, update, Louder(model, share), level=level,
            init=self._init if anew else self.rows / np.sqrt(share),
            past=self._past / n_frames if self._n_past else None, **options,
        )  # fmt: skip
        if found.outcome.state is None:
            return found  # silence up to now: nothing has begun
        rows = found.rows * np.sqrt(share)
        if anew:
            rows = rows if first else in_order(rows, self.rows, n_sources, Z)
            self._n_begun = n_frames
        self.rows, self._recent = rows, Z[:, :, n_leaving:].copy()
        if n_leaving:
            self._settle(Z[:, :, :n_leaving], found)
        return found

    def _level(self, Z):
        """Root mean square of the stream so far, with new frames."""
        kept = self._forgetting ** Z.shape[2]
        self._energy = kept * self._energy + float(np.linalg.norm(Z) ** 2) / Z[..., 0].size
        self._n_heard = kept * self._n_heard + Z.shape[2]
        return float(np.sqrt(self._energy / self._n_heard)) or None

    def _settle(self, Z, found):
        """Add the covariances of the frames that leave, under their last weights."""
        state, active, xp = found.outcome.state, found.active, namespace(Z)
        weights = state.bands.spread(state.weights[:, :, : Z.shape[2]], xp=xp)
        added = Z.shape[2] * weighted_covariances(Z[active], weights, Z.shape[2], xp=xp)
        if self._n_past == 0:
            self._past = np.zeros((len(Z), *added.shape[1:]), np.complex128)
        self._past[active] += added
        self._n_past += Z.shape[2]


class Louder:
    """A source model that sees powers times a factor, its contrast divided by it.

    Rows w √m of demixing that minimise the contrasts of T frames and w P wᴴ of N others, where
    m = (T + N) / T, come from the w for which `demix` does so with the mean of T frames, if the
    model sees m times the power.

    Parameters
    ----------
    model : object
        Source model.
    factor : float
        m.
    """

    def __init__(self, model, factor):
        self._model, self._factor = model, factor
        self.n_bins, self.start = model.n_bins, model.start

    def among(self, heard):
        """The same of some of the frequencies."""
        return Louder(among(self._model, heard), self._factor)

    def update(self, power, state, *, xp):
        """As that of the model."""
        weights, loss, state = self._model.update(self._factor * power, state, xp=xp)
        return weights, loss / self._factor, state


def in_order(rows, earlier, n_sources, Z):
    """Rows of demixing, the sources in the order in which they are most coherent with earlier ones.

    All are ndarray (n_frequencies, n_channels, n_channels), for spectra Z (..., n_frames).
    """
    C = Z @ np.conj(np.swapaxes(Z, 1, 2))
    new, old = rows[:, :n_sources], earlier[:, :n_sources]
    powers = [np.sum((W @ C) * W.conj(), axis=2).real for W in (old, new)]
    both = powers[0][:, :, None] * powers[1][:, None, :]
    common = np.abs(old @ C @ np.conj(np.swapaxes(new, 1, 2))) ** 2
    coherence = np.sum(common / np.where(both > 0, both, 1), axis=0)
    return np.concatenate([new[:, solve_permutation(coherence)], rows[:, n_sources:]], axis=1)
