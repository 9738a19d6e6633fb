"""What ``anmf separate`` does with one recording."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from anmf.audio import AudioInfo, read_audio, write_audio
from anmf.audio.waveforms import level_of

WINDOW = 0.256
"""Seconds that a window spans, about: long enough for the echoes of a room."""

LEAST_N_FFT = 16

CLIPPED_SHARE = 1e-3
"""Share of the samples of a channel at full scale from which a recording counts as clipped."""

SHORT = 4
"""Recordings of less than this many times the least length get a note."""

FULL_SCALE = 0.99
"""Size of samples from which they may be clipped ones."""

_KEPT = {
    ".wav": {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"},
    ".flac": {"PCM_S8", "PCM_16", "PCM_24"},
    ".ogg": {"VORBIS", "OPUS"},
}
"""Sample formats that outputs of each ending take from their input."""

_DOUBLE = ("DOUBLE", "PCM_32")
"""Sample formats that float32 doesn't hold exactly."""


@dataclass(frozen=True)
class Settings:
    """How files are separated.

    Attributes
    ----------
    parameters : dict
        Of `anmf.AuxIVA`, those that are the same for all files; None stands for its default.
    n_sources, n_fft : int or None
        None: one a channel; by the sampling rate.
    reference : int
        Channel whose scale the outputs have, counted from 1.
    images : bool
        Whether outputs have all channels.
    force : bool
        Whether outputs may be replaced.
    """

    parameters: dict
    n_sources: int | None = None
    n_fft: int | None = None
    reference: int = 1
    images: bool = False
    force: bool = False


