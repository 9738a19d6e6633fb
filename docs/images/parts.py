"""Draw the picture of the README: ``python docs/images/parts.py``."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from anmf import AuxIVA, NMF_separation, SpeechEnhancer
from anmf.audio import stft
from anmf.datasets import (
    load_digit_mixtures,
    make_noise,
    make_noisy_speech,
    make_voices,
    simulate_room,
)

RATE = 16000
PAIR = 6  # one whose digits are easy to tell


def digits():
    """A mixture of two digits and its parts, as images."""
    data = load_digit_mixtures(digits=(0, 1), random_state=0)
    model = NMF_separation(64, method="dnmf", random_state=0).fit(data.X_train, data.y_train)
    images = [data.X_test[PAIR], *model.separate(data.X_test[PAIR : PAIR + 1])[0]]
    side = int(np.sqrt(images[0].size))
    return [image.reshape(side, side) for image in images]


def speech():
    """Noisy speech, the speech and the noise that are found in it."""
    voice = make_voices(1, 10.0, random_state=0).waveforms[:, 0]
    rain = make_noise(4.0, "rain", random_state=0)
    noisy = make_noisy_speech([voice[6 * RATE :]], [rain], snr=3.0).mixtures[0]
    enhanced = SpeechEnhancer(random_state=0).fit([voice[: 6 * RATE]]).enhance(noisy)
    return [noisy, enhanced, noisy - enhanced]


def room():
    """What a microphone hears of two talkers, and the two tracks."""
    voices = make_voices(2, 8.0, random_state=0).waveforms
    mixture = simulate_room(voices, n_channels=2, rt60=0.1, random_state=0).mixture
    return [x[: 4 * RATE] for x in (mixture[:, 0], *AuxIVA().fit_transform(mixture).T)]


def spectrograms(waveforms):
    """Levels in dB below the loudest bin of the first, up to 4 kHz; (n_frequencies, n_frames)."""
    powers = [np.abs(stft(x, n_fft=1024, hop_length=256).T[:257]) ** 2 for x in waveforms]
    return [10 * np.log10(power / powers[0].max() + 1e-6) for power in powers]


def main(path):
    """Draw all three problems, a row each."""
    canvas = Figure(figsize=(9, 6), layout="constrained")
    axes = canvas.subplots(3, 3)
    for ax, image in zip(axes[0], digits(), strict=True):
        ax.imshow(image, cmap="gray_r", interpolation="nearest")
    for row, waveforms in zip(axes[1:], (speech(), room()), strict=True):
        for ax, levels in zip(row, spectrograms(waveforms), strict=True):
            ax.imshow(levels, origin="lower", aspect="auto", cmap="magma", vmin=-55, vmax=0)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    titles = [
        ["overlaid digits", "0", "1"],
        ["a voice in rain", "the voice", "the rest"],
        ["one of two microphones", "talker 1", "talker 2"],
    ]
    for row, names in zip(axes, titles, strict=True):
        for ax, name in zip(row, names, strict=True):
            ax.set_title(name, fontsize=11)
    canvas.savefig(path, dpi=100)
    Image.open(path).convert("RGB").quantize(160).save(path, optimize=True)  # a third of the size


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))
