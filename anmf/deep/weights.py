"""Weights in .npz files that any NumPy reads, written whole or not at all."""

import json
import os
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from anmf._core.arrays import to_host
from anmf._core.types import Array, PathLike
from anmf.deep.network import check_shapes

VERSION = 1
"""Version of the files."""

_HEADER = ("format", "version", "about")


def save_weights(
    path: PathLike,
    weights: dict[str, Array],
    *,
    dtype: DTypeLike | None = None,
    about: dict[str, Any] | None = None,
) -> None:
    """Write weights to a file.

    ``numpy.load`` reads it: one array a weight, by name, besides *format*, *version* and *about*
    (a text in JSON).

    Parameters
    ----------
    path : str or path
        Ends in .npz. A file of that name is replaced.
    weights : dict of array
        By name, of any library.
    dtype : dtype or None, default None
        For example ``"float16"``, which halves the file.
    about : dict or None, default None
        Anything that JSON can hold, for example how the network was made.

    Raises
    ------
    ValueError
        For another ending, and for weights that aren't finite or don't fit into `dtype`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from anmf.deep import save_weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(Path(folder, "small.npz"), {"w": np.ones(3)}, dtype="float16")
    ...     np.load(Path(folder, "small.npz"))["w"]
    array([1., 1., 1.], dtype=float16)
    """
    arrays = {}
    for name, value in weights.items():
        value = to_host(value)
        with np.errstate(over="ignore"):
            arrays[name] = value.astype(dtype or value.dtype)
        if not np.all(np.isfinite(arrays[name])):
            raise ValueError(
                f"weights[{name!r}] has NaN, infinity or numbers beyond {arrays[name].dtype}; "
                "save finite weights, or with dtype='float32'"
            )
    write_arrays(path, arrays, "anmf weights", about)


def load_weights(
    path: PathLike,
    shapes: dict[str, tuple[int, ...]] | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> dict[str, np.ndarray]:
    """Read weights that `save_weights` wrote.

    Parameters
    ----------
    path : str or path
        File (.npz) of `save_weights`.
    shapes : dict or None, default None
        Shapes expected, by name, for example `Network.shapes`.
    dtype : dtype or None, default None
        By default as in the file, and float32 for float16.

    Returns
    -------
    dict of ndarray
        By name; those of `shapes` alone, if it is given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another kind, or of a later version; if weights are missing, have
        wrong shapes, or aren't finite.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from anmf.deep import load_weights, save_weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "small.npz")
    ...     save_weights(path, {"w": np.ones(3)}, dtype="float16")
    ...     load_weights(path, {"w": (3,)})
    {'w': array([1., 1., 1.], dtype=float32)}
    """
    weights = read_arrays(path, "anmf weights")[0]
    if shapes is not None:
        try:
            check_shapes(weights, shapes)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is of another network: {error}") from error
        weights = {name: weights[name] for name in shapes}
    for name, value in weights.items():
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{str(path)!r} holds NaN or infinity in {name!r}; get the file anew")
        narrow = np.float32 if value.dtype == np.float16 else value.dtype
        weights[name] = value.astype(dtype or narrow)
    return weights


def load_about(path: PathLike) -> dict[str, Any]:
    """Read what `save_weights` was told about the weights.

    Parameters
    ----------
    path : str or path
        File (.npz) of `save_weights`.

    Returns
    -------
    dict
        Empty if it was told nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from anmf.deep import load_about, save_weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "small.npz")
    ...     save_weights(path, {"w": np.ones(3)}, about={"sample_rate": 8000})
    ...     load_about(path)
    {'sample_rate': 8000}
    """
    return read_arrays(path, "anmf weights")[1]


def write_arrays(path, arrays, kind, about=None):
    """Write named arrays with a header; the file appears once it is complete."""
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"path={str(path)!r} must end in .npz")
    if taken := sorted(set(_HEADER) & set(arrays)):
        raise ValueError(f"arrays can't be called {taken}, which is what the header is called")
    header = {"format": kind, "version": VERSION, "about": json.dumps(about or {})}
    handle, unfinished = mkstemp(dir=path.parent, suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{k: np.asarray(v) for k, v in header.items()}, **arrays)
        os.chmod(unfinished, 0o666 & ~_umask())
        os.replace(unfinished, path)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def _umask():
    """Permissions that new files don't get; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_arrays(path, kind):
    """Arrays of a file that `write_arrays` wrote, and what it is about."""
    path = Path(path).expanduser()
    with path.open("rb") as file:  # what is absent or forbidden is told as it is
        try:
            arrays = _unpack(file)
        except Exception as error:  # damage shows in a dozen ways
            raise ValueError(
                f"{str(path)!r} can't be read ({error}); it is damaged or no .npz file"
            ) from error
    header = {name: arrays.pop(name, None) for name in _HEADER}
    if any(value is None for value in header.values()) or str(header["format"]) != kind:
        raise ValueError(f"{str(path)!r} holds no {kind}: its format is {header['format']}")
    if int(header["version"]) > VERSION:
        raise ValueError(
            f"{str(path)!r} is of version {header['version']}, and this package reads up to "
            f"{VERSION}; update it"
        )
    return arrays, json.loads(str(header["about"]))


def _unpack(file):
    archive = np.load(file, allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise ValueError("it holds one array without a name")
    arrays = {name: archive[name] for name in archive.files}
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise ValueError("it holds something else than arrays")
    return arrays
