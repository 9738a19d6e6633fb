"""Waveforms: short-time spectra, files, and separators of spectra applied to sound."""

from anmf.audio.io import AudioInfo, audio_info, find_audio, read_audio, read_blocks
from anmf.audio.separator import AudioSeparator
from anmf.audio.stft import STFT, istft, stft
from anmf.audio.writer import AudioWriter, write_audio

__all__ = [
    "STFT",
    "AudioInfo",
    "AudioSeparator",
    "AudioWriter",
    "audio_info",
    "find_audio",
    "istft",
    "read_audio",
    "read_blocks",
    "stft",
    "write_audio",
]
