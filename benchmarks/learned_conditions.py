"""Does the surrogate source model hold in measured rooms, with accents, and at 8 kHz?

Responses measured with a dummy head and with a line of microphones in an office, talkers with
accents, and half of the sample rate that it was trained for; always beside Gauss with its best
window. Conditions that ``$ANMF_DATA`` has no data for are left out.
"""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve, resample_poly
from sklearn.utils import Bunch

from anmf.datasets import load_librispeech
from anmf.iva import load_surrogate
from benchmarks.iva_rooms import N_FFT, RATE, Talkers
from benchmarks.learned_rooms import (
    GAUSS,
    LEVELS,
    MANY,
    OURS_ISS,
    USUAL,
    WINDOWS,
    curve,
    paired,
    unseen_room,
)
from benchmarks.report import Bar, save_table

APART = 30
"""Least angle in degrees between talkers in measured rooms."""
NOISE, SPACINGS, BAR = -25.0, (1, 2), -0.5
"""dB over the mixture; microphones of the line from one to the next; dB."""
FULL = {"n_rooms": 16, "first": 200, "seconds": 4.0, "windows": WINDOWS}
QUICK = {"n_rooms": 1, "first": 1000, "seconds": 1.0, "windows": WINDOWS[:2]}
CONDITIONS = ("dummy head", "office", "accents", "8 kHz")
METHODS = {GAUSS: (5, 10, USUAL, MANY), OURS_ISS: (5, 10, USUAL), "cliques iss2": (5, 10, USUAL)}


class AccentedTalkers(Talkers):
    """Talkers of accented English."""

    real = True

    def __init__(self, folder):
        speech = load_librispeech(folder, "test")
        self._clips, self._speakers = speech.clips, speech.speakers


def data_file(*names):
    """A file or folder of ``$ANMF_DATA``; None, and a line that says so, if it isn't there."""
    folder = os.environ.get("ANMF_DATA")
    if folder and Path(folder, *names).exists():
        return Path(folder, *names)
    print(f"No {'/'.join(names)} in ANMF_DATA, so its condition is left out")
    return None


def head_responses(data, n, rng):
    """From `n` directions well apart to the ears of a dummy head, (n, 2, n_taps)."""
    chosen = rng.choice(apart(data["azimuth_deg"], n))
    return data["rir"][rng.permutation(chosen)]


