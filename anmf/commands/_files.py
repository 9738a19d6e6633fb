"""What the commands that turn audio files into audio files share."""

import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

from anmf.audio import find_audio
from anmf.audio.writer import FORMATS


def find_inputs(inputs, folder):
    """Files that were named, and the audio of folders that were.

    Parameters
    ----------
    inputs : sequence of path
    folder : Path
        Where outputs go; audio of it isn't found if it is inside one of `inputs`.

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        For folders without audio.
    """
    paths = []
    for given in map(Path, inputs):
        given = given.expanduser()
        paths += _search(given, folder) if given.is_dir() else [given]
    return paths


def _search(given, folder):
    """Audio in a folder; earlier outputs in a folder within it don't count."""
    paths = find_audio(given)
    if given.resolve() not in folder.resolve().parents:
        return paths
    paths = [path for path in paths if not path.resolve().is_relative_to(folder.resolve())]
    if not paths:
        raise ValueError(f"{given} holds no audio but in {folder}, the folder for the outputs")
    return paths


def check_ending(path):
    """Raise ValueError if there is no writing files that end as `path` does."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"{path} ends in {path.suffix!r}, and its output would too; expected one of "
            f"{', '.join(sorted(FORMATS))}: convert it first"
        )


def check_outputs(jobs, folder, force):
    """Raise if two outputs have one name, an input would be replaced, or one can't be written.

    Parameters
    ----------
    jobs : sequence
        Each with the input ``path`` and the paths ``outputs``.
    folder : Path
        Of the outputs; need not exist.
    force : bool
        Whether outputs may be replaced.
    """
    inputs = {job.path.resolve() for job in jobs}
    origin = {}
    for job in jobs:
        for output in job.outputs:
            if output in origin:
                raise ValueError(
                    f"{origin[output]} and {job.path} would both be written to {output}; "
                    "rename one, or use a folder for each"
                )
            origin[output] = job.path
            if output.resolve() in inputs:
                raise ValueError(f"{output} is an input and would be replaced; use another folder")
            if output.is_dir() or (output.exists() and not force):
                hint = "it is a folder" if output.is_dir() else "--force replaces it"
                raise FileExistsError(f"{output} exists; {hint}")
    _check_folder(folder)


def _check_folder(folder):
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is a file; expected a folder for the outputs")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"{existing} can't be written to; choose another folder")


def publish(staged, outputs, force):
    """Give complete files their names: all of them, or none, whatever interrupts.

    Parameters
    ----------
    staged, outputs : sequence of Path
        Files on one disk, and their names. The folders of `staged` are for throwing away after.
    force : bool
        Whether files of these names may be replaced.

    Raises
    ------
    FileExistsError, OSError
    """
    moves = [
        (new, output, new.with_name(f"{new.name}.old"))
        for new, output in zip(staged, outputs, strict=True)
    ]
    try:
        for new, output, old in moves:
            if output.is_dir() or (output.exists() and not force):
                raise FileExistsError(f"{output} exists by now; choose another folder")
            if output.exists():
                os.replace(output, old)
            os.replace(new, output)
    except BaseException:
        for new, output, old in moves:  # what lies where tells how far it came
            if old.exists():
                os.replace(old, output)
            elif not new.exists():
                output.unlink(missing_ok=True)
        raise


def finished(calls, n_jobs, title):
    """Results of calls as they come, with a progress bar if stderr is a terminal.

    Parameters
    ----------
    calls : list
        Of ``joblib.delayed(function)(...)``.
    n_jobs : int
        Calls at a time, each in a process of its own; −1 for one a core.
    title : str
        Of the progress bar.

    Yields
    ------
    object
        Closing the generator (``contextlib.closing``) ends the processes.
    """
    from joblib import Parallel
    from tqdm import tqdm

    # What joblib says, now or when it is collected, of calls that are left. They are, on purpose.
    warnings.filterwarnings("ignore", r"\d+ tasks which", UserWarning)
    pool = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    with _deaf_children():
        results = pool(calls)
    try:
        yield from tqdm(results, title, len(calls), unit="file", disable=None)
    finally:
        results.close()


@contextmanager
def _deaf_children():
    """Processes that are started here ignore Ctrl-C: this one ends them, without their tracebacks.

    So does this one for these few milliseconds: being ignored is all that a process inherits.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals can't be set from here
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def tell(kind, path, message):
    """A line about a file on stderr, above a progress bar.

    Parameters
    ----------
    kind : {'error', 'note'}
    path : Path
    message : str
    """
    from tqdm import tqdm

    for name in (path, path.absolute()):  # some messages begin with it
        message = message.removeprefix(f"path={str(name)!r} ").removeprefix(f"{name} ")
    tqdm.write(f"anmf: {kind}: {path}: {message}", file=sys.stderr)


def describe(error):
    """An exception as one line."""
    kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())
