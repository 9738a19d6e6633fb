"""The deep clustering that comes with the package.

``deep_clustering.npz`` was trained by ``examples/train_deep_clustering.py`` on less than an hour of
speech, of 231 speakers of LibriSpeech train-clean-100 (Panayotov, Chen, Povey and Khudanpur, ICASSP
2015; https://www.openslr.org/12). The speech is licensed under CC BY 4.0; so is the file. It
contains no recordings.
"""

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anmf.deep.deep_clustering import DeepClustering


def load_deep_clustering() -> "DeepClustering":
    """A `DeepClustering` that was trained on mixtures of two talkers at 8 kHz.

    Returns
    -------
    DeepClustering
        A new one each time.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import load_deep_clustering
    >>> model = load_deep_clustering()
    >>> x = np.random.default_rng(0).standard_normal(model.sample_rate)
    >>> model.set_params(n_sources=3).separate(x).shape
    (8000, 3)
    """
    from anmf.deep.deep_clustering import DeepClustering

    with as_file(files("anmf.deep") / "deep_clustering.npz") as path:
        return DeepClustering.load(path)
