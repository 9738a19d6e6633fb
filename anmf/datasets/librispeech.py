"""LibriSpeech: read English speech of many speakers, from a folder as published."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from anmf._core.checks import check_count, check_real
from anmf.datasets._clips import AudioClips, check_folder, one_rate, read_header, visible

SOURCE = "get LibriSpeech from https://www.openslr.org/12 and unpack it there"
LAYOUT = "<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac"


def load_librispeech(
    root: str | Path,
    split: str,
    *,
    speakers: int | Sequence[str | int] | None = None,
    n_utterances: int | None = None,
    min_seconds: float | None = None,
    verbose: int = 0,
) -> Bunch:
    """Utterances of LibriSpeech, or of any corpus laid out like it, read when they are asked for.

    Files lie in ``<root>/<split>/<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac``, or in the
    same below ``<root>/LibriSpeech``, as https://www.openslr.org/12 unpacks. Only their headers
    are read here.

    Parameters
    ----------
    root : str or path
        Folder of the corpus, which holds the splits or ``LibriSpeech``.
    split : str
        Folder of the split, as ``'dev-clean'`` or ``'train-clean-100'``.
    speakers : int, sequence of (str or int) or None, default None
        Which speakers: their ids in the order wanted, or a number, which takes that many from the
        beginning of the list of ids in alphabetic order. All when not given.
    n_utterances : int or None, default None
        At most so many utterances of each speaker, the first in the order of their paths.
    min_seconds : float or None, default None
        Shorter utterances are left out, before `n_utterances` counts.
    verbose : int, default 0
        Above 0, a progress bar.

    Returns
    -------
    sklearn.utils.Bunch
        clips : sequence of ndarray of shape (n_times,)
            ``clips[i]`` reads utterance i, float32 in [-1, 1]; slices stay unread.
        speakers : ndarray of str, shape (n_clips,)
            Id of the speaker of each clip.
        seconds : ndarray of shape (n_clips,)
            Length of each clip.
        paths : list of Path (n_clips,)
            File of each clip.
        sample_rate : int
            In Hz, 16000 as published.
        transcripts : list of (str or None) (n_clips,), or None
            What is said, from the ``.trans.txt`` files; None where they are absent.

    Raises
    ------
    FileNotFoundError
        When `root` or the split isn't there, or the split holds no files of that layout.
    ValueError
        For speakers that are unknown or too many, for clips that are all too short, for sample
        rates that differ, or for files that can't be read.

    References
    ----------
    Panayotov, Chen, Povey and Khudanpur, "LibriSpeech: an ASR corpus based on public domain audio
    books", ICASSP 2015. Licence CC BY 4.0.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import soundfile
    >>> from anmf.datasets import load_librispeech
    >>> with tempfile.TemporaryDirectory() as root:
    ...     chapter = Path(root, "dev-clean", "84", "121123")
    ...     chapter.mkdir(parents=True)
    ...     soundfile.write(chapter / "84-121123-0000.flac", np.zeros(8000), 16000)
    ...     data = load_librispeech(root, "dev-clean")
    ...     data.clips[0].shape, data.speakers.tolist(), data.seconds.tolist()
    ((8000,), ['84'], [0.5])
    """
    check_count("n_utterances", n_utterances, optional=True)
    if min_seconds is not None:
        check_real("min_seconds", min_seconds)
    folder = _split_folder(root, split)
    chosen = _choose(speakers, _speakers_in(folder), folder)
    bar = tqdm(chosen, desc=f"list {split}", unit="speaker", disable=not verbose, leave=False)
    lists = [_utterances(folder / speaker, n_utterances, min_seconds) for speaker in bar]
    paths, n_times, rates = (
        zip(*chain.from_iterable(lists), strict=True) if any(lists) else [()] * 3
    )
    if not paths:
        raise ValueError(
            f"min_seconds={min_seconds!r} leaves no utterance of the {len(chosen)} speakers chosen "
            f"in {folder}; ask for less"
        )
    clips = AudioClips(paths, n_times, one_rate(paths, rates))
    return Bunch(
        clips=clips,
        speakers=np.asarray([path.parts[-3] for path in paths]),
        seconds=clips.n_times / clips.sample_rate,
        paths=clips.paths,
        sample_rate=clips.sample_rate,
        transcripts=_transcripts(paths),
    )


def _split_folder(root, split):
    """Folder of the split below `root`."""
    if not isinstance(split, str) or not split:
        raise ValueError(f"split={split!r} must be the name of a folder, as 'dev-clean'")
    root = check_folder("root", root, SOURCE)
    places = [root / "LibriSpeech" / split, root / split]
    for place in places:
        if place.is_dir():
            return place
    within = [
        path for base in (root / "LibriSpeech", root) if base.is_dir() for path in base.iterdir()
    ]
    there = ", ".join(path.name for path in visible(within) if path.is_dir()) or "no folders"
    raise FileNotFoundError(
        f"split={split!r} has no folder: looked for {places[0]} and {places[1]}, found {there}; "
        f"{SOURCE}"
    )


def _speakers_in(folder):
    """Ids of the speakers who have files in the folder of a split, in alphabetic order."""
    found = [path.name for path in visible(folder.iterdir()) if any(path.glob("*/[!.]*.flac"))]
    if not found:
        raise FileNotFoundError(f"{folder} holds no files {LAYOUT}; {SOURCE}")
    return found


def _choose(speakers, known, folder):
    """Ids of the speakers wanted."""
    if speakers is None:
        return known
    if not np.iterable(speakers):
        check_count("speakers", speakers)
        if speakers > len(known):
            raise ValueError(
                f"speakers={speakers!r} must be at most {len(known)}, the number of speakers in "
                f"{folder}"
            )
        return known[:speakers]
    if isinstance(speakers, str) or not len(speakers):
        raise ValueError(
            f"speakers={speakers!r} must be a number of speakers or a list of their ids, as "
            f"[{known[0]!r}]"
        )
    wanted = list(dict.fromkeys(map(str, speakers)))
    unknown = [speaker for speaker in wanted if speaker not in set(known)]
    if unknown:
        names = ", ".join(known[:30]) + (f" and {len(known) - 30} more" if len(known) > 30 else "")
        raise ValueError(f"speakers={unknown!r} aren't in {folder}; it has {names}")
    return wanted


def _utterances(folder, n_utterances, min_seconds):
    """Path, number of samples and sample rate of a speaker's utterances, as many as wanted."""
    found = []
    for path in visible(folder.glob("*/*.flac")):
        if n_utterances is not None and len(found) == n_utterances:
            break
        n_times, rate = read_header(path)
        if n_times >= (min_seconds or 0) * rate:
            found.append((path, n_times, rate))
    return found


def _transcripts(paths):
    """What is said in each file, None where no transcript lies beside it; None if none does."""
    lines = {}
    for chapter in dict.fromkeys(path.parent for path in paths):
        for file in visible(chapter.glob("*.trans.txt")):
            rows = (row.partition(" ") for row in file.read_text(encoding="utf-8").splitlines())
            lines.update((name, text.strip()) for name, _, text in rows)
    found = [lines.get(path.stem) for path in paths]
    return found if any(text is not None for text in found) else None
