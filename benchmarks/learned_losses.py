"""Is it better to train the surrogate source model for SI-SDR or for coherence?

Both losses with the same network, seed, rooms and number of steps, beside Gauss, in rooms of
talkers that training didn't hear; 8 kHz, iterative source steering.
"""

import os
from pathlib import Path

import pandas as pd

from anmf.datasets import load_librispeech
from anmf.iva import SurrogateSourceModel
from anmf.iva.surrogate_training import LOSSES
from benchmarks.iva_rooms import RATE, Talkers, method
from benchmarks.learned_conditions import halved
from benchmarks.learned_rooms import curve, unseen_room
from benchmarks.report import OTHERS, OURS, figure, save_figure, save_table
from benchmarks.timing import cpu_seconds

GAUSS = "gauss"
STEPS = (5, 10, 20, 50)
HALF = RATE // 2
TRAINING_SEED = 10_000
"""Seed of the first room of training; `first` is that of the first one to test with."""
FULL = {
    "n_training": 120,
    "n_rooms": 12,
    "first": 0,
    "seconds": 4.0,
    "n_fft": 2048,
    "settings": {"max_iter": 200, "n_iter": (6, 12)},
}
QUICK = {
    "n_training": 3,
    "n_rooms": 2,
    "first": 1000,  # rooms that the full size doesn't have
    "seconds": 1.5,
    "n_fft": 512,
    "settings": {
        "max_iter": 3, "n_iter": (2, 3), "batch_size": 2, "duration": 1.0, "n_bands": 8, "width": 6,
    },
}  # fmt: skip


class KnownTalkers(Talkers):
    """Those of ``$ANMF_DATA/speech/train``, none of which are among `Talkers`."""

    real = True

    def __init__(self, folder):
        speech = load_librispeech(folder, "train")
        self._clips, self._speakers = speech.clips, speech.speakers


def training_talkers(talkers):
    """`KnownTalkers`, or where they are absent the same as are tested with, the synthetic ones."""
    folder = Path(os.environ.get("ANMF_DATA", ""), "speech")
    return KnownTalkers(folder) if talkers.real and (folder / "train").is_dir() else talkers


def scenes(talkers, first, n_rooms, seconds):
    """Two talkers and two microphones in each of `n_rooms` rooms, at 8 kHz."""
    return [
        halved(unseen_room(talkers, 2, seed, seconds)) for seed in range(first, first + n_rooms)
    ]


def trained(rooms, loss, n_fft, settings):
    """A source model trained for a loss, and the CPU seconds it took."""
    model = SurrogateSourceModel(
        sample_rate=HALF, n_fft=n_fft, loss=loss, random_state=0, **settings
    )
    mixtures, sources = ([room[name] for room in rooms] for name in ("mixture", "images"))
    seconds, model = cpu_seconds(lambda: model.fit(mixtures, sources))
    return model, seconds


def gains(rooms, models, n_fft):
    """One line a room, model and number of iterations; `models` by name."""
    return pd.DataFrame(
        [
            {"room": i, "trained for": name, "n_iter": n_iter, "gain": gain}
            for i, scene in enumerate(rooms)
            for name, model in models.items()
            for n_iter, gain in curve(scene, model, "iss", n_fft, STEPS).items()
        ]
    )


def summary(lines):
    """Mean gain by model and iterations, its standard error, and what it gains over Gauss."""
    place = ["room", "n_iter"]
    gauss = lines[lines["trained for"] == GAUSS].rename(columns={"gain": "gauss"})
    lines = lines.merge(gauss[[*place, "gauss"]], on=place)
    lines["more"] = lines["gain"] - lines["gauss"]
    groups = lines.groupby(["trained for", "n_iter"], sort=False)
    return groups.agg(
        rooms=("gain", "count"), gain=("gain", "mean"), error=("gain", "sem"),
        worst=("gain", "min"), more=("more", "mean"), more_error=("more", "sem"),
    ).reset_index()  # fmt: skip


def measure(output, quick):
    """Write learned_losses*.csv and the figure; no bars, and whether speech is real."""
    plan, talkers = QUICK if quick else FULL, Talkers()
    known, seconds, n_fft = training_talkers(talkers), plan["seconds"], plan["n_fft"]
    rooms = scenes(known, TRAINING_SEED, plan["n_training"], seconds)
    models = {GAUSS: GAUSS}
    for loss in LOSSES:
        models[loss], taken = trained(rooms, loss, n_fft, plan["settings"])
        print(f"trained for {loss}: {len(models[loss].loss_)} steps, {taken:.0f} s of CPU time")
    tests = scenes(talkers, plan["first"], plan["n_rooms"], seconds)
    lines = gains(tests, models, n_fft)
    table = summary(lines)
    print(f"SI-SDR improvement (dB) in rooms ({method()}) after so many iterations")
    wide = table.pivot_table(["gain", "error"], "trained for", "n_iter", sort=False)
    print(wide.to_string(float_format="{:.2f}".format))
    save_table(lines, output, "learned_losses_rooms")
    save_table(table, output, "learned_losses")
    draw(table, output)
    return [], known is not talkers


STYLES = {
    "sdr": ("trained for SI-SDR", {"color": OURS, "lw": 2.4}),
    "coherence": ("trained for coherence", {"color": OTHERS[1], "lw": 2.0}),
    GAUSS: ("Gauss, not trained", {"color": OTHERS[0], "lw": 2.0}),
}


def draw(table, output):
    """Gain against iterations, with standard errors."""
    canvas, ((ax,),) = figure(1, 1, (5.6, 3.8))
    for i, (name, (label, style)) in enumerate(STYLES.items()):
        lines = table[table["trained for"] == name]
        apart = lines["n_iter"] * 1.03 ** (i - 1)  # so that error bars don't hide each other
        ax.errorbar(
            apart,
            lines["gain"],
            lines["error"],
            marker="o",
            ms=4,
            capsize=2,
            elinewidth=1,
            label=label,
            **style,
        )
    ax.set(xscale="log", xlabel="iterations", ylabel="SI-SDR improvement (dB)")
    ax.set_title("two talkers, two microphones, 8 kHz")
    ax.set_xticks(STEPS, STEPS)
    ax.minorticks_off()
    ax.legend()
    save_figure(canvas, output, "learned_losses")
