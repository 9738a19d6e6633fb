"""Source separation that feels like scikit-learn.

The public names load on first use: ``import anmf`` itself is instant.
"""

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` takes a while

_HOME = {
    "ANMF": "anmf.nmf",
    "AudioSeparator": "anmf.audio",
    "AuxIVA": "anmf.iva",
    "NMF": "anmf.nmf",
    "NMF_separation": "anmf.nmf",
    "stack_sources": "anmf.nmf",
    "STFT": "anmf.audio",
    "SVDDecorrelator": "anmf.embedding",
    "SeparatorMixin": "anmf.base",
    "SpeakerEmbedder": "anmf.embedding",
    "SpeechEnhancer": "anmf.nmf",
}
_SUBPACKAGES = (
    "audio",
    "base",
    "datasets",
    "deep",
    "embedding",
    "iva",
    "masks",
    "metrics",
    "models",
    "nmf",
    "plotting",
)

__all__ = ["__version__", *_HOME, *_SUBPACKAGES]

if TYPE_CHECKING:  # what type checkers and editors see
    from anmf import audio as audio
    from anmf import base as base
    from anmf import datasets as datasets
    from anmf import deep as deep
    from anmf import embedding as embedding
    from anmf import iva as iva
    from anmf import masks as masks
    from anmf import metrics as metrics
    from anmf import models as models
    from anmf import nmf as nmf
    from anmf import plotting as plotting
    from anmf.audio import STFT as STFT
    from anmf.audio import AudioSeparator as AudioSeparator
    from anmf.base import SeparatorMixin as SeparatorMixin
    from anmf.embedding import SpeakerEmbedder as SpeakerEmbedder
    from anmf.embedding import SVDDecorrelator as SVDDecorrelator
    from anmf.iva import AuxIVA as AuxIVA
    from anmf.nmf import ANMF as ANMF
    from anmf.nmf import NMF as NMF
    from anmf.nmf import NMF_separation as NMF_separation
    from anmf.nmf import SpeechEnhancer as SpeechEnhancer
    from anmf.nmf import stack_sources as stack_sources
else:

    def __getattr__(name):
        if name in _HOME:
            return getattr(import_module(_HOME[name]), name)
        if name in _SUBPACKAGES:
            return import_module(f"anmf.{name}")
        raise AttributeError(f"module 'anmf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
