"""Data to learn from and to measure on."""

from anmf.datasets.digits import load_digit_mixtures
from anmf.datasets.mixtures import make_mixtures
from anmf.datasets.mnist import fetch_mnist

__all__ = ["fetch_mnist", "load_digit_mixtures", "make_mixtures"]