@dataclass(frozen=True)
class Job:
    """One file to separate.

    Attributes
    ----------
    path : Path
    info : AudioInfo or None
        None if it can't be read.
    outputs : tuple of Path (n_sources,)
        Empty if it can't be separated.
    failure : str or None
        Why not.
    source : Path or None
        The file, wherever a process was started.
    note : str or None
        What to expect of the result.
    """

    path: Path
    info: AudioInfo | None
    outputs: tuple = ()
    failure: str | None = None
    source: Path | None = None
    note: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    n_iter : int
        Iterations done.
    levels : tuple of float (n_sources,)
        Of the sources at the reference microphone, in dB relative to full scale.
    clipped_share : float
        Of the samples of the input channel where it is largest.
    n_clipped : tuple of int (n_sources,)
        Samples of the outputs that were beyond full scale.
    failure : str or None
    """

    n_iter: int = 0
    levels: tuple = ()
    clipped_share: float = 0.0
    n_clipped: tuple = ()
    failure: str | None = None

    @property
    def status(self):
        """'ok', 'clipped' or 'failed'."""
        if self.failure is not None:
            return "failed"
        return "clipped" if self.clipped_share > CLIPPED_SHARE else "ok"


def check_header(info, settings):
    """Raise ValueError for files of too few channels or samples.

    Parameters
    ----------
    info : AudioInfo
    settings : Settings
    """
    n = info.n_channels
    if n == 1:
        raise ValueError(
            "is mono; expected a recording of two or more microphones, one a channel (for speech "
            "out of noise, try: anmf denoise)"
        )
    if n < (settings.n_sources or 0):
        raise ValueError(
            f"has {n} channels, fewer than --sources {settings.n_sources}; ask for at most {n}"
        )
    if n < settings.reference:
        raise ValueError(f"has {n} channels, and no --reference {settings.reference}")
    least = least_times(info, settings)
    if info.n_times < least:
        raise ValueError(
            f"is too short: {info.duration:.3g} s; expected at least {least / info.sample_rate:.3g}"
            f" s, for {n} channels {n} windows of {least // n} samples: use a longer recording, or "
            "a smaller --n-fft"
        )


def least_times(info, settings):
    """Samples that a file needs: as many windows, side by side, as it has channels.

    With fewer the filters of a frequency fit whatever was recorded. Two voices in a room gain
    nothing from half a second (two windows), 1.6 dB from one and 3.6 dB from two seconds, mean over
    eight recordings (20 iterations of ISS).
    """
    return info.n_channels * (settings.n_fft or usual_n_fft(info.sample_rate))


def usual_n_fft(sample_rate):
    """Power of two nearest to `WINDOW` seconds.

    Examples
    --------
    >>> usual_n_fft(16000), usual_n_fft(44100)
    (4096, 8192)
    """
    return max(LEAST_N_FFT, 2 ** round(np.log2(WINDOW * sample_rate)))


def separate_file(job, settings, n_threads, place):
    """Separate a file into files of the names of its outputs, in another folder.

    Parameters
    ----------
    job : Job
    settings : Settings
    n_threads : int or None
    place : Path
        The folder; is made.

    Returns
    -------
    Outcome
    """
    from anmf import AuxIVA
    from anmf.iva import load_surrogate

    info, reference = job.info, settings.reference - 1
    x, _ = read_audio(job.source, dtype="float64" if info.subtype in _DOUBLE else "float32")
    check_sound(x, settings)
    n_fft = settings.n_fft or usual_n_fft(info.sample_rate)
    parameters = {name: value for name, value in settings.parameters.items() if value is not None}
    if parameters.get("source_model") == "surrogate":
        parameters["source_model"] = load_surrogate().adapted(info.sample_rate, n_fft)
    model = AuxIVA(
        len(job.outputs), n_fft=n_fft, reference_channel=reference, random_state=0,
        n_threads=n_threads, **parameters,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the user said how many iterations
        model.fit(x)
        parts = model.separate(x) if settings.images else model.transform(x)[:, :, None]
    heard = parts[:, :, reference if settings.images else 0]
    place.mkdir()
    clipped = [
        _write(place / output.name, parts[:, s], info) for s, output in enumerate(job.outputs)
    ]
    levels = tuple(_decibels(level_of(source)) for source in heard.T)
    return Outcome(int(model.n_iter_), levels, clipped_share(x), tuple(clipped))


def check_sound(x, settings):
    """Raise ValueError for samples (n_times, n_channels) that there is nothing to take from."""
    live = np.any(x, axis=0)
    if not live.any():
        raise ValueError("is silent: all samples are zero; check the recording")
    if not settings.images and not live[settings.reference - 1]:
        others = ", ".join(str(c + 1) for c in np.flatnonzero(live))
        raise ValueError(
            f"is silent in channel {settings.reference}, whose scale the outputs would have; "
            f"choose --reference from {others}, or --images"
        )


def clipped_share(x):
    """Share of the samples of a channel that are clipped, where it is largest.

    These are the largest and the smallest of a channel, if they are at full scale and follow one
    another.

    Parameters
    ----------
    x : ndarray (n_times, n_channels)

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]]).T
    >>> clipped_share(x), clipped_share(x / 2)
    (0.75, 0.0)
    """
    high, low = x.max(axis=0), x.min(axis=0)
    limit = ((x == high) & (high > FULL_SCALE)) | ((x == low) & (low < -FULL_SCALE))
    pairs = limit[1:] & limit[:-1]
    runs = np.zeros_like(limit)
    runs[1:] |= pairs
    runs[:-1] |= pairs
    return float(runs.mean(axis=0).max())


def _write(path, x, info):
    """Write samples in the format of a file; how many were clipped for it."""
    kept = info.subtype if info.subtype in _KEPT[path.suffix.lower()] else None
    n_clipped = 0
    if path.suffix.lower() != ".wav" or kept not in (None, "FLOAT", "DOUBLE"):
        n_clipped = int((np.abs(x) > 1).sum())
        x = np.clip(x, -1, 1)
    write_audio(path, x, info.sample_rate, kept)
    return n_clipped


def _decibels(level):
    return 20 * float(np.log10(level)) if level else -np.inf
