"""Embeddings of speakers: decorrelation, and who speaks in a recording."""

from anmf.embedding.counting import COUNTING_RULES
from anmf.embedding.demixing import Demixed
from anmf.embedding.embedder import SpeakerEmbedder
from anmf.embedding.models import DEMIXING_MODELS
from anmf.embedding.rank import RANK_RULES
from anmf.embedding.routes import ROUTES
from anmf.embedding.svd import SVDDecorrelator
from anmf.embedding.whitening import WHITENINGS

__all__ = [
    "COUNTING_RULES",
    "DEMIXING_MODELS",
    "RANK_RULES",
    "ROUTES",
    "WHITENINGS",
    "Demixed",
    "SVDDecorrelator",
    "SpeakerEmbedder",
]
