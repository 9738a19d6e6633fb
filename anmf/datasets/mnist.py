"""The MNIST digits."""

import hashlib
import sys
from http.client import HTTPException

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from anmf._core.types import PathLike
from anmf.datasets._fetch import cache_folder, find_file, load_npz, save_npz, search_folders

FILE_NAME = "mnist.npz"
KEYS = ("x_train", "y_train", "x_test", "y_test")
N_TRAIN, N_TEST = 60000, 10000
TRAIN_IMAGES_MD5 = "6bbc9ace898e44ae57da46a324031adb"
"""MD5 of ``train-images-idx3-ubyte``, the file in which MNIST was published."""


def fetch_mnist(data_home: PathLike | None = None, *, download_if_missing: bool = True) -> Bunch:
    """MNIST: 70000 handwritten digits of 28 × 28 pixels.

    The file ``mnist.npz`` is looked for in the folder named by the environment variable
    ``ANMF_DATA``, in `data_home`, and in the cache. If it is in none of them, the digits are
    downloaded from openml.org (about 15 MB), compared with the published checksum, and kept in the
    cache.

    Parameters
    ----------
    data_home : str, path or None, default None
        Folder for data; the cache is ``anmf`` in it. When not given, the cache is the folder named
        by the environment variable ``ANMF_HOME``, or ``anmf`` in scikit-learn's data folder
        (``~/scikit_learn_data``).
    download_if_missing : bool, default True
        False to raise an error instead of downloading.

    Returns
    -------
    sklearn.utils.Bunch
        data : ndarray of shape (70000, 784)
            Pixels in [0, 1], one image a row, training images first; float32.
        target : ndarray of int, shape (70000,)
            The digit of each image.
        image_shape : tuple
            (28, 28).
        n_train : int
            Number of training images, 60000.

    Raises
    ------
    OSError
        When the file is missing and can't be, or may not be, downloaded.
    ValueError
        When the file is damaged.

    Examples
    --------
    >>> from anmf.datasets import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> mnist.data.shape  # doctest: +SKIP
    (70000, 784)
    """
    folders = search_folders(data_home)
    path = find_file(FILE_NAME, folders)
    if path is None:
        if not download_if_missing:
            raise OSError(_missing("it isn't there, and download_if_missing=False", folders))
        path = cache_folder(data_home) / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        save_npz(path, **_download(data_home, folders))
    arrays = _read(path)
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    data = images.reshape(len(images), -1).astype(np.float32)
    data /= 255
    target = np.concatenate([arrays["y_train"], arrays["y_test"]]).astype(np.int64)
    return Bunch(data=data, target=target, image_shape=(28, 28), n_train=len(arrays["x_train"]))


def _read(path):
    """Arrays of the file, checked for shape and type."""
    arrays = load_npz(path, KEYS)
    for images, labels in (("x_train", "y_train"), ("x_test", "y_test")):
        x, y = arrays[images], arrays[labels]
        shaped = x.ndim == 3 and x.shape[1:] == (28, 28) and y.shape == x.shape[:1]
        if not shaped or x.dtype != np.uint8 or y.dtype.kind not in "iu":
            raise ValueError(
                f"{path} holds {images} of shape {x.shape} ({x.dtype}) and {labels} of shape "
                f"{y.shape} ({y.dtype}); expected (n, 28, 28) of uint8 and (n,) of integers: "
                "delete it and fetch it again"
            )
    return arrays


def _download(data_home, folders):
    """Arrays of MNIST from openml.org, checked against the published training images."""
    print("Downloading MNIST from openml.org (about 15 MB) ...", file=sys.stderr, flush=True)
    try:
        raw = fetch_openml(
            "mnist_784", version=1, data_home=data_home, as_frame=False, parser="auto"
        )
    except (OSError, RuntimeError, HTTPException) as error:
        reason = f"the download from openml.org failed ({error})"
        raise OSError(_missing(reason, folders)) from error
    images, labels = np.asarray(raw.data), np.asarray(raw.target)
    if images.shape != (N_TRAIN + N_TEST, 784) or labels.shape != images.shape[:1]:
        raise OSError(
            _missing(f"openml.org sent arrays of shape {images.shape} and {labels.shape}", folders)
        )
    images = images.astype(np.uint8).reshape(-1, 28, 28)
    if published_md5(images[:N_TRAIN]) != TRAIN_IMAGES_MD5:
        raise OSError(_missing("what openml.org sent differs from the published digits", folders))
    labels = labels.astype(np.uint8)
    blocks = (images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:])
    return dict(zip(KEYS, blocks, strict=True))


def published_md5(images):
    """MD5 that images would have in the idx3 format in which MNIST was published.

    Parameters
    ----------
    images : ndarray of uint8 (n, rows, columns)

    Returns
    -------
    str
        32 hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.datasets.mnist import published_md5
    >>> published_md5(np.zeros((1, 28, 28), dtype=np.uint8))
    '3a8789fbd24b56b8f13d73a8dd5b620a'
    """
    header = np.asarray([0x803, *images.shape], dtype=">u4").tobytes()
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()


def _missing(reason, folders):
    """One message for every way in which the file can be out of reach."""
    return (
        f"MNIST isn't available: {reason}. Put {FILE_NAME} (arrays {', '.join(KEYS)}) into "
        f"{folders[-1]}, or set ANMF_DATA to the folder that holds it; looked in "
        f"{', '.join(map(str, folders))}"
    )
