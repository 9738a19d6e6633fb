"""SI-SDR improvement of determined separation, by iterations and CPU time, and of a stream.

Times are from waveform to waveforms: the transforms and the scaling are counted.
"""

import pickle
from functools import partial

import numpy as np
import pandas as pd

from anmf import AuxIVA
from anmf.audio import istft
from anmf.iva import auxiva, load_surrogate, projection_back
from benchmarks.iva_programs import DEFAULTS, PYROOM, has
from benchmarks.iva_rooms import HOP, N_FFT, RATE, gain, room, spectrogram
from benchmarks.timing import cpu_seconds

CURVES = [
    (model, update) for model in ("laplace", "gauss") for update in ("ip", "iss", "ip2", "iss2")
]
CURVES += [("nmf", "iss2"), ("surrogate", "iss2")]
if (DEFAULTS["source_model"], DEFAULTS["update"]) not in CURVES:
    CURVES.append((DEFAULTS["source_model"], DEFAULTS["update"]))
DEFAULT, REFERENCE, PEER = "default", "laplace ip", "pyroomacoustics laplace ip"
MANY = 100
"""Iterations of the reference and of the peer."""
STREAM_SECONDS, LAST_SECONDS = 60, 10


def waveforms(Y, n_times, n_fft, hop_length):
    """Of spectrograms (n_frequencies, n_sources, n_frames): (n_times, n_sources)."""
    return istft(Y.transpose(1, 2, 0), n_fft, hop_length, n_times=n_times).T


def separated(x, n_iter, model, update, n_fft, hop_length):
    """Sources of a recording (n_times, n_channels), with the functions of this package."""
    known = load_surrogate().adapted(RATE, n_fft) if model == "surrogate" else model
    X = spectrogram(x, n_fft, hop_length)
    result = auxiva(X, update=update, source_model=known, max_iter=n_iter, tol=0, random_state=0)
    Y = projection_back(result.spectrograms, result.demixing)
    return waveforms(Y, len(x), n_fft, hop_length)


def by_pyroomacoustics(x, n_iter, n_fft, hop_length):
    """The same with AuxIVA-IP of pyroomacoustics at its defaults."""
    from pyroomacoustics.bss import auxiva as peer

    Y = peer(spectrogram(x, n_fft, hop_length).transpose(2, 0, 1), n_iter=n_iter)
    return waveforms(Y.transpose(1, 2, 0), len(x), n_fft, hop_length)


def measure_room(scene, checkpoints, frames):
    """One line a method and number of iterations."""
    x, rows = scene.mixture, []

    def measure(method, n_iter, function):
        seconds, estimate = cpu_seconds(function)
        rows.append({"method": method, "n_iter": n_iter, "gain": gain(scene, estimate),
                     "seconds": seconds})  # fmt: skip

    model = AuxIVA(n_fft=frames[0], hop_length=frames[1])
    measure(DEFAULT, None, lambda: model.fit_transform(x))
    rows[-1]["n_iter"] = model.n_iter_
    if has(PYROOM):
        measure(PEER, MANY, lambda: by_pyroomacoustics(x, MANY, *frames))
    for source_model, update in CURVES:
        for n_iter in checkpoints:
            call = partial(separated, x, n_iter, source_model, update, *frames)
            measure(f"{source_model} {update}", n_iter, call)
    return rows


def compare_quality(talkers, n_rooms, checkpoints, seconds, frames=(N_FFT, HOP)):
    """One line a room, method and number of iterations.

    Parameters
    ----------
    talkers : Talkers
    n_rooms : dict of int to int
        How many rooms, by number of sources.
    checkpoints : sequence of int
        Numbers of iterations; the last should be `MANY`.
    seconds : float
    frames : tuple of int
        `n_fft` and `hop_length`.
    """
    rows = []
    for n, how_many in n_rooms.items():
        for seed in range(how_many):
            scene = room(talkers, n, seed, seconds)
            if seed == 0:
                measure_room(scene, (2,), frames)  # compile
            lines = measure_room(scene, checkpoints, frames)
            rows += [{"n_sources": n, "room": seed, **line} for line in lines]
    return pd.DataFrame(rows)


def summary(rooms):
    """Means over the rooms; `more` is what is gained over the reference at `MANY` iterations.

    Standard errors of `gain` and `more` stand next to them.
    """
    last = rooms[(rooms["method"] == REFERENCE) & (rooms["n_iter"] == MANY)]
    place = ["n_sources", "room"]
    rooms = rooms.merge(last[[*place, "gain"]].rename(columns={"gain": "reference"}), on=place)
    rooms["more"] = rooms["gain"] - rooms["reference"]
    rooms["step"] = rooms["n_iter"].where(rooms["method"] != DEFAULT, -1)
    groups = rooms.groupby(["n_sources", "method", "step"], sort=False)
    table = groups.agg(
        n_iter=("n_iter", "mean"), rooms=("room", "count"), gain=("gain", "mean"),
        error=("gain", "sem"), worst=("gain", "min"), more=("more", "mean"),
        more_error=("more", "sem"), seconds=("seconds", "mean"),
    )  # fmt: skip
    return table.reset_index().drop(columns="step")


def stream_room(talkers, n, seed, seconds, last, frames):
    """Gain of the end of a scene by filters learned block by block, and from the whole."""
    scene = room(talkers, n, seed, seconds)
    streamed, sizes = AuxIVA(n_fft=frames[0], hop_length=frames[1]), []
    taken = []
    for begin in range(0, len(scene.mixture), RATE):
        block = scene.mixture[begin : begin + RATE]
        taken.append(cpu_seconds(lambda block=block: streamed.partial_fit(block))[0])
        sizes.append(len(pickle.dumps(streamed)))
    whole = AuxIVA(n_fft=frames[0], hop_length=frames[1]).fit(scene.mixture)
    end = scene.mixture[-last * RATE :]
    gains = [gain(scene, model.transform(end), last * RATE) for model in (streamed, whole)]
    return {
        "n_sources": n,
        "room": seed,
        "stream": gains[0],
        "batch": gains[1],
        "seconds a block": np.median(taken),
        "state (MB)": sizes[-1] / 1e6,
        "growth": sizes[-1] / sizes[len(sizes) // 6],
    }


def compare_stream(talkers, n_rooms, seconds, last, frames=(N_FFT, HOP)):
    """One line a room; `n_rooms` as for `compare_quality`."""
    rooms = [(n, seed) for n, how_many in n_rooms.items() for seed in range(how_many)]
    return pd.DataFrame([stream_room(talkers, n, seed, seconds, last, frames) for n, seed in rooms])
