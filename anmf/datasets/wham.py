"""Recordings of noise: the WHAM! noise corpus, or any folder of sound files."""

from pathlib import Path

from sklearn.utils import Bunch
from tqdm.auto import tqdm

from anmf._core.checks import check_choice, check_real
from anmf.datasets._clips import (
    CHANNELS,
    AudioClips,
    check_folder,
    one_rate,
    read_header,
    visible,
)

SOURCE = "get the WHAM! noise (wham_noise.zip) from http://wham.whisper.ai and unpack it there"
SPLITS = ("tr", "cv", "tt")
SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".ogg", ".wav")


def load_wham(
    root: str | Path,
    split: str,
    *,
    channel: str = "left",
    min_seconds: float | None = None,
    verbose: int = 0,
) -> Bunch:
    """Noise of the WHAM! corpus: cafés, restaurants, bars; read when it is asked for.

    Files lie in ``<root>/wham_noise/<split>/*.wav``, as the archive unpacks; `root` may also be
    the folder ``wham_noise`` itself. They are stereo at 16 kHz, from two microphones. The published
    single-channel mixtures take the left channel, as is done here; the mean of both would cancel
    what reaches the two microphones out of phase.

    Parameters
    ----------
    root : str or path
        Folder that holds ``wham_noise``, or ``wham_noise`` itself.
    split : {'tr', 'cv', 'tt'}
        Training, validation, test.
    channel : {'left', 'right', 'mean'}, default 'left'
        What is taken of the two channels.
    min_seconds : float or None, default None
        Shorter clips are left out.
    verbose : int, default 0
        Above 0, a progress bar.

    Returns
    -------
    sklearn.utils.Bunch
        As `load_noise` returns it.

    Raises
    ------
    FileNotFoundError
        When the folder isn't there or holds no sound.
    ValueError
        For an unknown split, or as `load_noise` does.

    References
    ----------
    Wichern, Antognini, Flynn, Zhu, McQuinn, Crow, Manilow and Le Roux, "WHAM!: extending speech
    separation to noisy environments", Interspeech 2019. Licence CC BY-NC 4.0.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import soundfile
    >>> from anmf.datasets import load_wham
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root, "wham_noise", "tt")
    ...     folder.mkdir(parents=True)
    ...     soundfile.write(folder / "050a0501_1.7783.wav", np.full((8000, 2), [0.5, -0.5]), 16000)
    ...     noise = load_wham(root, "tt")
    ...     noise.clips, float(noise.clips[0].max())
    (<1 clips, 0.5 s at 16000 Hz>, 0.5)
    """
    check_choice("split", split, SPLITS)
    root = check_folder("root", root, SOURCE)
    base = root / "wham_noise" if (root / "wham_noise").is_dir() else root
    if not (base / split).is_dir():
        raise FileNotFoundError(
            f"split={split!r} has no folder: looked for {root / 'wham_noise' / split} and "
            f"{root / split}; {SOURCE}"
        )
    return _load(base / split, channel, min_seconds, verbose, SOURCE)


def load_noise(
    folder: str | Path, *, channel: str = "left", min_seconds: float | None = None, verbose: int = 0
) -> Bunch:
    """Sound files of a folder and of the folders in it, read when they are asked for.

    Parameters
    ----------
    folder : str or path
        Holds .wav, .flac, .ogg, .mp3 or .aiff files of one sample rate.
    channel : {'left', 'right', 'mean'}, default 'left'
        What is taken of files with more than one channel.
    min_seconds : float or None, default None
        Shorter clips are left out.
    verbose : int, default 0
        Above 0, a progress bar.

    Returns
    -------
    sklearn.utils.Bunch
        clips : sequence of ndarray of shape (n_times,)
            ``clips[i]`` reads file i, float32 in [-1, 1]; slices stay unread.
        seconds : ndarray of shape (n_clips,)
            Length of each clip.
        paths : list of Path (n_clips,)
            In alphabetic order.
        sample_rate : int
            In Hz.

    Raises
    ------
    FileNotFoundError
        When the folder isn't there or holds no sound files.
    ValueError
        For an unknown `channel`, for clips that are all too short, for sample rates that differ,
        or for files that can't be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import soundfile
    >>> from anmf.datasets import load_noise, make_noise
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rain = make_noise(1.5, "rain", random_state=0)
    ...     soundfile.write(Path(folder, "rain.wav"), rain, 16000)
    ...     noise = load_noise(folder)
    ...     noise.clips[0].shape, noise.sample_rate, noise.seconds.tolist()
    ((24000,), 16000, [1.5])
    """
    remedy = "name the folder that holds your recordings"
    return _load(check_folder("folder", folder, remedy), channel, min_seconds, verbose, remedy)


def _load(folder, channel, min_seconds, verbose, remedy):
    check_choice("channel", channel, CHANNELS)
    if min_seconds is not None:
        check_real("min_seconds", min_seconds)
    files = visible(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        kinds = ", ".join(SUFFIXES)
        raise FileNotFoundError(f"{folder} holds no sound files ({kinds}); {remedy}")
    bar = tqdm(files, desc=f"list {folder.name}", unit="file", disable=not verbose, leave=False)
    headers = [read_header(path) for path in bar]
    rate = one_rate(files, [header[1] for header in headers])
    long_enough = [
        (path, n_times)
        for path, (n_times, _) in zip(files, headers, strict=True)
        if n_times >= (min_seconds or 0) * rate
    ]
    if not long_enough:
        raise ValueError(
            f"min_seconds={min_seconds!r} leaves none of the {len(files)} clips in {folder}; the "
            f"longest has {max(headers)[0] / rate:.3g} s"
        )
    clips = AudioClips(*zip(*long_enough, strict=True), rate, channel)
    return Bunch(
        clips=clips,
        seconds=clips.n_times / rate,
        paths=clips.paths,
        sample_rate=rate,
    )
