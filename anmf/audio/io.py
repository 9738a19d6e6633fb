"""Read audio files: whole, in blocks, or only what they are."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anmf._core.checks import check_choice, check_count
from anmf._core.types import PathLike

SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".ogg", ".wav")
"""Endings of the files that `find_audio` lists; reading goes by content."""

_UNKNOWN_LENGTH = 0x7FFF0000
"""Programs that write to a pipe claim at least so many bytes of data in the header of a .wav."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file tells.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_times : int
        Samples a channel.
    n_channels : int
        Channels, one a microphone or loudspeaker.
    format : str
        Such as 'WAV' or 'FLAC'.
    subtype : str
        Such as 'PCM_16' or 'FLOAT'.

    Examples
    --------
    >>> AudioInfo(16000, 24000, 2, "WAV", "PCM_16").duration
    1.5
    """

    sample_rate: int
    n_times: int
    n_channels: int
    format: str
    subtype: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_times / self.sample_rate


def audio_info(path: PathLike) -> AudioInfo:
    """Sampling rate, length and format of an audio file, from its header alone.

    Parameters
    ----------
    path : path
        A file that libsndfile reads: WAV, FLAC, OGG, MP3, AIFF.

    Returns
    -------
    AudioInfo
        With ``sample_rate``, ``n_times``, ``n_channels``, ``format``, ``subtype``, ``duration``.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `read_audio`.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import audio_info, write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(f"{folder}/silence.wav", np.zeros((4000, 2)), 8000)
    ...     info = audio_info(f"{folder}/silence.wav")
    >>> info.sample_rate, info.n_channels, info.duration
    (8000, 2, 0.5)
    """
    with _opened(path) as file:
        return AudioInfo(file.samplerate, file.frames, file.channels, file.format, file.subtype)


def read_audio(
    path: PathLike, sample_rate: int | None = None, mono: bool = False, dtype: str = "float32"
) -> tuple[np.ndarray, int]:
    """Read an audio file.

    Parameters
    ----------
    path : path
        A file that libsndfile reads: WAV, FLAC, OGG, MP3, AIFF.
    sample_rate : int or None, default None
        Resample to so many Hz (band-limited, by soxr); None keeps the rate of the file.
    mono : bool, default False
        Whether to average the channels.
    dtype : {'float32', 'float64'}, default 'float32'
        Type of the samples.

    Returns
    -------
    x : ndarray of shape (n_times,) or (n_times, n_channels)
        Samples with full scale 1; one axis if there is one channel.
    sample_rate : int
        In Hz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, damaged, cut short or no audio, holds NaN or infinity, or an option is bad.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import read_audio, write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(f"{folder}/tone.wav", np.sin(np.arange(8000) / 5), 8000)
    ...     x, sample_rate = read_audio(f"{folder}/tone.wav", sample_rate=16000)
    >>> x.shape, sample_rate
    ((16000,), 16000)
    """
    check_count("sample_rate", sample_rate, optional=True)
    check_choice("dtype", dtype, ("float32", "float64"))
    with _opened(path) as file:
        rate, expected = file.samplerate, file.frames
        x = _shaped(file.read(dtype=dtype, always_2d=True), mono, path)
    _check_complete(path, len(x), expected)
    if sample_rate is None or sample_rate == rate:
        return x, rate
    from librosa import resample

    x = resample(x, orig_sr=rate, target_sr=sample_rate, axis=0, res_type="soxr_hq")
    return np.ascontiguousarray(x), int(sample_rate)


def read_blocks(
    path: PathLike, block_size: int = 65536, mono: bool = False, dtype: str = "float32"
) -> Iterator[np.ndarray]:
    """Read an audio file piece by piece, in constant memory.

    Parameters
    ----------
    path : path
        A file that libsndfile reads: WAV, FLAC, OGG, MP3, AIFF.
    block_size : int, default 65536
        Samples (a channel) in a block; the last block may be shorter.
    mono : bool, default False
        Whether to average the channels.
    dtype : {'float32', 'float64'}, default 'float32'
        Type of the samples.

    Returns
    -------
    iterator of ndarray of shape (n,) or (n, n_channels)
        Consecutive pieces, at the sampling rate of the file (see `audio_info`).

    Raises
    ------
    FileNotFoundError, ValueError
        As in `read_audio`: at once for what the header tells, on the way for damage further on.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import read_blocks, write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(f"{folder}/silence.wav", np.zeros(1000), 8000)
    ...     [len(block) for block in read_blocks(f"{folder}/silence.wav", block_size=400)]
    [400, 400, 200]
    """
    check_count("block_size", block_size)
    check_choice("dtype", dtype, ("float32", "float64"))
    audio_info(path)
    return _blocks(path, block_size, mono, dtype)


def find_audio(folder: PathLike, recursive: bool = True) -> list[Path]:
    """Audio files in a folder, sorted by path.

    Parameters
    ----------
    folder : path
        Where to look.
    recursive : bool, default True
        Whether folders inside count too.

    Returns
    -------
    list of Path
        Files whose names end in one of `SUFFIXES`; hidden files are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it isn't a folder, or holds no audio.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from anmf.audio import find_audio, write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.wav", "a.flac"):
    ...         write_audio(f"{folder}/{name}", np.zeros(100), 8000)
    ...     [path.name for path in find_audio(folder)]
    ['a.flac', 'b.wav']
    """
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"folder={str(folder)!r} does not exist; check the path")
    if not folder.is_dir():
        raise ValueError(f"folder={str(folder)!r} is a file; expected a folder that holds audio")
    paths = folder.rglob("*") if recursive else folder.iterdir()
    found = sorted(
        path
        for path in paths
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise ValueError(
            f"folder={str(folder)!r} holds no audio; expected files that end in "
            f"{', '.join(SUFFIXES)}" + ("" if recursive else ", or use recursive=True")
        )
    return found


def _blocks(path, block_size, mono, dtype):
    n_times = 0
    with _opened(path) as file:
        expected = file.frames
        while len(block := file.read(block_size, dtype=dtype, always_2d=True)):
            n_times += len(block)
            yield _shaped(block, mono, path)
    _check_complete(path, n_times, expected)


def _shaped(x, mono, path):
    """Checked samples, averaged over channels if `mono`; (n,) if there is one channel."""
    if not np.isfinite(x).all():
        raise ValueError(f"{path} holds NaN or infinity; repair the recording, or export it again")
    x = x.mean(axis=1) if mono else x
    return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x


@contextmanager
def _opened(path):
    """An open sound file; all that can be wrong with it becomes an error that says so."""
    import soundfile

    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"path={str(path)!r} does not exist; check the path")
    if not path.is_file():
        raise ValueError(f"path={str(path)!r} is no file; list a folder with find_audio(folder)")
    if not path.stat().st_size:
        raise ValueError(f"path={str(path)!r} is an empty file; fetch or export it again")
    try:
        with soundfile.SoundFile(path) as file:
            _check_header(path, file)
            yield file
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(
            f"path={str(path)!r} is no audio file, or it is damaged ({error}); expected WAV, FLAC, "
            "OGG, MP3 or AIFF: export it again, or convert it with another program"
        ) from error


def _check_header(path, file):
    if not file.frames:
        raise ValueError(f"path={str(path)!r} holds no samples; fetch or export it again")
    claim = re.search(r"data : (\d+) \(should be (\d+)\)", file.extra_info)
    if claim and int(claim[2]) < int(claim[1]) < _UNKNOWN_LENGTH:
        raise ValueError(
            f"path={str(path)!r} is cut short: {claim[2]} of {claim[1]} bytes are there; fetch or "
            "export it again"
        )


def _check_complete(path, n_times, expected):
    if n_times != expected:
        raise ValueError(
            f"path={str(path)!r} is damaged: {n_times} of {expected} samples could be read; fetch "
            "or export it again"
        )
