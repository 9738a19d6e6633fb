"""
LibriSpeech in the noise of WHAM!
=================================

Speech enhancement as in Ludvigsen and Grasmair (arXiv 2404.15296): of each speaker of LibriSpeech
dev-clean, half of the utterances are clean speech to learn from; the others meet the noise of WHAM!
at 3 dB. Get both from https://www.openslr.org/12 and http://wham.whisper.ai (wham_noise.zip)::

    python examples/librispeech_wham.py LibriSpeech wham_noise
    python examples/librispeech_wham.py LibriSpeech wham_noise --adversarial-weight 0.1

Without arguments, ``$ANMF_DATA/speech`` and ``$ANMF_DATA/noise``, of the same layout, take their
place; for `noise`, any folder of sound files at 16 kHz will do.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from anmf import SpeechEnhancer
from anmf.datasets import load_librispeech, load_noise, load_wham, make_noisy_speech
from anmf.masks import ideal_separation
from anmf.metrics import si_sdr

COLUMNS = ("files", "noisy", "built-in", "own", "ideal mask", "seconds")


def main():
    options = parse()
    speech, noise = load(options)
    anyone = SpeechEnhancer(random_state=0).fit()
    print("SI-SDR in dB, mean over the files of a speaker; seconds for training and enhancement")
    print(f"{'speaker':<10}" + "".join(f"{name:>12}" for name in COLUMNS))
    rows = []
    for i, speaker in enumerate(dict.fromkeys(speech.speakers)):
        clips = [speech.clips[k] for k in np.flatnonzero(speech.speakers == speaker)]
        if len(clips) < 2:
            print(f"{speaker:<10}  left out: it takes two utterances, one to learn from")
            continue
        rows.append(enhance_speaker(clips, noise, i, anyone, options))
        show(speaker, rows[-1])
    if not rows:
        raise ValueError("no speaker has two utterances")
    show("mean", np.mean(rows, axis=0))
    show("worst", np.min(rows, axis=0)[:-1])


def enhance_speaker(clips, noise, seed, anyone, options):
    """What `COLUMNS` names, of one speaker."""
    half = len(clips) // 2
    rng = np.random.default_rng(seed)
    faintest = 1e-3 if isinstance(noise, list) else 0.0  # to know them, all would be read
    data = make_noisy_speech(
        clips[half:], noise, snr=options.snr, random_state=rng, min_rms=faintest
    )
    began = time.perf_counter()
    model = SpeechEnhancer(adversarial_weight=options.adversarial_weight, random_state=0)
    own = model.fit(clips[:half]).enhance(data.mixtures)
    seconds = time.perf_counter() - began
    triples = zip(data.mixtures, data.speech, data.noise, strict=True)
    ideal = [ideal_separation(x, np.stack([s, n], axis=1))[:, 0] for x, s, n in triples]
    estimates = data.mixtures, anyone.enhance(data.mixtures), own, ideal
    return [len(data.mixtures), *(quality(data.speech, given) for given in estimates), seconds]


def quality(speech, estimates):
    """Mean SI-SDR in dB."""
    return np.mean([si_sdr(s, estimate) for s, estimate in zip(speech, estimates, strict=True)])


def show(name, row):
    print(f"{name:<10}{row[0]:>12.0f}" + "".join(f"{v:>12.2f}" for v in row[1:]), flush=True)


def load(options):
    """Utterances, and recordings of noise."""
    root, split = options.speech, "dev-clean"
    if root is None:
        root, split = data_folder() / "speech", "test"
    folder = options.noise or data_folder() / "noise" / "test"
    wham = any(Path(folder, *inner, "tt").is_dir() for inner in ((), ("wham_noise",)))
    noise = load_wham(folder, "tt") if wham else load_noise(folder)
    speech = load_librispeech(root, options.split or split, speakers=options.speakers)
    if {speech.sample_rate, noise.sample_rate} != {16000}:
        raise ValueError(
            f"speech has {speech.sample_rate} Hz and noise {noise.sample_rate} Hz; both need 16000"
        )
    return speech, noise.clips if wham else list(noise.clips)


def data_folder():
    """Where data lies that isn't named."""
    if not os.environ.get("ANMF_DATA"):
        raise ValueError("name a folder of speech and one of noise, or set ANMF_DATA; see --help")
    return Path(os.environ["ANMF_DATA"])


def parse():
    parser = argparse.ArgumentParser(description="Take read speech out of recorded noise.")
    parser.add_argument("speech", nargs="?", help="folder that holds LibriSpeech's dev-clean")
    parser.add_argument("noise", nargs="?", help="folder of WHAM!'s noise, or of any")
    parser.add_argument("--split", help="of the speech (dev-clean)")
    parser.add_argument("--speakers", type=int, metavar="N", help="the first N alone (all)")
    parser.add_argument("--snr", type=float, default=3.0, help="of the mixtures, in dB (3)")
    parser.add_argument("--adversarial-weight", type=float, default=0.0, metavar="W",
                        help="0.1 is good, and takes longer (0)")  # fmt: skip
    options = parser.parse_args()
    if (options.speech is None) != (options.noise is None):
        parser.error("name both folders, or none")
    return options


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"librispeech_wham.py: {error}")
