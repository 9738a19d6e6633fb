"""What does the surrogate source model gain in simulated rooms?

Two to four talkers that it has never heard and as many microphones, 4 s each, beside source models
that aren't learned; Gauss has the window that suits it best. An oracle, whose weights come from the
true powers, tells how much there is to be gained.
"""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from anmf.datasets import simulate_room
from anmf.iva import auxiva, projection_back
from benchmarks.iva_quality import waveforms
from benchmarks.iva_rooms import N_FFT, RATE, Talkers, gain, method, spectrogram
from benchmarks.report import BAR, OTHERS, OURS, Bar, figure, save_figure, save_table

RT60, NOISE, LEVELS, RADIUS = (0.15, 0.45), (-30, -20), (-2.5, 2.5), (0.025, 0.08)
"""Seconds; dB over the mixture; dB; metres: a room draws from each range."""
STEPS, USUAL, MANY = (5, 10, 20, 50), 20, 50
GAUSS, OURS_ISS = "gauss iss", "surrogate iss"
WINDOWS = (N_FFT // 2, N_FFT, 2 * N_FFT)
METHODS = {
    GAUSS: WINDOWS,
    "nmf iss": (N_FFT,),
    "cliques iss2": (N_FFT,),
    OURS_ISS: (N_FFT,),
    "surrogate ip": (N_FFT,),
    "surrogate ip2": (N_FFT,),
    "surrogate iss2": (N_FFT,),
    "oracle iss": (N_FFT,),
}
"""Source model and update, and the windows in samples."""
GAIN_BARS, SHARE_BAR, UPDATE_BAR = {2: 2.0, 3: 1.5, 4: 1.5}, 0.85, -0.5
ORACLE_FLOOR, N_RESAMPLES = 1e-4, 10000
FULL = {"n_rooms": {2: 24, 3: 24, 4: 24}, "first": 200, "seconds": 4.0, "methods": METHODS}
QUICK = {
    "n_rooms": {2: 1, 3: 1},
    "first": 1000,  # rooms that the full size doesn't have
    "seconds": 1.0,
    "methods": {name: windows[:2] for name, windows in METHODS.items()},
}


def unseen_room(talkers, n, seed, seconds):
    """`n` talkers and as many microphones in a room drawn as those of training are.

    Returns
    -------
    Bunch
        As `benchmarks.iva_rooms.room`.
    """
    rng = np.random.default_rng([seed, n, 4])
    dry = talkers.draw(n, seconds, rng) * 10 ** (rng.uniform(*LEVELS, n) / 20)
    made = simulate_room(
        dry, n, rt60=RT60, sample_rate=RATE, noise_level=rng.uniform(*NOISE), method=method(),
        array_radius=rng.uniform(*RADIUS), random_state=rng,
    )  # fmt: skip
    return Bunch(
        mixture=np.asarray(made.mixture, dtype=np.float64),
        images=np.asarray(made.images[:, :, 0], dtype=np.float64),
    )


def oracle(scene, n_fft):
    """A source model that knows the power of the images, whatever the estimates are."""
    power = np.abs(spectrogram(scene.images, n_fft, n_fft // 4)) ** 2
    weights = 1 / (power / power.mean(axis=(0, 2), keepdims=True) + ORACLE_FLOOR)
    return lambda _: weights


def curve(scene, source_model, update, n_fft, steps=STEPS):
    """Gain in dB after each of `steps` iterations of one run, a dict."""
    x, gains = scene.mixture, {}
    X = spectrogram(x, n_fft, n_fft // 4)

    def listen(info):
        if info.n_iter in steps:
            W = info.state.demixing
            Y = projection_back(W @ X, W)
            gains[info.n_iter] = gain(scene, waveforms(Y, len(x), n_fft, n_fft // 4))

    auxiva(
        X, update=update, source_model=source_model, max_iter=max(steps), callback=listen,
        random_state=0,
    )  # fmt: skip
    return gains


def measure_room(scene, methods):
    """One line a method, window and number of iterations; `methods` as `METHODS`."""
    rows = []
    for name, windows in methods.items():
        model, update = name.split()
        for n_fft in windows:
            known = oracle(scene, n_fft) if model == "oracle" else model
            for n_iter, found in curve(scene, known, update, n_fft).items():
                rows.append({"method": name, "n_fft": n_fft, "n_iter": n_iter, "gain": found})
    return rows


def compare(talkers, n_rooms, first, seconds, methods):
    """One line a room, method, window and number of iterations.

    Parameters
    ----------
    talkers : Talkers
    n_rooms : dict of int to int
        How many rooms, by number of talkers.
    first : int
        Seed of the first room; the others follow.
    seconds : float
    methods : dict of str to tuple of int
        As `METHODS`.
    """
    return pd.DataFrame(
        [
            {"n_sources": n, "room": seed, **line}
            for n, how_many in n_rooms.items()
            for seed in range(first, first + how_many)
            for line in measure_room(unseen_room(talkers, n, seed, seconds), methods)
        ]
    )


def gains(lines, name, n_iter):
    """Of a method by room, in dB, with the window that is best in the mean at its last iteration.

    Parameters
    ----------
    lines : DataFrame
        Of one number of talkers and one condition.
    name : str
    n_iter : int

    Returns
    -------
    Series
    """
    mine = lines[lines["method"] == name]
    last = mine[mine["n_iter"] == mine["n_iter"].max()]
    best = last.groupby("n_fft")["gain"].mean().idxmax()
    return mine[(mine["n_fft"] == best) & (mine["n_iter"] == n_iter)].set_index("room")["gain"]


def interval(differences, seed=0):
    """95 % bootstrap interval of the mean of paired differences, (low, high).

    Rooms are drawn anew with replacement; as they share their talkers, it is too narrow.
    """
    values = np.asarray(differences, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def paired(lines, pairs):
    """Mean difference of each pair of (method, iterations), its interval, and how often it is > 0.

    Parameters
    ----------
    lines : DataFrame
        As for `gains`.
    pairs : sequence of ((str, int), (str, int))

    Returns
    -------
    list of dict
    """
    rows = []
    for mine, other in pairs:
        more = gains(lines, *mine) - gains(lines, *other)
        low, high = interval(more)
        names = "{} at {} − {} at {}".format(*mine, *other)
        rows.append({"difference": names, "mean": more.mean(), "low": low, "high": high,
                     "share": (more > 0).mean()})  # fmt: skip
    return rows


PAIRS = [
    *(((OURS_ISS, n_iter), (GAUSS, MANY)) for n_iter in STEPS),
    ((OURS_ISS, USUAL), ("cliques iss2", USUAL)),
    (("surrogate iss2", USUAL), ("cliques iss2", USUAL)),
    *(((f"surrogate {u}", USUAL), (OURS_ISS, USUAL)) for u in ("ip", "ip2", "iss2")),
]


def room_bars(rooms):
    """Bars of what is gained over Gauss, how often and how soon, and of the other updates."""
    bars = []
    for n, lines in rooms.groupby("n_sources"):
        ours = {step: gains(lines, OURS_ISS, step) for step in (STEPS[0], USUAL)}
        gauss = gains(lines, GAUSS, MANY)
        more = {step: ours[step] - gauss for step in ours}
        what, share = f"surrogate at {USUAL} − gauss at {MANY}", (more[USUAL] > 0).mean()
        bars.append(Bar(f"{n} talkers: {what}, ISS", more[USUAL].mean(), GAIN_BARS[n], "dB"))
        bars.append(Bar(f"{n} talkers: share of rooms where that is > 0", share, SHARE_BAR))
        improved = (ours[USUAL] > 0).mean()
        bars.append(Bar(f"{n} talkers: share of mixtures that improve", improved, SHARE_BAR))
        if n == 2:
            what = f"surrogate at {STEPS[0]} − gauss at {MANY}"
            bars.append(Bar(f"{n} talkers: {what}, ISS", more[STEPS[0]].mean(), 0.0, "dB"))
        for update in ("ip", "ip2", "iss2"):
            loss = (gains(lines, f"surrogate {update}", USUAL) - ours[USUAL]).mean()
            what = f"surrogate {update} − iss, at {USUAL}"
            bars.append(Bar(f"{n} talkers: {what}", loss, UPDATE_BAR, "dB"))
    return bars


def intervals(rooms):
    """`paired` for every number of talkers."""
    return pd.DataFrame(
        [
            {"n_sources": n, **row}
            for n, lines in rooms.groupby("n_sources")
            for row in paired(lines, PAIRS)
        ]
    )


def summary(rooms):
    """Mean gain, its standard error and the worst, by method, window and iterations."""
    groups = rooms.groupby(["n_sources", "method", "n_fft", "n_iter"], sort=False)["gain"]
    table = groups.agg(rooms="count", gain="mean", error="sem", worst="min")
    return table.reset_index()


def measure(output, quick):
    """Write the tables learned_rooms*.csv and the figure; bars, and whether speech is real."""
    talkers = Talkers()
    rooms = compare(talkers, **(QUICK if quick else FULL))
    table, differences = summary(rooms), intervals(rooms)
    print(f"SI-SDR improvement (dB) in rooms ({method()}) after so many iterations")
    wide = table.pivot_table("gain", ["n_sources", "method", "n_fft"], "n_iter", sort=False)
    print(wide.sort_index(axis=1).to_string(float_format="{:.2f}".format))
    print("\npaired differences (dB), 95 % bootstrap intervals over rooms; share of rooms above 0")
    print(differences.to_string(index=False, float_format="{:.2f}".format))
    save_table(rooms, output, "learned_rooms")
    save_table(table, output, "learned_rooms_gains")
    save_table(differences, output, "learned_rooms_intervals")
    draw(rooms, output)
    return room_bars(rooms), talkers.real


STYLES = {
    "oracle iss": {"color": "black", "ls": ":", "lw": 1.2},
    OURS_ISS: {"color": OURS, "lw": 2.6, "zorder": 4},
    "surrogate iss2": {"color": OURS, "ls": "--"},
    "surrogate ip": {"color": OTHERS[5], "ls": "-"},
    "surrogate ip2": {"color": OTHERS[5], "ls": "--"},
    "cliques iss2": {"color": OTHERS[1]},
    GAUSS: {"color": OTHERS[0], "lw": 2.0},
    "nmf iss": {"color": OTHERS[2]},
}


def draw(rooms, output):
    """Gain against iterations, a panel a number of talkers."""
    sizes = rooms["n_sources"].unique()
    canvas, axes = figure(1, len(sizes), (3.3 * len(sizes) + 2.0, 3.9))
    for ax, n in zip(axes[0], sizes, strict=True):
        lines = rooms[rooms["n_sources"] == n]
        for name, style in STYLES.items():
            means = [gains(lines, name, step).mean() for step in STEPS]
            label = "gauss iss, best window" if name == GAUSS else name
            ax.plot(STEPS, means, marker=".", label=label, **style)
        height = gains(lines, GAUSS, MANY).mean() + GAIN_BARS[n]
        ax.plot(USUAL, height, "_", color=BAR, ms=18, mew=3, zorder=5, label=f"bar at {USUAL}")
        ax.set(xscale="log", xlabel="iterations", title=f"{n} talkers, {n} microphones")
        ax.set_xticks(STEPS, STEPS)
        ax.minorticks_off()
    low, high = zip(*(ax.get_ylim() for ax in axes[0]), strict=True)
    for ax in axes[0]:
        ax.set_ylim(min(low), max(high))
    axes[0, 0].set_ylabel("SI-SDR improvement (dB)")
    canvas.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    save_figure(canvas, output, "learned_rooms")
