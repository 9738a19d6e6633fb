"""How well, and how fast, is speech taken out of noise that isn't known?

For every speaker of ``$ANMF_DATA/speech/test`` half of the utterances are clean speech to learn
from; the others meet noises of ``$ANMF_DATA/noise/test`` at 3 dB. Quality is the SI-SDR of the
speech: the mean over the files of a speaker, then over speakers. The same is done with accented
speech (``$ANMF_DATA/speech_so762/test``), and with recordings of noise (``$ANMF_DATA/noise/train``)
to learn from. A file of ten minutes tells time and memory. Without the data, synthetic voices in
synthetic noises take their place.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from anmf import AudioSeparator, NMF_separation, SpeechEnhancer
from anmf.audio import AudioWriter
from anmf.datasets import load_librispeech, load_noise, make_noise, make_noisy_speech, make_voices
from anmf.masks import ideal_separation
from anmf.metrics import si_sdr
from benchmarks.report import (
    BAR,
    OTHERS,
    OURS,
    Bar,
    bars_frame,
    figure,
    print_bars,
    save_figure,
    save_table,
)
from benchmarks.timing import cpu_seconds

SNR = 3.0
KINDS = ("babble", "bursts", "hum", "pink", "rain")
MOST_MEMORY, LEAST_SPEED = 300.0, 50.0
"""Bars of a long file: peak memory in MB, and seconds of sound in a second of CPU time."""


@dataclass(frozen=True)
class Method:
    """One line of the table: how speech is estimated, and what that is held to.

    `enhance` takes clean speech, mixtures, their true parts and noises to learn from, and returns
    estimates. Bars: SI-SDR of the mean over speakers, of the worst, and of the mean over the input
    (dB); CPU seconds a speaker.
    """

    name: str
    enhance: object
    corpus: str = "read"
    mean: float | None = None
    worst: float | None = None
    gain: float | None = None
    seconds: float | None = None


def unchanged(clean, mixtures, parts, noises):
    """The input."""
    return mixtures


def oracle(clean, mixtures, parts, noises):
    """The ideal ratio mask, made of the true parts: what masks of magnitudes can reach."""
    pairs = zip(mixtures, parts, strict=True)
    return [ideal_separation(mixture, part)[:, 0] for mixture, part in pairs]


def adapted(clean, mixtures, parts, noises, **options):
    """`SpeechEnhancer` with the speaker's own speech."""
    return SpeechEnhancer(random_state=0, **options).fit(clean).enhance(mixtures)


def built_in(clean, mixtures, parts, noises):
    """`SpeechEnhancer` with the basis that comes with the package."""
    return SpeechEnhancer(random_state=0).fit().enhance(mixtures)


def noise_known(clean, mixtures, parts, noises):
    """Bases of the speaker and of recordings of other noise, trained to separate."""
    bases = NMF_separation(64, method="dnmf", max_iter=20, n_estimators=3, random_state=0)
    model = AudioSeparator(bases)
    model.fit([*clean, *noises], np.repeat([0, 1], [len(clean), len(noises)]))
    return [part[:, 0] for part in model.separate(mixtures)]


adversarial = partial(adapted, adversarial_weight=0.1)
three_lengths = partial(adapted, n_fft=(512, 1024, 2048))
METHODS = (
    Method("input", unchanged),
    Method("built-in basis", built_in, mean=6.2),
    Method("own speech", adapted, mean=7.8, seconds=1.0),
    Method("own speech, adversarial", adversarial, mean=8.2, worst=4.5),
    Method("own speech, three frame lengths", three_lengths),
    Method("own speech, noise known: dnmf x 3", noise_known, mean=8.8),
    Method("oracle: ideal ratio mask", oracle),
    Method("input", unchanged, "accented"),
    Method("built-in basis", built_in, "accented"),
    Method("own speech", adapted, "accented", gain=5.0),
    Method("oracle: ideal ratio mask", oracle, "accented"),
)


