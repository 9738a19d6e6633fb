"""Masks: weights that share a mixture out among its sources.

`wiener` shares out by estimates. The ideal masks know the true sources: they say how well any
method that masks a spectrogram could do, and serve as targets of training. They are functions of
time-frequency arrays with the sources at axis 1: mixture (n, m), sources and mask
(n, n_sources, m). A row may be a frame, or a frequency as in (n_frequencies, n_sources, n_frames).
"""

from anmf.masks.ideal import MASKS, complex_ideal, ideal_binary, ideal_ratio, phase_sensitive
from anmf.masks.separation import ideal_separation
from anmf.masks.sharing import apply_mask, wiener

__all__ = [
    "MASKS",
    "apply_mask",
    "complex_ideal",
    "ideal_binary",
    "ideal_ratio",
    "ideal_separation",
    "phase_sensitive",
    "wiener",
]
