"""Write audio files, whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.checks import check_count
from anmf._core.types import PathLike
from anmf.audio.waveforms import check_block, check_waveform

FORMATS = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_24"), ".ogg": ("OGG", "VORBIS")}
"""Format and usual subtype of each ending."""

_UNBOUNDED = ("FLOAT", "DOUBLE")
_FULL_SCALE = 1 + 2**-15
"""Largest sample of bounded subtypes: 1, and a step of 16 bits for rounding."""


def write_audio(
    path: PathLike,
    x: ArrayLike,
    sample_rate: int,
    subtype: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a waveform to a file: under a temporary name beside it, which is then renamed.

    Parameters
    ----------
    path : path
        Ends in .wav, .flac or .ogg, which chooses the format. Its folder must exist.
    x : array-like of float, shape (n_times,) or (n_times, n_channels)
        Samples; full scale is 1.
    sample_rate : int
        In Hz.
    subtype : str or None, default None
        A name of `soundfile.available_subtypes`; None for 'FLOAT' (.wav: float32 samples come back
        exactly, and none is too loud), 'PCM_24' (.flac) or 'VORBIS' (.ogg, lossy).
    overwrite : bool, default False
        Whether a file of that name may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    FileNotFoundError
        If the folder doesn't exist.
    OSError
        If the file can't be written completely; nothing is left behind then.
    ValueError
        For an unknown ending, subtype or rate, integers, NaN or infinity, and for samples beyond
        ±1 where the subtype isn't floating-point.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import audio_info, write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(f"{folder}/noise.flac", np.zeros((800, 2)), 8000)
    ...     audio_info(f"{folder}/noise.flac")
    AudioInfo(sample_rate=8000, n_times=800, n_channels=2, format='FLAC', subtype='PCM_24')
    """
    x = check_waveform(x)
    n_channels = 1 if x.ndim == 1 else x.shape[1]
    with AudioWriter(path, sample_rate, n_channels, subtype, overwrite) as writer:
        writer.write(x)


class AudioWriter:
    """Write an audio file block by block, in constant memory; a context manager.

    The file gets its name at the end of the ``with`` block. If that is left by an error, nothing
    is written.

    Parameters
    ----------
    path : path
        Ends in .wav, .flac or .ogg, which chooses the format. Its folder must exist.
    sample_rate : int
        In Hz.
    n_channels : int, default 1
        Channels of every block.
    subtype : str or None, default None
        A name of `soundfile.available_subtypes`; None as in `write_audio`.
    overwrite : bool, default False
        Whether a file of that name may be replaced.

    Raises
    ------
    FileExistsError, FileNotFoundError, ValueError
        As in `write_audio`, for what is wrong before there are samples.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import AudioWriter, audio_info
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with AudioWriter(f"{folder}/long.wav", 16000) as writer:
    ...         for _ in range(10):
    ...             writer.write(np.zeros(1600))
    ...     audio_info(f"{folder}/long.wav").duration
    1.0
    """

    def __init__(
        self,
        path: PathLike,
        sample_rate: int,
        n_channels: int = 1,
        subtype: str | None = None,
        overwrite: bool = False,
    ) -> None:
        check_count("sample_rate", sample_rate)
        check_count("n_channels", n_channels)
        self.path = Path(path).expanduser()
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.overwrite = overwrite
        self.format, self.subtype = _check_format(self.path, subtype)
        self._check_target()
        self.n_times = 0
        self._file: Any = None
        self._unfinished = self.path.with_name(f".{uuid4().hex}{self.path.suffix}")

    def __enter__(self) -> Self:
        import soundfile

        try:
            self._file = soundfile.SoundFile(
                self._unfinished, "w", int(self.sample_rate), int(self.n_channels), self.subtype,
                format=self.format,
            )  # fmt: skip
        except (soundfile.LibsndfileError, TypeError) as error:
            self._discard()
            raise _refusal(self, error) from error
        return self

    def write(self, block: ArrayLike) -> None:
        """Append samples.

        Parameters
        ----------
        block : array-like of float, shape (n,) or (n, n_channels)
            Samples of any number; full scale is 1.

        Raises
        ------
        OSError
            If the file can't be written completely.
        ValueError
            Outside of a ``with`` block, for integers, NaN or infinity, another number of channels,
            and for samples beyond ±1 where the subtype isn't floating-point.
        """
        if self._file is None:
            raise ValueError(f"{self.path} is not open; use `with AudioWriter(...) as writer:`")
        mono = self.n_channels == 1 and np.ndim(block) == 1
        block = check_block(block, 0 if mono else self.n_channels).T
        peak = float(np.abs(block).max(initial=0))
        if self.subtype not in _UNBOUNDED and peak > _FULL_SCALE:
            raise ValueError(
                f"samples reach {peak:.6g}, which subtype={self.subtype!r} would clip at 1; divide "
                "them by their peak, or write a .wav file with subtype='FLOAT'"
            )
        with _disk_errors(self.path):
            self._file.write(block)
        self.n_times += len(block)

    def finish(self) -> None:
        """Complete the file under its temporary name, and check that all of it is on the disk."""
        import soundfile

        if self._file is None:
            return
        if not self.n_times:
            raise ValueError(f"nothing was written to {self.path}; expected at least one sample")
        file, self._file = self._file, None
        with _disk_errors(self.path):
            file.close()
            with open(self._unfinished, "rb") as written:
                os.fsync(written.fileno())
            complete = soundfile.info(self._unfinished).frames == self.n_times
        if not complete:
            raise OSError(
                f"{self.path} could not be written completely; nothing was left behind. Free space "
                "on the disk; WAV files end at 4 GiB: write .flac instead"
            )

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.finish()
                self._check_target()
                os.replace(self._unfinished, self.path)
        finally:
            self._discard()

    def _discard(self):
        """Remove what is under the temporary name, if anything."""
        import soundfile

        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except soundfile.LibsndfileError:
            pass  # a full disk: the error that brought us here says so
        finally:
            self._unfinished.unlink(missing_ok=True)

    def _check_target(self):
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"path={str(self.path)!r}: its folder does not exist; make it first"
            )
        if self.path.is_dir() or (self.path.exists() and not self.overwrite):
            raise FileExistsError(
                f"path={str(self.path)!r} exists; choose another name or use overwrite=True"
            )


def _check_format(path, subtype):
    import soundfile

    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"path={str(path)!r} ends in {path.suffix!r}; expected one of {sorted(FORMATS)}"
        )
    form, usual = FORMATS[path.suffix.lower()]
    names = soundfile.available_subtypes(form)
    if subtype is not None and subtype not in names:
        raise ValueError(f"subtype={subtype!r} must be one of {sorted(names)} for {form} files")
    return form, subtype or usual


def _refusal(writer, error):
    """The error for a file that libsndfile won't open for writing."""
    if not os.access(writer.path.parent, os.W_OK):
        return PermissionError(f"path={str(writer.path)!r}: its folder can't be written to")
    return ValueError(
        f"sample_rate={writer.sample_rate} with n_channels={writer.n_channels} and subtype="
        f"{writer.subtype!r} is refused for {writer.format} files ({error}); write a .wav file"
    )


@contextmanager
def _disk_errors(path):
    import soundfile

    try:
        yield
    except (soundfile.LibsndfileError, AssertionError) as error:
        raise OSError(
            f"{path} could not be written ({error}); nothing was left behind. Is the disk full?"
        ) from error
