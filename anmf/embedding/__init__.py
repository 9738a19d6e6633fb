"""Decorrelation of embeddings: whitenings, rank rules and the streaming SVD."""

from anmf.embedding.rank import RANK_RULES
from anmf.embedding.routes import ROUTES
from anmf.embedding.svd import SVDDecorrelator
from anmf.embedding.whitening import WHITENINGS

__all__ = ["RANK_RULES", "ROUTES", "WHITENINGS", "SVDDecorrelator"]
