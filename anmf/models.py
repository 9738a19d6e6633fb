"""Save fitted estimators to files and load them again, without running what a file says.

The files are those of skops, a dictionary with a header and the estimator in it. Unlike a pickle,
such a file can't call functions when it is read, and `load_model` takes classes of this package
and of NumPy only.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from anmf import __version__
from anmf._core.optional import require
from anmf._core.types import PathLike

__all__ = ["load_model", "save_model"]

SUFFIX = ".skops"
VERSION = 1
"""Version of the format that `save_model` writes and `load_model` reads."""

_FORMAT = "anmf model"
_PACKAGES = ("anmf", "numpy")


def save_model(path: PathLike, model: Any, *, overwrite: bool = False) -> None:
    """Write a fitted estimator to a file, whole or not at all.

    Parameters
    ----------
    path : path
        Ends in .skops. Its folder must exist.
    model : estimator
        Of this package, for example a fitted `anmf.SpeechEnhancer`.
    overwrite : bool, default False
        Whether a file of that name may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    FileNotFoundError
        If the folder doesn't exist.
    ValueError
        For another ending, and for a model that `load_model` would refuse.
    ImportError
        If skops isn't installed.

    Notes
    -----
    A `SpeechEnhancer` with `adversarial_weight` keeps the magnitude spectra of its training speech,
    and so does its file.

    Examples
    --------
    >>> import tempfile
    >>> from anmf import SpeechEnhancer
    >>> from anmf.models import load_model, save_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/speech.skops", SpeechEnhancer(random_state=0).fit())
    ...     load_model(f"{folder}/speech.skops")
    SpeechEnhancer(random_state=0)
    """
    path = check_model_path(path, overwrite)
    skops = require("skops.io", "models")
    content = {
        "format": _FORMAT,
        "version": VERSION,
        "anmf": __version__,
        "kind": type(model).__name__,
        "estimator": model,
    }
    data = skops.dumps(content)
    _check_types(f"model={type(model).__name__}", skops.get_untrusted_types(data=data))
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


def load_model(path: PathLike) -> Any:
    """Read a fitted estimator from a file that `save_model` wrote.

    Parameters
    ----------
    path : path
        A file that `save_model` or ``anmf train`` wrote.

    Returns
    -------
    estimator
        As it was saved: fitted, with the same parameters.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no file of `save_model`, damaged, of another version of the format, or holds types
        from elsewhere than this package and NumPy.
    ImportError
        If skops isn't installed.

    Examples
    --------
    >>> import tempfile
    >>> from anmf import SpeechEnhancer
    >>> from anmf.models import load_model, save_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/m.skops", SpeechEnhancer(n_fft=512, random_state=0).fit())
    ...     model = load_model(f"{folder}/m.skops")
    >>> model.bases_[0].shape
    (128, 257)
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"model={str(path)!r} does not exist; check the path")
    if not path.is_file():
        raise ValueError(f"model={str(path)!r} is no file; expected one that `anmf train` wrote")
    skops = require("skops.io", "models")
    data = path.read_bytes()
    with _unreadable(path):
        types = skops.get_untrusted_types(data=data)
    _check_types(f"model={str(path)!r}", types)
    with _unreadable(path):
        content = skops.loads(data, trusted=types)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(
            f"model={str(path)!r} holds something else than a model; expected a file that "
            "`anmf train` or anmf.models.save_model wrote"
        )
    if content.get("version") != VERSION:
        raise ValueError(
            f"model={str(path)!r} has version {content.get('version')!r} of the format, written by "
            f"anmf {content.get('anmf')}; this is anmf {__version__}, which reads version "
            f"{VERSION}: train it again, or install that version"
        )
    if type(content.get("estimator")).__name__ != content.get("kind"):
        raise ValueError(f"model={str(path)!r} is damaged; train it again")
    return content["estimator"]


def check_model_path(path: PathLike, overwrite: bool) -> Path:
    """Path of a model to write, refused if it can't be, and if skops isn't installed."""
    require("skops.io", "models")
    if Path(path).suffix.lower() != SUFFIX:
        raise ValueError(f"model={str(path)!r} must end in {SUFFIX}")
    return check_output(path, overwrite)


def check_output(path: PathLike, overwrite: bool) -> Path:
    """Path of a file to write, refused if it can't be, or exists and `overwrite` is false.

    Parameters
    ----------
    path : path
        A file to write, with or without ~ for the home folder.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        Without ~.

    Raises
    ------
    FileExistsError, IsADirectoryError, FileNotFoundError, PermissionError
        Whatever would keep it from being written.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"output={str(path)!r} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"output={str(path)!r} exists; choose another name, or overwrite it (--force)"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"output={str(path)!r} is in a folder that doesn't exist; make it first"
        )
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"output={str(path)!r}: its folder can't be written to")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` if all goes well, and else vanishes."""
    unfinished = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _check_types(what, names):
    """Raise unless all types are known classes of this package or of NumPy.

    Nothing is imported for it but this package's own estimators: importing a module that a file
    names would run it.
    """
    import anmf.audio
    import anmf.deep
    import anmf.embedding
    import anmf.iva
    import anmf.nmf  # noqa: F401

    refused = sorted(name for name in names if not _is_known(name))
    if refused:
        raise ValueError(
            f"{what} holds types that aren't trusted: {', '.join(refused)}; expected classes of "
            f"anmf {__version__} and of NumPy only. Use models of people you trust, made by this "
            "version"
        )


def _is_known(name):
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return isinstance(found, type) and all(
        origin.partition(".")[0] in _PACKAGES for origin in (module, found.__module__)
    )


@contextmanager
def _unreadable(path):
    """Whatever goes wrong with a file that skops can't read becomes one error."""
    try:
        yield
    except Exception as error:  # it lets those of zipfile, json and of its own parts through
        raise ValueError(
            f"model={str(path)!r} is no model, or it is damaged ({type(error).__name__}); expected "
            "a file that `anmf train` or anmf.models.save_model wrote"
        ) from error
