"""Data to learn from and to measure on."""

from anmf.datasets.digits import load_digit_mixtures
from anmf.datasets.librispeech import load_librispeech
from anmf.datasets.mixtures import make_mixtures
from anmf.datasets.mnist import fetch_mnist
from anmf.datasets.noises import make_noise
from anmf.datasets.rooms import simulate_room
from anmf.datasets.speech import make_noisy_speech
from anmf.datasets.talkers import make_speech_mixtures
from anmf.datasets.voices import make_voices
from anmf.datasets.wham import load_noise, load_wham

__all__ = [
    "fetch_mnist",
    "load_digit_mixtures",
    "load_librispeech",
    "load_noise",
    "load_wham",
    "make_mixtures",
    "make_noise",
    "make_noisy_speech",
    "make_speech_mixtures",
    "make_voices",
    "simulate_room",
]
