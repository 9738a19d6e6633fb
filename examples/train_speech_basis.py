"""
Train the built-in speech basis
===============================

Learns the components that `anmf.SpeechEnhancer` starts from when it is given no speech, from a
folder of clean recordings at 16 kHz (LibriSpeech's layout, or any other)::

    python examples/train_speech_basis.py LibriSpeech/train-clean-100 speech_basis.npz
"""

import argparse
import sys

import numpy as np
from tqdm.auto import tqdm

from anmf import NMF, AudioSeparator
from anmf.audio import find_audio, read_audio

SAMPLE_RATE = 16000
FRAME_LENGTHS = (512, 1024, 2048)


def main():
    options = parse()
    paths = find_audio(options.speech)
    rng = np.random.default_rng(0)
    arrays = {"sample_rate": SAMPLE_RATE}
    for n_fft in FRAME_LENGTHS:
        frames = AudioSeparator(NMF(), n_fft=n_fft)
        rows = []
        for path in tqdm(paths, desc=f"n_fft {n_fft}"):
            x, _ = read_audio(path, sample_rate=SAMPLE_RATE, mono=True)
            spectra = frames.rows(x)
            n_kept = min(len(spectra), options.frames)
            rows.append(spectra[rng.choice(len(spectra), n_kept, replace=False)])
        X = np.concatenate(rows).astype(np.float32)
        alpha = 0.02 * float(np.linalg.norm(X, axis=1).mean())
        model = NMF(options.components, alpha_H=alpha, max_iter=100, tol=0, random_state=0)
        arrays[str(n_fft)] = model.fit(X).components_.astype(np.float16)
        print(f"n_fft {n_fft}: {len(X)} frames, objective {model.objective_[-1]:.5g}")
    np.savez_compressed(options.output, **arrays)


def parse():
    parser = argparse.ArgumentParser(description="Train the built-in speech basis.")
    parser.add_argument("speech", help="folder of clean recordings")
    parser.add_argument("output", help="file to write, .npz")
    parser.add_argument("--components", type=int, default=128)
    parser.add_argument("--frames", type=int, default=120, help="frames taken of a recording")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"train_speech_basis.py: {error}")
