"""The estimator `AudioSeparator`: waveforms in, waveforms out."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.types import PathLike
from anmf.audio.frames import Window, check_frames
from anmf.audio.io import audio_info, read_blocks
from anmf.audio.stft import istft, stft
from anmf.audio.stream import separate_blocks
from anmf.audio.targets import phase_sensitive_shares, read_examples
from anmf.audio.waveforms import check_waveform, level_of
from anmf.audio.writer import AudioWriter
from anmf.base import SeparatorMixin
from anmf.masks import wiener
from anmf.metrics import METRICS, mean_score

NORMALIZATIONS = ("file", "training", "none")


class AudioSeparator(SeparatorMixin, BaseEstimator):
    """Separate waveforms with a separator of non-negative spectra.

    The magnitudes of the short-time spectra go to the wrapped estimator, one row a frame. Its
    parts become masks, which are applied to the complex spectra of the mixture.

    Parameters
    ----------
    estimator : estimator
        Has ``fit(X, y)`` and ``separate(X)``, (n, m) to (n, n_sources, m), as
        `anmf.NMF_separation` has. A clone of it is fitted.
    n_fft : int, default 1024
        Samples in a frame.
    hop_length : int or None, default None
        Samples between frames, at most `n_fft`; None for a quarter of `n_fft`.
    window : str, tuple or array-like of shape (n_fft,), default 'hann'
        What `scipy.signal.get_window` takes, or the window itself.
    power : float, default 1.0
        Rows are magnitudes to this power: 1, or 2 for power spectra, where masks are Wiener
        filters.
    normalize : {'file', 'training', 'none'}, default 'file'
        What waveforms are divided by before they reach the estimator: 'file', the root mean square
        of each, so that ``separate(c * x)`` is ``c * separate(x)``; 'training', that of all
        training waveforms together; or nothing.
    silence_threshold : float, default 0.001
        Frames with less energy than this share of the mean energy of a frame of their waveform are
        left out of training.
    sample_rate : int or None, default None
        In Hz. `separate_file` refuses files with another rate; None takes any.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    n_sources_ : int
        Number of parts that the estimator makes.
    level_ : float
        Root mean square of all training waveforms together.

    Notes
    -----
    With the spectra X of the mixture, Hann windows w and the level ℓ, the rows given to the
    estimator are V = (|X| / (ℓ √Σ w²))^power (the mean of |X| over channels, if several), of mean
    square 1 for power 1. From its parts P_s the mask P_s / Σ_r P_r follows, equal shares where all
    are zero. It is applied to every channel. Parts sum to the mixture: the last is the rest.

    **Streams.** A stream has no level of its own before it ends. `separate_stream` therefore uses
    `level_` unless a level is given, also with ``normalize='file'``. `separate_file` measures the
    file first, so that it gives what `separate` gives.

    If the estimator separates each row by itself, streams give what `separate` gives, to rounding;
    if it iterates to a tolerance, to that tolerance (`anmf.NMF_separation`: 1e-3 of the peak).

    **Sparsity.** `alpha_H` of `anmf.NMF_separation` is worth tuning, as ``estimator__alpha_H``: its
    default helps speech in coloured noise, and harms a harmonic voice in white noise, whose part
    then takes much of the voice.

    **Strong supervision.** For true parts with spectra S_s, the estimator gets y = V · r_s / |X|
    with the magnitudes in phase with the mixture r_s = clip(|S_s| cos(∠S_s − ∠X), 0, |X|), scaled
    down to sum to at most |X| (`anmf.audio.targets.phase_sensitive_shares`).

    References
    ----------
    Erdogan, Hershey, Watanabe and Le Roux, "Phase-sensitive and recognition-boosted speech
    separation using deep recurrent neural networks", ICASSP 2015. Le Roux and Vincent, "Consistent
    Wiener filtering for audio source separation", IEEE Signal Processing Letters 20(3), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf import AudioSeparator, NMF_separation
    >>> t = np.arange(8000) / 8000
    >>> low, high = np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 1500 * t)
    >>> model = AudioSeparator(NMF_separation(1, random_state=0), n_fft=256)
    >>> parts = model.fit([low, high], [0, 1]).separate(low + high)
    >>> parts.shape
    (8000, 2)
    >>> model.score(low + high, np.stack([low, high], axis=1)) > 20
    True
    """

    def __init__(self, estimator: Any, *, n_fft: int = 1024, hop_length: int | None = None,
                 window: Window = "hann", power: float = 1.0, normalize: str = "file",
                 silence_threshold: float = 1e-3,
                 sample_rate: int | None = None) -> None:  # fmt: skip
        self.estimator = estimator
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window = window
        self.power = power
        self.normalize = normalize
        self.silence_threshold = silence_threshold
        self.sample_rate = sample_rate

    def fit(
        self,
        waveforms: ArrayLike | Sequence[ArrayLike] | None,
        y: ArrayLike | Sequence[ArrayLike | None] | None = None,
    ) -> Self:
        """Train a clone of the estimator on the spectra of waveforms.

        Parameters
        ----------
        waveforms : array-like of shape (n_times,) or (n_times, n_channels), list of these, or None
            Recordings to learn from, floats; None for the sums of the parts in `y`.
        y : sequence of int, array (n_times, n_sources[, n_channels]) or list of these, default None
            Weak supervision: the source of each waveform, −1 for a mixture. Strong: the true parts
            of each waveform, with None for those that are unknown. Nothing, if the estimator needs
            nothing.

        Returns
        -------
        self
            With the fitted ``estimator_``.

        Raises
        ------
        ValueError
            For bad waveforms or parameters, silence, or a `y` that doesn't fit; and whatever the
            estimator raises.
        """
        self._check_parameters()
        examples, labels, parts = read_examples(waveforms, y)
        energy = sum(np.square(x, dtype=np.float64).sum() for x in examples)
        self.level_ = float(np.sqrt(energy / sum(x.size for x in examples)))
        rows, kept = zip(*(self._training_rows(x) for x in examples), strict=True)
        for i, frames in enumerate(kept):
            if not frames.any() and y is not None:
                raise ValueError(f"waveforms[{i}] is silent throughout; leave it out")
        sounding = zip(rows, kept, strict=True)
        X = np.concatenate([V if frames.all() else V[frames] for V, frames in sounding])
        if not len(X):
            raise ValueError("waveforms are silent throughout; expected something to learn from")
        target: tuple = ()
        if labels is not None:
            target = (np.repeat(labels, [frames.sum() for frames in kept]),)
        elif parts is not None:
            target = (self._true_rows(examples, parts, rows, kept),)
        del rows  # a copy of X
        self.estimator_ = clone(self.estimator).fit(X, *target)
        self.n_sources_ = self._shares(X[:1]).shape[1]
        return self

    def rows(self, x: ArrayLike) -> np.ndarray:
        """What the estimator is given of a waveform in training.

        Parameters
        ----------
        x : array-like of float, shape (n_times,) or (n_times, n_channels)
            A recording.

        Returns
        -------
        ndarray of shape (n_frames, n_fft // 2 + 1)
            Rows of all frames that aren't silent.
        """
        self._check_parameters()
        V, kept = self._training_rows(check_waveform(x))
        return V[kept]

    def separate(
        self, x: ArrayLike | Sequence[ArrayLike], *, level: float | None = None
    ) -> np.ndarray | list[np.ndarray]:
        """Parts of mixtures.

        Parameters
        ----------
        x : array-like of float, shape (n_times,) or (n_times, n_channels), or list of these
            Recordings; channels are separated with the same masks.
        level : float or None, default None
            Divide by this instead of what `normalize` says.

        Returns
        -------
        ndarray of shape (n_times, n_sources) or (n_times, n_sources, n_channels), or list of these
            They sum to `x`.

        Raises
        ------
        ValueError
            For integers, NaN or infinity, empty waveforms, or channels before times.
        """
        check_is_fitted(self)
        self._check_level(level)
        if isinstance(x, (list, tuple)):
            x = [check_waveform(one, f"x[{i}]") for i, one in enumerate(x)]
            return [self._separate(one, level) for one in x]
        return self._separate(check_waveform(x), level)

    def separate_stream(
        self, blocks: Iterable[ArrayLike], *, level: float | None = None
    ) -> Iterator[np.ndarray]:
        """Parts of a mixture that comes in blocks, in constant memory.

        Parts come out less than `n_fft` samples after their mixture went in. Where the estimator
        separates every row by itself, they are those that ``separate(x, level=level)`` gives for
        the whole waveform.

        Parameters
        ----------
        blocks : iterable of array-like of float, shape (n,) or (n, n_channels)
            Consecutive pieces of any lengths.
        level : float or None, default None
            What the samples are divided by: about the root mean square of the whole. None for
            that of the training waveforms (nothing, for ``normalize='none'``).

        Returns
        -------
        iterator of ndarray of shape (n, n_sources) or (n, n_sources, n_channels)
            Lengths differ from those of the blocks, but sum to the same.
        """
        check_is_fitted(self)
        self._check_level(level)
        if level is None:
            level = 1.0 if self.normalize == "none" else self.level_
        return separate_blocks(
            blocks, lambda Z: self._shares(self._rows(Z, level)),
            n_fft=self.n_fft, hop_length=self.hop_length, window=self.window,
        )  # fmt: skip

    def separate_file(
        self,
        path: PathLike,
        outputs: Sequence[PathLike],
        *,
        level: float | None = None,
        subtype: str | None = None,
        overwrite: bool = False,
        block_size: int = 65536,
    ) -> None:
        """Separate a file into one file a source, in constant memory; all are written or none.

        Parameters
        ----------
        path : path
            The mixture, a file that `anmf.audio.read_audio` reads.
        outputs : sequence of path, n_sources of them
            Files to write, as in `anmf.audio.write_audio`.
        level : float or None, default None
            As in `separate`; the file is read twice if its own level is needed.
        subtype : str or None, default None
            Sample format of the outputs; None for the usual one of their endings.
        overwrite : bool, default False
            Whether files of these names may be replaced.
        block_size : int, default 65536
            Samples read at once.

        Raises
        ------
        FileNotFoundError, FileExistsError, ValueError, OSError
            As in `anmf.audio.read_audio` and `anmf.audio.write_audio`; and if the file has another
            sampling rate than `sample_rate`, or `outputs` aren't one different file a source.
        """
        check_is_fitted(self)
        self._check_level(level)
        info = audio_info(path)
        self._check_file(path, info, outputs)
        if level is None and self.normalize == "file":
            level = _level_of_file(path, block_size)
        with ExitStack() as stack:
            writers = [
                AudioWriter(output, info.sample_rate, info.n_channels, subtype, overwrite)
                for output in outputs
            ]
            writers = [stack.enter_context(writer) for writer in writers]
            for parts in self.separate_stream(read_blocks(path, block_size), level=level):
                for s, writer in enumerate(writers):
                    writer.write(parts[:, s])
            for writer in writers:
                writer.finish()

    def score(
        self,
        waveforms: ArrayLike | Sequence[ArrayLike],
        references: ArrayLike | Sequence[ArrayLike],
        metric: str = "si_sdr",
    ) -> float:
        """Mean quality of the separated parts in dB, higher is better.

        Parameters
        ----------
        waveforms : array-like of float, shape (n_times,) or (n_times, n_channels), or list of these
            Mixtures.
        references : array-like of shape (n_times, n_sources[, n_channels]), or list of these
            Their true parts, in the order of the sources.
        metric : str, default 'si_sdr'
            A name of `anmf.metrics.METRICS`.

        Returns
        -------
        float
            Mean over waveforms, of the mean over parts; parts that are zero don't count.
        """
        return score_waveforms(self.separate, waveforms, references, metric)

    def _separate(self, x, level):
        if level is None:
            file_level = level_of(x) if self.normalize == "file" else 1.0
            level = self.level_ if self.normalize == "training" else file_level
        Z = self._spectra(x)
        share = np.moveaxis(self._shares(self._rows(Z, level))[:, :-1], 1, 0)
        frames = (self.n_fft, self.hop_length, self.window)
        known = istft(share[:, None] * Z, *frames, n_times=len(x)) if len(share) else np.zeros(0)
        known = known.reshape(len(share), len(Z), len(x))
        mixture = np.atleast_2d(x.T)
        parts = np.concatenate([known, (mixture - known.sum(axis=0))[None]]).astype(x.dtype)
        return np.ascontiguousarray(parts[:, 0].T if x.ndim == 1 else np.moveaxis(parts, -1, 0))

    def _spectra(self, x):
        """Spectra (n_channels, n_frames, n_frequencies) of (n_times,) or (n_times, n_channels)."""
        return stft(np.atleast_2d(x.T), self.n_fft, self.hop_length, self.window)

    def _rows(self, Z, level):
        """What the estimator sees of spectra (n_channels, n_frames, n_frequencies)."""
        window = check_frames(self.n_fft, self.hop_length, self.window)[2]
        size = np.abs(Z).mean(axis=0) / ((level or 1.0) * float(np.linalg.norm(window)))
        return np.ascontiguousarray(size if self.power == 1 else size**self.power)

    def _shares(self, V):
        """Share of each source (n_frames, n_sources, n_frequencies) in rows (n_frames, ...)."""
        parts = np.asarray(self.estimator_.separate(V))
        if parts.ndim != 3 or (parts.shape[0], parts.shape[2]) != V.shape:
            raise ValueError(
                f"estimator={type(self.estimator).__name__} separates rows {V.shape} into parts "
                f"{parts.shape}; expected ({V.shape[0]}, n_sources, {V.shape[1]})"
            )
        return wiener(np.ones_like(V), np.maximum(parts, 0))

    def _training_rows(self, x):
        """Rows of a waveform, and which of them aren't silent."""
        level = self.level_ if self.normalize == "training" else 1.0
        level = level_of(x) if self.normalize == "file" else level
        V = self._rows(self._spectra(x), level)
        energy = np.sum(V ** (2 / self.power), axis=1, dtype=np.float64)
        return V, (energy > 0) & (energy >= self.silence_threshold * energy.mean())

    def _true_rows(self, waveforms, parts, rows, kept):
        """True parts (n, n_sources, m) of the rows that are kept, NaN where they are unknown."""
        n_sources = next(part.shape[1] for part in parts if part is not None)
        targets = []
        for x, part, V, frames in zip(waveforms, parts, rows, kept, strict=True):
            if part is None:
                targets.append(np.full((frames.sum(), n_sources, V.shape[1]), np.nan, V.dtype))
                continue
            S = np.moveaxis(part, 0, -1).astype(x.dtype, copy=False)
            S = stft(S, self.n_fft, self.hop_length, self.window)
            shares = phase_sensitive_shares(self._spectra(x), S)
            targets.append(shares[frames] * V[frames, None])
        return np.concatenate(targets)

    def _check_parameters(self):
        for method in ("fit", "separate"):
            if isinstance(self.estimator, type) or not hasattr(self.estimator, method):
                raise ValueError(
                    f"estimator={self.estimator!r} must be an estimator with fit and separate, "
                    "such as anmf.NMF_separation()"
                )
        check_frames(self.n_fft, self.hop_length, self.window)
        check_real("power", self.power, minimum=1e-3)
        check_real("silence_threshold", self.silence_threshold, maximum=1.0)
        check_choice("normalize", self.normalize, NORMALIZATIONS)
        check_count("sample_rate", self.sample_rate, optional=True)

    @staticmethod
    def _check_level(level):
        if level is not None:
            check_real("level", level, minimum=np.finfo(np.float32).tiny)

    def _check_file(self, path, info, outputs):
        if isinstance(outputs, (str, bytes)) or len(set(map(str, outputs))) != self.n_sources_:
            raise ValueError(
                f"outputs={outputs!r} must be {self.n_sources_} different paths, one a source"
            )
        if self.sample_rate not in (None, info.sample_rate):
            raise ValueError(
                f"{path} has {info.sample_rate} Hz, and sample_rate={self.sample_rate}; resample "
                "it: read_audio(path, sample_rate=...), write_audio(...)"
            )


def _level_of_file(path, block_size):
    """`level_of` a file, block by block."""
    energy, size = 0.0, 0
    for block in read_blocks(path, block_size):
        energy += float(np.square(block, dtype=np.float64).sum())
        size += block.size
    return float(np.sqrt(energy / size))


def score_waveforms(separate, waveforms, references, metric):
    """Mean quality of separated waveforms in dB; see `AudioSeparator.score`.

    Parameters
    ----------
    separate : callable
        Maps a list of waveforms to the list of their parts.
    waveforms, references, metric
        As in `AudioSeparator.score`.

    Returns
    -------
    float
    """
    check_choice("metric", metric, METRICS)
    several = isinstance(waveforms, (list, tuple))
    parts = separate(list(waveforms) if several else [waveforms])
    references = list(references) if several else [references]
    if list(map(np.shape, references)) != [part.shape for part in parts]:
        raise ValueError(
            f"references have shapes {list(map(np.shape, references))}; expected the true "
            f"parts of every waveform: {[part.shape for part in parts]}"
        )
    time_last = [
        [np.moveaxis(np.asarray(array), 0, -1) for array in pair]
        for pair in zip(references, parts, strict=True)
    ]
    scores = np.array([mean_score(metric, *pair) for pair in time_last])
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float("nan")