def corpora(quick):
    """What is measured on.

    Returns
    -------
    speakers : dict of str to list of Bunch
        Of each corpus the speakers, each with `clean`, `mixtures`, `parts`.
    noises : list of array (n_times,)
        To learn from: short pieces, none of a recording that is in a mixture.
    real : bool
    """
    folder = os.environ.get("ANMF_DATA")
    names = {"read": "speech", "accented": "speech_so762"}
    if not folder or not all(Path(folder, n).is_dir() for n in (*names.values(), "noise")):
        print("No speech in ANMF_DATA; synthetic voices in synthetic noises take its place")
        return *synthetic(2 if quick else 10), False
    noise = list(load_noise(Path(folder, "noise", "test")).clips)
    speakers = {
        corpus: recorded_speakers(Path(folder, name), noise, *(2, 3) if quick else ())
        for corpus, name in names.items()
    }
    clips = load_noise(Path(folder, "noise", "train")).clips
    return speakers, noise_pieces(clips, 8 if quick else 60), True


def recorded_speakers(root, noise, n_speakers=None, n_utterances=None):
    """Speakers of the test split of a folder, their later utterances in noise."""
    speech = load_librispeech(root, "test", speakers=n_speakers, n_utterances=n_utterances)
    found = []
    for i, speaker in enumerate(dict.fromkeys(speech.speakers)):
        clips = [speech.clips[k] for k in np.flatnonzero(speech.speakers == speaker)]
        found.append(in_noise(clips, noise, i))
    return found


def in_noise(clips, noise, seed):
    """One speaker: the first half of the clips clean, the others in noise."""
    half = len(clips) // 2
    rng = np.random.default_rng(seed)
    made = make_noisy_speech(clips[half:], noise, snr=SNR, random_state=rng)
    parts = [np.stack(pair, axis=1) for pair in zip(made.speech, made.noise, strict=True)]
    return Bunch(clean=clips[:half], mixtures=made.mixtures, parts=parts)


def noise_pieces(clips, n_pieces, seconds=2.0, rate=16000):
    """The beginnings of some clips drawn at random, of those that sound."""
    rng = np.random.default_rng(0)
    drawn = (clips[i][: int(seconds * rate)] for i in rng.permutation(len(clips)))
    pieces = []
    for piece in drawn:
        if np.sqrt(np.mean(piece**2)) > 1e-3:
            pieces.append(piece)
        if len(pieces) == n_pieces:
            break
    return pieces


def synthetic(n_speakers):
    """The same of synthetic voices and noises; the second corpus has other voices."""
    noise = [make_noise(5.0, kind, random_state=0) for kind in KINDS]
    speakers = {}
    for seed, corpus in enumerate(("read", "accented")):
        voices = make_voices(n_speakers, 20.0, random_state=seed).waveforms.T
        clips = [np.split(voice, 8) for voice in voices]
        speakers[corpus] = [in_noise(list(c), noise, i) for i, c in enumerate(clips)]
    return speakers, [make_noise(2.0, kind, random_state=s) for kind in KINDS for s in (1, 2)]


def measure(method, speakers, noises):
    """Mean SI-SDR (n_speakers,) and CPU seconds (n_speakers,) of one method."""
    quality, seconds = [], []
    for one in speakers:
        call = partial(method.enhance, one.clean, one.mixtures, one.parts, noises)
        taken, estimates = cpu_seconds(call)
        pairs = zip(one.parts, estimates, strict=True)
        quality.append(np.mean([si_sdr(part[:, 0], estimate) for part, estimate in pairs]))
        seconds.append(taken)
    return np.array(quality), np.array(seconds)


def bars_of(method, row):
    """Bars of one line of the table."""
    label = f"{method.corpus}, {method.name}"
    held = {
        "mean SI-SDR": ("mean", method.mean, "dB", True),
        "worst speaker": ("worst", method.worst, "dB", True),
        "mean SI-SDR over the input": ("over input", method.gain, "dB", True),
        "CPU time a speaker": ("seconds a speaker", method.seconds, "s", False),
    }
    return [
        Bar(f"{label}: {what}", row[column], bar, unit, at_least)
        for what, (column, bar, unit, at_least) in held.items()
        if bar is not None
    ]


