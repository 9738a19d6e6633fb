"""Determined blind source separation: several microphones, no examples."""

from anmf.iva.auxiva import AuxIVA
from anmf.iva.check import check_source_model
from anmf.iva.cliques import Cliques
from anmf.iva.lowrank import LowRank
from anmf.iva.pretrained import load_surrogate
from anmf.iva.scaling import minimal_distortion, projection_back
from anmf.iva.solve import Separation, auxiva
from anmf.iva.source_models import SOURCE_MODELS
from anmf.iva.spherical import Gauss, GeneralizedGauss, Spherical, StudentT
from anmf.iva.surrogate import SurrogateSourceModel
from anmf.iva.updates import UPDATES

__all__ = [
    "SOURCE_MODELS",
    "UPDATES",
    "AuxIVA",
    "Cliques",
    "Gauss",
    "GeneralizedGauss",
    "LowRank",
    "Separation",
    "Spherical",
    "StudentT",
    "SurrogateSourceModel",
    "auxiva",
    "check_source_model",
    "load_surrogate",
    "minimal_distortion",
    "projection_back",
]
