"""How good a separation is.

- One estimate against one reference: `snr`, `si_sdr`, `sd_sdr`, `psnr` (by name: `METRICS`), and
  what a separation gains over the mixture: `snr_improvement`, `si_sdr_improvement`,
  `sd_sdr_improvement`.
- All sources together, filters forgiven: `bss_eval`, or `sdr`, `sir` and `sar` alone.
- Speech as people hear it: `stoi` and `pesq`.
- Estimates in another order: `pairwise`, `solve_permutation`, `permutation_invariant`.
- Speakers: `centred_cosine` and `identification_accuracy` of their embeddings,
  `permutation_accuracy` and `top_k_accuracy` of their posteriors, `equal_error_rate`,
  `counting_accuracy`, and `speaker_error_rate` of who speaks when.
- For scikit-learn's model selection: `si_sdr_scorer`, `separation_scorer` and others.

Waveforms are (..., n_times, n_sources), each leading index by itself. Metrics of one estimate take
arrays of any shape, with the samples of a signal along `axis`.
"""

from anmf.metrics.bss_eval import BSSEval, bss_eval, sar, sdr, sir
from anmf.metrics.embedding import centred_cosine, identification_accuracy, pairwise_cosine
from anmf.metrics.improvement import sd_sdr_improvement, si_sdr_improvement, snr_improvement
from anmf.metrics.perceptual import pesq, stoi
from anmf.metrics.permutation import pairwise, permutation_invariant, solve_permutation
from anmf.metrics.scorers import (
    psnr_scorer,
    sd_sdr_scorer,
    sdr_scorer,
    separation_scorer,
    si_sdr_scorer,
    snr_scorer,
)
from anmf.metrics.snr import METRICS, mean_score, psnr, sd_sdr, si_sdr, snr
from anmf.metrics.speakers import (
    SpeakerError,
    counting_accuracy,
    equal_error_rate,
    permutation_accuracy,
    speaker_error_rate,
    top_k_accuracy,
)

__all__ = [
    "METRICS",
    "BSSEval",
    "SpeakerError",
    "bss_eval",
    "centred_cosine",
    "counting_accuracy",
    "equal_error_rate",
    "identification_accuracy",
    "mean_score",
    "pairwise",
    "pairwise_cosine",
    "permutation_accuracy",
    "permutation_invariant",
    "pesq",
    "psnr",
    "psnr_scorer",
    "sar",
    "sd_sdr",
    "sd_sdr_improvement",
    "sd_sdr_scorer",
    "sdr",
    "sdr_scorer",
    "separation_scorer",
    "si_sdr",
    "si_sdr_improvement",
    "si_sdr_scorer",
    "sir",
    "snr",
    "snr_improvement",
    "snr_scorer",
    "solve_permutation",
    "speaker_error_rate",
    "stoi",
    "top_k_accuracy",
]
