"""AuxIVA on a stream: block by block, with what is remembered of the past."""

import array_api_compat.numpy as xp
import numpy as np

from anmf.audio.stft import analyse
from anmf.iva.covariance import weighted_covariances
from anmf.iva.solve import demix
from anmf.iva.start import check_rows


class Stream:
    """What a stream leaves behind, of one size however long it is.

    The frames are those that `anmf.audio.STFT` has for the whole stream. The covariances of the
    microphones under the weights of past frames are added to those of each block.

    Parameters
    ----------
    frames : tuple
        n_fft, hop_length and window.
    X : ndarray (n_times, n_channels)
        Of which the channels and the precision count.
    init : str or array
        As in `anmf.AuxIVA`.
    forgetting : float
        Factor of what is remembered, for each frame.

    Attributes
    ----------
    rows : complex128 ndarray (n_frequencies, n_channels, n_channels)
        Demixing so far.

    References
    ----------
    Taniguchi, Ono, Kawamura and Sagayama, "An auxiliary-function approach to online independent
    vector analysis for real-time blind source separation", HSCMA 2014.
    """

    def __init__(self, frames, X, init, forgetting):
        self._frames, self._init, self._forgetting = frames, init, forgetting
        self._heard = np.zeros((X.shape[1], frames[0] // 2), X.dtype)  # silence before the stream
        n_frequencies, n_channels = frames[0] // 2 + 1, X.shape[1]
        self.rows = np.tile(np.eye(n_channels, dtype=np.complex128), (n_frequencies, 1, 1))
        if not isinstance(init, str):
            given = check_rows(init, n_frequencies, n_channels)
            self.rows[:, : given.shape[1]] = given
        self._past, self._energy, self._n_frames = None, 0.0, 0.0

    def push(self, X):
        """Spectra (n_frequencies, n_channels, n) of the frames that samples (n_times, ...) end."""
        n_fft, hop_length, _ = self._frames
        self._heard = np.concatenate([self._heard, X.T.astype(self._heard.dtype)], axis=1)
        n_frames = max(0, (self._heard.shape[1] - n_fft) // hop_length + 1)
        if not n_frames:
            dtype = np.result_type(self._heard.dtype, np.complex64)
            return np.zeros((n_fft // 2 + 1, len(self._heard), 0), dtype)
        Z = analyse(self._heard[:, : n_fft + (n_frames - 1) * hop_length], *self._frames)
        self._heard = self._heard[:, n_frames * hop_length :]
        return np.moveaxis(Z, -1, 0)

    def learn(self, Z, n_sources, update, source_model, **options):
        """Demixing from a block of spectra (n_frequencies, n_channels, n_frames) and the past.

        Returns
        -------
        Demixed
        """
        kept = self._forgetting ** Z.shape[2]
        self._energy = kept * self._energy + float(np.linalg.norm(Z) ** 2) / Z[..., 0].size
        self._n_frames = kept * self._n_frames + Z.shape[2]
        init = self._init if isinstance(self._init, str) and self._past is None else self.rows
        past = None if self._past is None else kept * self._past / Z.shape[2]
        found = demix(
            Z, n_sources, update, source_model, init=init, past=past,
            level=float(np.sqrt(self._energy / self._n_frames)) or None, **options,
        )  # fmt: skip
        self.rows = found.rows
        state, active = found.outcome.state, found.active
        if state is None:
            return found
        weights = state.bands.spread(state.weights, xp=xp)
        if self._past is None:
            n_channels = Z.shape[1]
            self._past = np.zeros((len(Z), weights.shape[1], n_channels, n_channels), complex)
        self._past *= kept
        self._past[active] += Z.shape[2] * weighted_covariances(Z[active], weights, xp=xp)
        return found
