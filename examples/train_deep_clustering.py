"""
Train deep clustering
=====================

Learns the model that `anmf.deep.load_deep_clustering` reads, from a folder of clean speech in
LibriSpeech's layout. Mixtures of two talkers are drawn from it at several tempos::

    python examples/train_deep_clustering.py LibriSpeech deep_clustering.npz --split train-clean-100

An hour of speech is enough. The last speakers are held out, and tell how well it works at the end.
"""

import argparse
import sys

import numpy as np

from anmf.datasets import load_librispeech
from anmf.deep import DeepClustering
from anmf.deep.mixtures import draw_sources, prepare_talkers
from anmf.metrics import si_sdr_improvement

SAMPLE_RATE, SECONDS = 8000, 4.0


def main():
    options = parse()
    speech = load_librispeech(options.speech, options.split)
    names = np.unique(speech.speakers)
    if len(names) < options.unseen + 3:
        raise ValueError(f"{len(names)} speakers are too few to hold out {options.unseen} of them")
    known, unseen = names[: -options.unseen], names[-options.unseen :]
    sources = draw(speech, known, options.mixtures, 2, 0)
    model = DeepClustering(
        sample_rate=SAMPLE_RATE, duration=3.0, batch_size=6, max_iter=options.steps, remix=True,
        random_state=0, checkpoint=options.checkpoint,
        warm_start=options.checkpoint is not None, verbose=1,
    )  # fmt: skip
    model.fit(None, sources)
    model.save(options.output)
    for n in (2, 3):
        model.set_params(n_sources=n)
        gains = [improvement(model, s) for s in draw(speech, unseen, options.tests, n, 1)]
        print(f"{n} talkers: {np.mean(gains):5.2f} dB")


def draw(speech, names, n_mixtures, n_sources, seed):
    """Sources (n_times, n_sources) of mixtures of these talkers."""
    theirs = np.flatnonzero(np.isin(speech.speakers, names))
    talkers = prepare_talkers(
        [speech.clips[i] for i in theirs], speech.speakers[theirs], speech.sample_rate,
        to_rate=SAMPLE_RATE, **({"speeds": [1.0]} if seed else {}),
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    n_times = round(SECONDS * SAMPLE_RATE)
    return [s.T for s in draw_sources(talkers, n_mixtures, n_times, rng, n_sources=n_sources)]


def improvement(model, sources):
    """Mean improvement of the SI-SDR in dB, in the best order."""
    mixture = sources.sum(axis=1)
    gains = si_sdr_improvement(sources, model.separate(mixture), mixture, permute=True)
    return float(np.mean(gains))


def parse():
    parser = argparse.ArgumentParser(description="Train deep clustering.")
    parser.add_argument("speech", help="folder of clean recordings, in LibriSpeech's layout")
    parser.add_argument("output", help="file to write, .npz")
    parser.add_argument("--split", default="train", help="folder of speakers inside of it")
    parser.add_argument("--mixtures", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--unseen", type=int, default=20, help="speakers held out")
    parser.add_argument("--tests", type=int, default=30, help="mixtures of each size to test on")
    parser.add_argument("--checkpoint", help="file that training can go on from, .npz")
    options = parser.parse_args()
    if options.unseen < 3:
        parser.error(f"--unseen: {options.unseen} must be at least 3, for tests")
    return options


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"train_deep_clustering.py: {error}")
