"""How good a separation is."""

from anmf.metrics.snr import METRICS, mean_score, psnr, si_sdr, snr

__all__ = ["METRICS", "mean_score", "psnr", "si_sdr", "snr"]