LONG_FILE = """
import resource, sys, time
from pathlib import Path
from anmf import SpeechEnhancer
warm, path, output = sys.argv[1:]
SpeechEnhancer(random_state=0).fit().enhance_file(warm, output, overwrite=True)  # compile
began = time.process_time()
SpeechEnhancer(random_state=0).fit().enhance_file(path, output, overwrite=True)
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if Path("/proc/self/status").exists():  # the other one counts what the parent held
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(seconds, peak)
"""


def long_file(mixtures, minutes):
    """CPU seconds, and peak memory in MB of a process, for a file of so many minutes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, name)) for name in ("warm.wav", "long.wav", "speech.wav")]
        for path, wanted in zip(paths[:2], (16000, minutes * 960000), strict=True):
            with AudioWriter(path, 16000) as writer:
                while writer.n_times < wanted:
                    for x in mixtures:
                        writer.write(x[: wanted - writer.n_times])
        done = subprocess.run([sys.executable, "-c", LONG_FILE, *paths], check=True,
                              capture_output=True, text=True)  # fmt: skip
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / 1024


def run(output, quick):
    """Measure all methods, then the long file."""
    speakers, noises, real = corpora(quick)
    applies = real and not quick
    rows, bars, inputs = [], [], {}
    first = speakers["read"][0]
    small = Bunch(clean=first.clean[:1], mixtures=first.mixtures[:1], parts=first.parts[:1])
    for method in METHODS:
        if not quick:
            measure(method, [small], noises[:2])  # compile
        quality, seconds = measure(method, speakers[method.corpus], noises)
        inputs.setdefault(method.corpus, quality.mean())
        rows.append(
            {
                "corpus": method.corpus,
                "method": method.name,
                "mean": quality.mean(),
                "worst": quality.min(),
                "over input": quality.mean() - inputs[method.corpus],
                "bar": method.mean,
                "seconds a speaker": seconds.mean(),
                "seconds bar": method.seconds,
                "slowest speaker": seconds.max(),
            }
        )
        bars += bars_of(method, rows[-1])
    minutes = 1 if quick else 10
    seconds, peak = long_file(first.mixtures, minutes)
    bars.append(Bar(f"file of {minutes} min: times real time", 60 * minutes / seconds, LEAST_SPEED))
    bars.append(Bar(f"file of {minutes} min: peak memory", peak, MOST_MEMORY, "MB", False))
    table = pd.DataFrame(rows).astype({"bar": float, "seconds bar": float})
    save_table(table, output, "speech")
    save_table(bars_frame(bars), output, "speech_bars")
    print("SI-SDR in dB, CPU time in s, training included")
    print(table.to_string(index=False, float_format="%.2f", na_rep=""))
    print()
    print_bars(bars, applies=applies)
    draw(table, output)


def draw(table, output):
    """Quality of every method with its bar, and CPU time."""
    canvas, axes = figure(1, 2, (11, 0.34 * len(table) + 1.5))
    quality, time = axes[0]
    height = -np.arange(len(table)) - 0.7 * table["corpus"].ne(table["corpus"][0])
    learns = table["method"].str.contains("speech|basis")
    colours = np.where(learns, OURS, OTHERS[3])
    quality.barh(height, table["mean"], color=colours, height=0.65)
    quality.plot(table["worst"], height, "D", color="white", mec="black", label="worst speaker")
    quality.vlines(table["bar"], height - 0.42, height + 0.42, color=BAR, lw=2, label="bar")
    for y, value, bar in zip(height, table["mean"], table["bar"].fillna(0), strict=True):
        quality.text(max(value, bar) + 0.3, y, f"{value:.1f}", va="center")
    quality.set_yticks(height, [f"{r.corpus}: {r.method}" for r in table.itertuples()])
    quality.set(xlabel="SI-SDR (dB)", title="Mean over speakers")
    time.barh(height, table["seconds a speaker"].where(learns), color=OURS, height=0.65)
    time.vlines(table["seconds bar"], height - 0.42, height + 0.42, color=BAR, lw=2)
    time.set_yticks(height, [""] * len(height))
    time.set(xlabel="CPU time a speaker (s), one thread", title="Time")
    canvas.legend(*quality.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax in (quality, time):
        ax.grid(axis="y", visible=False)
        ax.set_ylim(height.min() - 0.7, height.max() + 0.7)
    save_figure(canvas, output, "speech")
