"""Sound files as a sequence of waveforms, each read when it is asked for."""

from collections.abc import Sequence
from operator import index
from pathlib import Path

import numpy as np

from anmf._core.checks import check_choice

CHANNELS = {
    "left": lambda samples: samples[:, 0],
    "right": lambda samples: samples[:, -1],
    "mean": lambda samples: samples.mean(axis=1),
}
"""How a file of several channels becomes mono; a mono file is all of them."""


class AudioClips(Sequence):
    """Sound files as a sequence of mono waveforms; ``clips[i]`` reads file i, and nothing is kept.

    Parameters
    ----------
    paths : sequence of path (n_clips,)
    n_times : sequence of int (n_clips,)
        Samples of each file.
    sample_rate : int
        In Hz, of all files.
    channel : {'left', 'right', 'mean'}
        What is taken of files with more than one channel.

    Attributes
    ----------
    paths : list of Path (n_clips,)
    n_times : ndarray of int (n_clips,)
    sample_rate : int
    channel : str

    Raises
    ------
    FileNotFoundError, ValueError
        From ``clips[i]``, when the file has gone or can't be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import soundfile
    >>> from anmf.datasets._clips import AudioClips
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "tone.wav")
    ...     soundfile.write(path, np.sin(np.arange(800)) / 2, 8000)
    ...     clips = AudioClips([path], [800], 8000)
    ...     clips[0].shape, clips[0].dtype.name
    ((800,), 'float32')
    """

    def __init__(self, paths, n_times, sample_rate, channel="left"):
        check_choice("channel", channel, CHANNELS)
        self.paths = [Path(path) for path in paths]
        self.n_times = np.asarray(n_times, dtype=np.int64)
        self.sample_rate = int(sample_rate)
        self.channel = channel

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        """Waveform (n_times,) of clip i as float32, or the clips of a slice, still unread."""
        if isinstance(i, slice):
            return AudioClips(self.paths[i], self.n_times[i], self.sample_rate, self.channel)
        samples = read_file(self.paths[index(i)])
        return np.ascontiguousarray(CHANNELS[self.channel](samples))

    def __repr__(self):
        seconds = self.n_times.sum() / self.sample_rate
        return f"<{len(self)} clips, {seconds:.1f} s at {self.sample_rate} Hz>"


def read_file(path):
    """Samples (n_times, n_channels) of a sound file as float32.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray (n_times, n_channels)

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, or it isn't sound.
    """
    return _open(path, lambda file: file.read(dtype="float32", always_2d=True))


def read_header(path):
    """Number of samples and sample rate (Hz) of a sound file, read without its samples.

    Parameters
    ----------
    path : path

    Returns
    -------
    n_times, sample_rate : int

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, or it isn't sound.
    """
    return _open(path, lambda file: (file.frames, file.samplerate))


def _open(path, take):
    import soundfile

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} isn't there any more; load the data again")
    try:
        with soundfile.SoundFile(path) as file:
            return take(file)
    except soundfile.SoundFileError as error:
        raise ValueError(
            f"{path} can't be read as sound ({error}); fetch that file again or take it away"
        ) from error


def one_rate(paths, rates):
    """The sample rate that all files share.

    Parameters
    ----------
    paths : sequence of path (n_clips,)
        At least one.
    rates : sequence of int (n_clips,)

    Returns
    -------
    int
        In Hz.

    Raises
    ------
    ValueError
        When they differ; it names a file of each rate.
    """
    first = {}
    for path, rate in zip(paths, rates, strict=True):
        first.setdefault(int(rate), path)
    if len(first) > 1:
        found = ", ".join(f"{rate} Hz ({first[rate]})" for rate in sorted(first))
        raise ValueError(
            f"the sample rates of the files differ: {found}; bring all to one rate, as with "
            "librosa.resample, or keep them in folders of their own"
        )
    return next(iter(first))


def check_folder(name: str, folder: str | Path, remedy: str) -> Path:
    """The folder as a Path, or a FileNotFoundError that ends with `remedy`."""
    if not isinstance(folder, str | Path) or not str(folder):
        raise ValueError(f"{name}={folder!r} must be the path of a folder")
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"{name}={str(folder)!r} isn't a folder; {remedy}")
    return path


def visible(paths):
    """Paths in order, without hidden files (macOS leaves ``._`` companions of sound files)."""
    return sorted(path for path in paths if not path.name.startswith("."))