def line_responses(data, n, rng):
    """From `n` places well apart to as many neighbours of a line, (n, n, n_taps).

    They are from the middle half of the line, which talkers surround. The line is in the origin of
    the first coordinate of the places; their second runs along it, and its middle is that of the
    places.
    """
    responses, places = data["rir"], data["source_xy_m"]
    step = rng.choice(SPACINGS)
    n_all, reach = responses.shape[1], step * (n - 1)
    first = rng.integers(n_all // 4, 3 * n_all // 4 - reach)
    middle = (first + reach / 2 - (n_all - 1) / 2) * data["mic_spacing_m"]
    across, along = places[:, 0], places[:, 1] - places[:, 1].mean() - middle
    chosen = rng.choice(apart(np.degrees(np.arctan2(along, across)), n))
    return responses[rng.permutation(chosen)][:, first : first + reach + 1 : step]


def apart(angles, n):
    """All sets of `n` of the angles, in degrees, that are `APART` from each other: (n_sets, n)."""
    pairs = combinations(range(len(angles)), n)
    return np.array([p for p in pairs if np.diff(np.sort(angles[list(p)])).min() >= APART])


def measured_room(talkers, responses, seconds, rng):
    """Talkers convolved with responses (n_sources, n_channels, n_taps), and white noise.

    Returns
    -------
    Bunch
        As `benchmarks.iva_rooms.room`.
    """
    n = len(responses)
    dry = talkers.draw(n, seconds, rng) * 10 ** (rng.uniform(*LEVELS, n) / 20)
    images = np.stack(
        [fftconvolve(x[:, None], h.T, axes=0)[: len(dry)]
         for x, h in zip(dry.T, responses.astype(np.float64), strict=True)], axis=1,
    )  # fmt: skip
    mixture = images.sum(axis=1)
    noise = rng.standard_normal(mixture.shape)
    noise *= np.sqrt(np.mean(mixture**2) / np.mean(noise**2)) * 10 ** (NOISE / 20)
    return Bunch(mixture=mixture + noise, images=images[:, :, 0])


def halved(scene):
    """The same at half of the sample rate."""
    return Bunch(**{name: resample_poly(x, 1, 2) for name, x in scene.items()})


def conditions(talkers):
    """Of each the numbers of talkers, ``scene(n, seed, seconds)``, and the sample rate in Hz."""
    found = {}

    def add_measured(name, file, sizes, respond):
        path = data_file("rirs", file)
        if path:
            with np.load(path) as archive:
                data = {key: archive[key] for key in archive.files}

            def scene(n, seed, seconds):
                rng = np.random.default_rng([seed, n, 5])
                return measured_room(talkers, respond(data, n, rng), seconds, rng)

            found[name] = sizes, scene, RATE

    add_measured("dummy head", "surrey_room_a_16k.npz", (2,), head_responses)
    add_measured("office", "polimi_office_16k.npz", (2, 3), line_responses)
    folder = data_file("speech_so762")
    if folder:
        accents = AccentedTalkers(folder)
        found["accents"] = (2, 3), lambda n, *rest: unseen_room(accents, n, *rest), RATE
    found["8 kHz"] = (2, 3), lambda n, *rest: halved(unseen_room(talkers, n, *rest)), RATE // 2
    return found


def measure_scene(scene, sample_rate, windows):
    """One line a method, window and number of iterations; windows are those at 16 kHz."""
    half, rows = RATE // sample_rate, []
    fitted = "surrogate" if half == 1 else load_surrogate().adapted(sample_rate, N_FFT // half)
    for name, steps in METHODS.items():
        model, update = name.split()
        for window in windows if name == GAUSS else (N_FFT,):
            known = fitted if model == "surrogate" else model
            found = curve(scene, known, update, window // half, steps)
            rows += [{"method": name, "n_fft": window // half, "n_iter": n_iter, "gain": gain}
                     for n_iter, gain in found.items()]  # fmt: skip
    return rows


def compare(talkers, n_rooms, first, seconds, windows):
    """One line a condition, number of talkers, room, method, window and number of iterations.

    Parameters
    ----------
    talkers : Talkers
    n_rooms : int
        Of each condition and number of talkers.
    first : int
        Seed of the first room; the others follow.
    seconds : float
    windows : sequence of int
        Of Gauss, in samples at 16 kHz.
    """
    return pd.DataFrame(
        [
            {"condition": name, "n_sources": n, "room": seed, **line}
            for name, (sizes, scene, sample_rate) in conditions(talkers).items()
            for n in sizes
            for seed in range(first, first + n_rooms)
            for line in measure_scene(scene(n, seed, seconds), sample_rate, windows)
        ]
    )


PAIRS = [
    ((OURS_ISS, USUAL), (GAUSS, MANY)),
    ((OURS_ISS, USUAL), ("cliques iss2", USUAL)),
]


def intervals(lines):
    """`benchmarks.learned_rooms.paired` for every condition and number of talkers."""
    return pd.DataFrame(
        [
            {"condition": name, "n_sources": n, **row}
            for (name, n), cell in lines.groupby(["condition", "n_sources"], sort=False)
            for row in paired(cell, PAIRS)
        ]
    )


def condition_bars(differences):
    """What is gained over Gauss in each condition; `differences` as of `intervals`."""
    held = differences.drop_duplicates(["condition", "n_sources"])
    return [
        Bar(f"{r.condition}, {r.n_sources} talkers: {r.difference}", r.mean, BAR, "dB")
        for r in held.itertuples()
    ]


def measure(output, quick):
    """Write the tables learned_conditions*.csv; bars, and whether all of the data is there."""
    talkers = Talkers()
    lines = compare(talkers, **(QUICK if quick else FULL))
    differences = intervals(lines)
    print("SI-SDR improvement (dB) after so many iterations")
    index = ["condition", "n_sources", "method", "n_fft"]
    wide = lines.pivot_table("gain", index, "n_iter", sort=False)
    print(wide.sort_index(axis=1).to_string(float_format="{:.2f}".format, na_rep=""))
    print("\npaired differences (dB), 95 % bootstrap intervals over rooms; share of rooms above 0")
    print(differences.to_string(index=False, float_format="{:.2f}".format))
    save_table(lines, output, "learned_conditions")
    save_table(differences, output, "learned_conditions_intervals")
    complete = set(lines["condition"]) == set(CONDITIONS)
    return condition_bars(differences), talkers.real and complete
