"""The surrogate source model that comes with the package.

``surrogate.npz`` was trained by ``examples/train_surrogate.py`` on speech of 231 speakers of
LibriSpeech train-clean-100 (Panayotov, Chen, Povey and Khudanpur, ICASSP 2015;
https://www.openslr.org/12) in 1700 simulated rooms. The speech is licensed under CC BY 4.0; so is
the file. It contains no recordings.
"""

from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anmf.iva.surrogate import SurrogateSourceModel


@cache
def load_surrogate() -> "SurrogateSourceModel":
    """The fitted `SurrogateSourceModel` that ``source_model='surrogate'`` stands for.

    It is for spectra of n_fft 4096 at 16 kHz. For others, ``load_surrogate().adapted(sample_rate,
    n_fft)`` has the same bands; it was trained for 8 kHz with n_fft 2048, too.

    Returns
    -------
    SurrogateSourceModel
        The same one each time.

    Examples
    --------
    >>> from anmf import AuxIVA
    >>> from anmf.iva import load_surrogate
    >>> separator = AuxIVA(source_model=load_surrogate().adapted(8000, 2048), n_fft=2048)
    """
    from anmf.iva.surrogate import SurrogateSourceModel

    with as_file(files("anmf.iva") / "surrogate.npz") as path:
        return SurrogateSourceModel.load(path)


class Pretrained:
    """`load_surrogate`, read when it is first used."""

    n_bins = 1
    majorizes = False

    def start(self, shape, sizes, rng, example):
        """As in `SurrogateSourceModel.start`."""
        return load_surrogate().start(shape, sizes, rng, example)

    def among(self, heard):
        """As in `SurrogateSourceModel.among`."""
        return load_surrogate().among(heard)

    def update(self, power, state, *, xp):
        """As in `SurrogateSourceModel.update`."""
        return load_surrogate().update(power, state, xp=xp)
