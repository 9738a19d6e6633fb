"""Non-negative matrix factorisation and the separation built on it."""

from anmf.nmf.anmf import ANMF
from anmf.nmf.divergence import BETA_LOSSES, beta_divergence
from anmf.nmf.enhancer import SpeechEnhancer
from anmf.nmf.methods import METHODS
from anmf.nmf.mixing import mix_at_random, stack_sources
from anmf.nmf.nmf import NMF
from anmf.nmf.search import search_space, tune
from anmf.nmf.separation import NMF_separation

__all__ = [
    "ANMF",
    "BETA_LOSSES",
    "METHODS",
    "NMF",
    "NMF_separation",
    "SpeechEnhancer",
    "beta_divergence",
    "mix_at_random",
    "search_space",
    "stack_sources",
    "tune",
]
