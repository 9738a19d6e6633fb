"""The estimator `SpeechEnhancer`: speech out of noise, with a noise model of every recording."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anmf._core.arrays import random_generator
from anmf._core.checks import check_count, check_real
from anmf._core.types import PathLike, RandomState
from anmf.audio import AudioSeparator
from anmf.audio.separator import score_waveforms
from anmf.audio.waveforms import check_waveform
from anmf.base import SeparatorMixin
from anmf.nmf.enhance_file import enhance_file
from anmf.nmf.nmf import NMF
from anmf.nmf.noise_adaptive import PRETRAINING_SPARSITY, NoiseAdaptive, mean_length
from anmf.nmf.speech_basis import load_speech_basis

_PRETRAINING: dict[str, Any] = {"max_iter": 60, "tol": 0.0}
_MOST_ROWS = 20000


class SpeechEnhancer(SeparatorMixin, BaseEstimator):
    """Take speech out of noise in single recordings, without knowing the noise.

    A basis of speech spectra is learnt once, from clean speech of the speaker or of others, or
    comes with the package. The noise is learnt from every noisy recording itself (anchored sparse
    semi-supervised NMF): a few components start from its quietest frames and are held near them,
    while the activations of speech are sparse. Without either, the noise would grow to explain the
    speech too.

    Parameters
    ----------
    n_components : int, default 64
        Components of speech learnt in ``fit``.
    n_noise : int, default 8
        Components of noise a recording.
    alpha_H : float, default 0.05
        Sparsity of the speech activations, over the mean length of the spectra.
    anchor : float, default 5.0
        How strongly noise components are held at their start, as in `anmf.NMF_separation`.
    quiet_share : float, default 0.1
        In (0, 1]: share of the frames, the quietest ones, from which noise components start.
    adversarial_weight : float, default 0.0
        When positive, a second pass in which the speech basis learns to refuse what the first pass
        took for noise (`anmf.ANMF`). It needs speech of one's own.
    n_fft : int or sequence of int, default 1024
        Length of frames in samples, with hops of a quarter of it; of several, the mean of the
        results is taken.
    max_iter : int, default 15
        Iterations in which the noise is learnt.
    sample_rate : int, default 16000
        Of all waveforms, in Hz.
    random_state : int, Generator, RandomState or None, default None
        Seed of the draws in which bases start.

    Attributes
    ----------
    bases_ : list of ndarray of shape (k, n_fft // 2 + 1)
        Speech components, for each of `n_fft`.

    Notes
    -----
    The defaults were chosen on speakers and noises that are in none of the test figures
    (``python -m benchmarks speech``).

    References
    ----------
    Smaragdis, Raj and Shashanka, "Supervised and semi-supervised separation of sounds from
    single-channel mixtures", ICA 2007. Ludvigsen and Grasmair, arXiv 2404.15296, 2024.

    Examples
    --------
    >>> from anmf import SpeechEnhancer
    >>> from anmf.datasets import make_noise, make_noisy_speech, make_voices
    >>> voice = make_voices(1, 6.0, random_state=0).waveforms[:, 0]
    >>> noise = make_noise(3.0, "rain", random_state=0)
    >>> noisy = make_noisy_speech([voice[48000:]], [noise], random_state=0)
    >>> model = SpeechEnhancer(32, random_state=0).fit([voice[:48000]])
    >>> model.enhance(noisy.mixtures[0]).shape
    (48000,)
    """

    def __init__(self, n_components: int = 64, *, n_noise: int = 8, alpha_H: float = 0.05,
                 anchor: float = 5.0, quiet_share: float = 0.1, adversarial_weight: float = 0.0,
                 n_fft: int | Sequence[int] = 1024, max_iter: int = 15, sample_rate: int = 16000,
                 random_state: RandomState = None) -> None:  # fmt: skip
        self.n_components = n_components
        self.n_noise = n_noise
        self.alpha_H = alpha_H
        self.anchor = anchor
        self.quiet_share = quiet_share
        self.adversarial_weight = adversarial_weight
        self.n_fft = n_fft
        self.max_iter = max_iter
        self.sample_rate = sample_rate
        self.random_state = random_state

    def fit(self, waveforms: ArrayLike | Sequence[ArrayLike] | None = None, y: None = None) -> Self:
        """Learn the speech basis.

        Parameters
        ----------
        waveforms : list of array-like of shape (n_times,), or None, default None
            Clean speech. None for the basis that comes with the package (`n_fft` of 512, 1024 and
            2048 at 16 kHz).
        y : None
            Ignored.

        Returns
        -------
        self
            With ``bases_``.

        Raises
        ------
        ValueError
            For bad waveforms or parameters, silence, or a frame length or rate for which no basis
            comes with the package.
        """
        self._check_parameters()
        if waveforms is None and self.adversarial_weight:
            raise ValueError(
                f"adversarial_weight={self.adversarial_weight!r} needs rows of clean speech: pass "
                "waveforms to fit, or set it to 0 for the built-in basis"
            )
        if waveforms is None:
            self.bases_ = [load_speech_basis(n, self.sample_rate) for n in self._frame_lengths]
            self._speech_rows: list[np.ndarray | None] = [None] * len(self.bases_)
            return self
        recordings: Any = waveforms if isinstance(waveforms, (list, tuple)) else [waveforms]
        rng = random_generator(self.random_state)
        if not recordings:
            raise ValueError("waveforms is empty; expected at least one recording of clean speech")
        bases, speech_rows = [], list[np.ndarray | None]()
        for n_fft in self._frame_lengths:
            frames = AudioSeparator(NMF(), n_fft=n_fft)
            rows = np.concatenate([frames.rows(x) for x in recordings])
            if len(rows) > _MOST_ROWS:
                rows = rows[np.sort(rng.choice(len(rows), _MOST_ROWS, replace=False))]
            k = min(self.n_components, len(rows))
            if not k:
                raise ValueError("waveforms are silent throughout; expected clean speech")
            alpha = PRETRAINING_SPARSITY * mean_length(rows)
            basis = NMF(k, alpha_H=alpha, random_state=rng, **_PRETRAINING).fit(rows).components_
            bases.append(basis)
            speech_rows.append(rows if self.adversarial_weight else None)
        self.bases_, self._speech_rows = bases, speech_rows
        return self

    def separate(self, x: ArrayLike | Sequence[ArrayLike]) -> np.ndarray | list[np.ndarray]:
        """Speech and noise of recordings, each with a noise model of its own.

        Parameters
        ----------
        x : array-like of shape (n_times,) or (n_times, n_channels), or list of these
            Noisy speech, floats.

        Returns
        -------
        ndarray of shape (n_times, 2) or (n_times, 2, n_channels), or list of these
            Speech first; they sum to `x`.
        """
        check_is_fitted(self)
        if isinstance(x, (list, tuple)):
            several: list[Any] = [self.separate(one) for one in x]
            return several
        x = check_waveform(x)
        if not x.any():
            return np.stack([x, x], axis=1)
        parts: list[Any] = [model.separate(x) for model in self.adapted([x])]
        return (sum(parts[1:], start=parts[0]) / len(parts)).astype(x.dtype)

    def score(
        self,
        waveforms: ArrayLike | Sequence[ArrayLike],
        references: ArrayLike | Sequence[ArrayLike],
        metric: str = "si_sdr",
    ) -> float:
        """Mean quality of speech and noise in dB, higher is better.

        Parameters
        ----------
        waveforms : array-like of shape (n_times,) or (n_times, n_channels), or list of these
            Noisy speech.
        references : array-like of shape (n_times, 2[, n_channels]), or list of these
            The true speech and noise.
        metric : str, default 'si_sdr'
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
            Mean over waveforms, of the mean over both parts; parts that are zero don't count.
        """
        return score_waveforms(self.separate, waveforms, references, metric)

    def enhance(self, x: ArrayLike | Sequence[ArrayLike]) -> np.ndarray | list[np.ndarray]:
        """The speech alone: ``separate(x)[:, 0]``.

        Parameters
        ----------
        x : array-like of shape (n_times,) or (n_times, n_channels), or list of these
            Noisy speech, floats.

        Returns
        -------
        ndarray of shape (n_times,) or (n_times, n_channels), or list of these
            The speech.
        """
        parts = self.separate(x)
        return [part[:, 0] for part in parts] if isinstance(parts, list) else parts[:, 0]

    def enhance_file(
        self,
        path: PathLike,
        output: PathLike,
        *,
        noise: PathLike | None = None,
        overwrite: bool = False,
        adapt_seconds: float = 20.0,
    ) -> None:
        """Take the speech out of a file in constant memory.

        Parameters
        ----------
        path : path
            The noisy speech, a file that `anmf.audio.read_audio` reads.
        output : path
            File of the speech, as in `anmf.audio.write_audio`.
        noise : path or None, default None
            File of the rest; None for none.
        overwrite : bool, default False
            Whether files of these names may be replaced.
        adapt_seconds : float, default 20.0
            The noise is learnt from so many seconds of the file, in pieces spread over it.

        Raises
        ------
        FileNotFoundError, FileExistsError, ValueError, OSError
            As in `anmf.audio.read_audio` and `anmf.audio.write_audio`, and for another sampling
            rate than `sample_rate`.
        """
        check_is_fitted(self)
        check_real("adapt_seconds", adapt_seconds, minimum=1.0)
        enhance_file(self, path, output, noise, overwrite, adapt_seconds)

    def adapted(self, pieces: Sequence[ArrayLike]) -> list[AudioSeparator]:
        """One `anmf.AudioSeparator` for each of `n_fft`, adapted to the noise of a recording.

        Parameters
        ----------
        pieces : list of array-like of float, shape (n_times,) or (n_times, n_channels)
            The recording, or pieces of it.

        Returns
        -------
        list of AudioSeparator
            In the order of `n_fft`.
        """
        if len(self.bases_) != len(self._frame_lengths):
            raise ValueError(
                f"n_fft={self.n_fft!r} has changed since fit, which made {len(self.bases_)} bases; "
                "fit again"
            )
        models = []
        for n_fft, basis, rows in zip(
            self._frame_lengths, self.bases_, self._speech_rows, strict=True
        ):
            adaptive = NoiseAdaptive(
                basis, n_noise=self.n_noise, alpha_H=self.alpha_H, anchor=self.anchor,
                quiet_share=self.quiet_share, speech_rows=rows, max_iter=self.max_iter,
                adversarial_weight=self.adversarial_weight, random_state=self.random_state,
            )  # fmt: skip
            model = AudioSeparator(
                adaptive, n_fft=n_fft, normalize="training", silence_threshold=0.0,
                sample_rate=self.sample_rate,
            )  # fmt: skip
            models.append(model.fit(list(pieces)))
        return models

    @property
    def _frame_lengths(self):
        return [self.n_fft] if np.ndim(self.n_fft) == 0 else list(self.n_fft)

    def _check_parameters(self):
        for name in ("n_components", "n_noise", "max_iter", "sample_rate"):
            check_count(name, getattr(self, name))
        for name in ("alpha_H", "anchor", "adversarial_weight"):
            check_real(name, getattr(self, name))
        check_real("quiet_share", self.quiet_share, minimum=1e-6, maximum=1.0)
        if not self._frame_lengths:
            raise ValueError(f"n_fft={self.n_fft!r} must hold at least one frame length")
        for n_fft in self._frame_lengths:
            check_count("n_fft", n_fft, minimum=16)
