"""Source separation that feels like scikit-learn.

The public names load on first use: ``import anmf`` itself is instant.
"""

from importlib import import_module

__version__ = "0.1.0"

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


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"anmf.{name}")
    raise AttributeError(f"module 'anmf' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
