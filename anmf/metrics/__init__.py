"""How good a separation is."""

from anmf.metrics.snr import METRICS, psnr, si_sdr, snr

__all__ = ["METRICS", "psnr", "si_sdr", "snr"]
