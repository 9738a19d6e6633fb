"""Files of data sets: where they are kept, how they are found, read and saved."""

import os
import zipfile
import zlib
from pathlib import Path
from uuid import uuid4

import numpy as np

DAMAGE = (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error)
"""What `numpy.load` raises for files that are cut short, altered or of another kind."""


def cache_folder(data_home=None):
    """Folder in which this package keeps downloads; it may not exist yet.

    Parameters
    ----------
    data_home : str or path, optional
        Folder for data as scikit-learn takes it; the cache is ``anmf`` in it. When not given, the
        environment variable ``ANMF_HOME`` names the cache itself; without that, it is ``anmf`` in
        scikit-learn's own data folder.

    Returns
    -------
    Path
    """
    if data_home is not None:
        return Path(data_home).expanduser() / "anmf"
    if os.environ.get("ANMF_HOME"):
        return Path(os.environ["ANMF_HOME"]).expanduser()
    # sklearn.datasets.get_data_home would make the folder; looking for a file shouldn't.
    return Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser() / "anmf"


def search_folders(data_home=None):
    """Folders to look for data in, in order: ``ANMF_DATA``, `data_home`, the cache.

    Parameters
    ----------
    data_home : str or path, optional
        As in `cache_folder`.

    Returns
    -------
    list of Path
    """
    given = [os.environ.get("ANMF_DATA"), data_home]
    return [*(Path(name).expanduser() for name in given if name), cache_folder(data_home)]


def find_file(name, folders):
    """Path of the first file called `name` in `folders`, None when there is none."""
    paths = (Path(folder) / name for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def load_npz(path, keys):
    """Arrays of an .npz file.

    Parameters
    ----------
    path : path
    keys : sequence of str
        Arrays to read.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        When the file is damaged, isn't an .npz file, or lacks one of `keys`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in keys}
    except KeyError as error:
        raise ValueError(f"{path} lacks an array: {error.args[0]}; expected {keys}") from error
    except DAMAGE as error:
        raise ValueError(
            f"{path} is damaged or isn't an .npz file ({error}); delete it and fetch it again"
        ) from error


def save_npz(path, **arrays):
    """Write arrays to an .npz file, whole or not at all.

    Parameters
    ----------
    path : path
        Its folder is made when absent.
    **arrays : ndarray
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(unfinished, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
