"""The speech basis that comes with the package.

`speech_basis.npz` holds components of the magnitude spectra of 251 English speakers, trained by
``examples/train_speech_basis.py`` on LibriSpeech train-clean-100 (Panayotov, Chen, Povey and
Khudanpur, ICASSP 2015; https://www.openslr.org/12), which is licensed under CC BY 4.0; so is the
file. It contains no recordings.
"""

from importlib.resources import files

import numpy as np


def load_speech_basis(n_fft=1024, sample_rate=16000):
    """Universal speech components, for `anmf.SpeechEnhancer`.

    Parameters
    ----------
    n_fft : int
        Length of the frames in samples.
    sample_rate : int
        In Hz.

    Returns
    -------
    ndarray (n_components, n_fft // 2 + 1), float32
        Rows of unit length.

    Raises
    ------
    ValueError
        For frame lengths and rates that there is no basis for.

    Examples
    --------
    >>> load_speech_basis().shape
    (128, 513)
    """
    with files("anmf.nmf").joinpath("speech_basis.npz").open("rb") as file, np.load(file) as data:
        rate = int(data["sample_rate"])
        lengths = sorted(int(name) for name in data if name != "sample_rate")
        if sample_rate != rate or n_fft not in lengths:
            raise ValueError(
                f"the built-in speech basis is for sample_rate={rate} and n_fft in {lengths}, not "
                f"sample_rate={sample_rate!r} and n_fft={n_fft!r}; fit clean speech of your own"
            )
        basis = data[str(n_fft)].astype(np.float32)
    return basis / np.linalg.norm(basis, axis=1, keepdims=True)
