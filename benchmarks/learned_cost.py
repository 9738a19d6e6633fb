"""What does the surrogate source model cost beside pyroomacoustics, and what does it gain?

CPU time with one thread from waveform to waveforms, of 10 s of two talkers; and the SI-SDR
improvement of several such recordings.
"""

from functools import partial
from importlib import import_module

import numpy as np
import pandas as pd

from anmf import AuxIVA
from benchmarks.iva_programs import DEFAULTS, PYROOM, has
from benchmarks.iva_quality import waveforms
from benchmarks.iva_rooms import HOP, N_FFT, Talkers, gain, spectrogram
from benchmarks.learned_rooms import unseen_room
from benchmarks.report import Bar, save_table
from benchmarks.timing import interleaved, ratio

MANY, TIME_BAR, GAIN_BAR = 50, 1 / 3, 0.0
OURS = "surrogate"
PEERS = {f"{PYROOM} {model}": model for model in ("gauss", "laplace")}
PROGRAMS = {
    OURS: {"source_model": "surrogate"},
    "cliques": {},
    "gauss iss": {"source_model": "gauss", "update": "iss", "max_iter": MANY},
}
"""Settings of AuxIVA beside its defaults."""
FULL = {"n_rooms": 6, "first": 100, "seconds": 10.0, "repeats": 7}
QUICK = {"n_rooms": 1, "first": 1000, "seconds": 2.0, "repeats": 2}


def by_pyroomacoustics(x, model):
    """Sources of a recording (n_times, n_channels) by the peer, with the transforms of ours."""
    peer = import_module(f"{PYROOM}.bss").auxiva
    Y = peer(spectrogram(x).transpose(2, 0, 1), n_iter=MANY, model=model)
    return waveforms(Y.transpose(1, 2, 0), len(x), N_FFT, HOP)


def programs():
    """Functions from recordings (n_times, n_channels) to their sources, those that can be run."""
    found = {
        name: AuxIVA(n_threads=1, **options).fit_transform for name, options in PROGRAMS.items()
    }
    if has(PYROOM):
        found |= {name: partial(by_pyroomacoustics, model=model) for name, model in PEERS.items()}
    return found


def compare(talkers, n_rooms, first, seconds, repeats):
    """One line a program: iterations, CPU time and its ratio to ours, and gains.

    Parameters
    ----------
    talkers : Talkers
    n_rooms : int
        Recordings that the gain is the mean of; the first of them is what time is measured with.
    first : int
        Seed of the first room; the others follow.
    seconds : float
        Of each recording.
    repeats : int
        Rounds of the measurement of time.

    Returns
    -------
    DataFrame
        `seconds` is the median, `ours / it` that of the ratios of one round; `gain` and `more`,
        what ours gains over it, are means in dB.
    """
    run = programs()
    rooms = [unseen_room(talkers, 2, seed, seconds) for seed in range(first, first + n_rooms)]
    gains = {name: [gain(room, f(room.mixture)) for room in rooms] for name, f in run.items()}
    taken = interleaved({name: partial(f, rooms[0].mixture) for name, f in run.items()}, repeats)
    return pd.DataFrame(
        {
            "program": name,
            "n_iter": PROGRAMS.get(name, {"max_iter": MANY}).get("max_iter", DEFAULTS["max_iter"]),
            "seconds": np.median(taken[name]),
            "ours / it": ratio(taken[OURS], taken[name]),
            "gain": np.mean(gains[name]),
            "more": np.mean(np.subtract(gains[OURS], gains[name])),
        }
        for name in run
    )


def cost_bars(table):
    """Bars of the time and of the gain, beside the peer."""
    bars = []
    for name, row in table.set_index("program").iterrows():
        if name in PEERS:
            bars += [
                Bar(f"{OURS} / {name} at {MANY}: time", row["ours / it"], TIME_BAR, "x", False),
                Bar(f"{OURS} − {name} at {MANY}", row["more"], GAIN_BAR, "dB"),
            ]
    return bars


def measure(output, quick):
    """Write the table learned_cost.csv; bars, and whether speech is real."""
    talkers = Talkers()
    if not has(PYROOM):
        print(f"{PYROOM} can't be run, so it is left out")
    table = compare(talkers, **(QUICK if quick else FULL))
    print(table.to_string(index=False, float_format="{:.3g}".format))
    save_table(table, output, "learned_cost")
    return cost_bars(table), talkers.real
