"""
Train a surrogate source model
==============================

Learns the weights of `anmf.AuxIVA` from a folder of clean speech in LibriSpeech's layout: talkers
take random places in simulated rooms, and a network learns to take them apart again::

    python examples/train_surrogate.py LibriSpeech surrogate.npz --split train-clean-100

Rooms of two to four microphones are simulated by the image-source method (extra ``rooms``);
levels differ by up to 5 dB, and noise is 20 to 30 dB below. The last speakers are held out, and
tell how well it works at the end.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from tqdm.auto import tqdm

from anmf import AuxIVA
from anmf.datasets import load_librispeech, simulate_room
from anmf.iva import SurrogateSourceModel
from anmf.metrics import si_sdr_improvement

SIZES = (2, 3, 4)
SECONDS, RT60, NOISE, LEVELS, RADIUS = 4.0, (0.15, 0.45), (-30, -20), (-2.5, 2.5), (0.025, 0.08)


def main():
    options = parse()
    speech = load_librispeech(options.speech, options.split)
    names = np.unique(speech.speakers)
    if len(names) < options.unseen + max(SIZES):
        raise ValueError(f"{len(names)} speakers are too few to hold out {options.unseen} of them")
    known, unseen = names[: -options.unseen], names[-options.unseen :]
    sizes = [n for n, count in zip(SIZES, options.rooms, strict=True) for _ in range(count)]
    rooms = simulate(options, known, sizes, 0)
    model = SurrogateSourceModel(
        n_fft=options.n_fft, n_iter=(6, 12), lead=40, narrow=0.25, max_iter=options.steps,
        validation_fraction=0.03, random_state=0, checkpoint=options.checkpoint,
        warm_start=options.checkpoint is not None, verbose=1,
    )  # fmt: skip
    model.fit([x for x, _ in rooms], [s for _, s in rooms])
    model.save(options.output)
    for n in SIZES:
        test = simulate(options, unseen, [n] * options.tests, 1)
        for name, source_model in (("gauss", "gauss"), ("cliques", "cliques"), ("this", model)):
            separator = AuxIVA(source_model=source_model, n_fft=options.n_fft, max_iter=20)
            gains = [improvement(separator, x, s) for x, s in test]
            print(f"{n} talkers, 20 iterations, {name:8} {np.mean(gains):5.2f} dB")


def simulate(options, names, sizes, seed):
    """Mixtures (n_times, n_channels) and what microphone 0 hears of each talker, for all sizes."""
    make = partial(room, options.speech, options.split, names)
    seeds = [(seed, i) for i in range(len(sizes))]
    with ProcessPoolExecutor() as pool:
        return list(tqdm(pool.map(make, sizes, seeds, chunksize=4), total=len(sizes), desc="rooms"))


def room(folder, split, names, n, seed):
    """One room with `n` talkers and microphones."""
    rng = np.random.default_rng(seed)
    speech = load_librispeech(folder, split)
    talkers = rng.choice(names, n, replace=False)
    dry = np.stack([excerpt(speech, name, rng) for name in talkers], axis=1)
    gains = 10 ** (rng.uniform(*LEVELS, n) / 20)
    data = simulate_room(
        dry * gains, n, rt60=RT60, sample_rate=speech.sample_rate, method="image-source",
        noise_level=rng.uniform(*NOISE), array_radius=rng.uniform(*RADIUS), random_state=rng,
    )  # fmt: skip
    return data.mixture, data.images[:, :, 0]


def excerpt(speech, name, rng):
    """Some seconds of a talker, at unit power."""
    n_times, x = round(SECONDS * speech.sample_rate), np.empty(0, np.float32)
    clips = np.flatnonzero(speech.speakers == name)
    while len(x) < n_times + speech.sample_rate:
        x = np.append(x, speech.clips[rng.choice(clips)])
    start = rng.integers(len(x) - n_times + 1)
    x = x[start : start + n_times]
    return x / x.std()


def improvement(separator, x, s):
    """Mean improvement of the SI-SDR in dB, in the best order."""
    estimate = separator.fit_transform(x)
    return float(np.mean(si_sdr_improvement(s, estimate, x[:, 0], permute=True)))


def parse():
    parser = argparse.ArgumentParser(description="Train a surrogate source model for AuxIVA.")
    parser.add_argument("speech", help="folder of clean recordings, in LibriSpeech's layout")
    parser.add_argument("output", help="file to write, .npz")
    parser.add_argument("--split", default="train", help="folder of speakers inside of it")
    parser.add_argument("--rooms", type=int, nargs=3, default=(1000, 400, 300), metavar="N",
                        help="of two, three and four talkers")  # fmt: skip
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--n-fft", type=int, default=4096)
    parser.add_argument("--unseen", type=int, default=20, help="speakers held out")
    parser.add_argument("--tests", type=int, default=16, help="mixtures of each size to test on")
    parser.add_argument("--checkpoint", help="file that training can go on from, .npz")
    options = parser.parse_args()
    if options.unseen < max(SIZES):
        parser.error(f"--unseen: {options.unseen} must be at least {max(SIZES)}, for tests")
    return options


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"train_surrogate.py: {error}")
