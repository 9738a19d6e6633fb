"""Figures in the README and the guide are those of the tables that the benchmarks wrote."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anmf import AuxIVA

ROOT = Path(__file__).parent.parent
README, START = "README.md", "docs/start.md"
LEARNED, MICROPHONES = "docs/guide/learned.md", "docs/guide/microphones.md"
NMF, AUDIO = "docs/guide/nmf.md", "docs/guide/audio.md"

ROOMS = {  # row of the table: who made it
    "`source_model='surrogate'`": "method == 'surrogate iss2' and n_iter == 20",
    "cliques, ISS2 (the default)": "method == 'cliques iss2' and n_iter == 20",
    "true powers known, ISS": "method == 'oracle iss' and n_iter == 20",
    "Gauss, ISS, after 50": "method == 'gauss iss' and n_iter == 50",
}
ELSEWHERE = [("surrogate |", "surrogate iss"), ("cliques, ISS2 |", "cliques iss2")]
TALKERS = {
    "ideal binary mask": "method == 'ideal binary mask'",
    "`load_deep_clustering()`": "method == 'deep clustering, soft'",
    "the same, hard": "method == 'deep clustering, hard'",
    "`PITSeparator`": "method == 'PIT'",
}
"""Rows of tables in the guide, and the lines of the CSV whose gains stand there."""


def numbers(text):
    """Numbers in a piece of text but for its code, each with its count of decimals."""
    text = re.sub(r"`[^`]*`", "", text)
    found = re.findall(r"(?<![\w.-])[−-]?\d+(?:\.\d+)?(?![\w-])", text)
    return [(float(n.replace("−", "-")), len(n.partition(".")[2])) for n in found]


def row(page, start, column=None):
    """The cells of the table row of a page that begins with `start`, or one of them."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {start}")]
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    return " ".join(cells[1:]) if column is None else cells[column]


def table(name, query=None):
    frame = pd.read_csv(ROOT / "docs" / "measured" / f"{name}.csv")
    return frame if query is None else frame.query(query)


def assert_told(text, values):
    """The numbers of the text are the values, to as many decimals as it gives."""
    told = numbers(text)
    assert len(told) == len(values), (told, list(values))
    for (number, decimals), value in zip(told, values, strict=True):
        assert abs(number - value) <= 0.5001 * 10.0**-decimals, (text, list(values))


def ratios(name, rows, column):
    """One value a query, of a column of a table."""
    return [table(name, query)[column].item() for query in rows]


def nmf_starts(matrix):
    return [
        f"matrix == '{matrix}' and start == '{start}' and solver == 'scikit-learn cd'"
        for start in ("random", "nndsvd", "exemplar")
    ]


def against(name, column="seconds"):
    """Times that scikit-learn takes over ours, on MNIST and the synthetic spectrogram."""
    return [
        np.divide(*table(name, f"matrix == '{matrix}'")[column].to_numpy()[::-1])
        for matrix in ("MNIST", "speech-like")
    ]


def speed(ours, peer, precision="complex128"):
    query = f"ours == 'anmf {ours}' and peer == '{peer}' and precision == '{precision}'"
    return table("iva_speed", query)["ratio"]


def cost(column, program="pyroomacoustics gauss"):
    return table("learned_cost", f"program == '{program}'")[column].item()


def gains(*programs):
    """Mean gains in simulated rooms by number of talkers, of (method, n_iter) after each other."""
    lines = table("iva_quality").set_index(["n_sources", "method", "n_iter"])["gain"]
    return [lines[n, method, n_iter] for n in (2, 3, 4) for method, n_iter in programs]


def learned(query, name="learned_rooms_gains"):
    """The best gain of any window, by number of talkers."""
    return table(name, query).groupby("n_sources")["gain"].max().to_list()


def spoken(method, *columns):
    """Columns of the table of speech in noise."""
    (line,) = table("speech", f"method == '{method}' and corpus == 'read'").to_dict("records")
    return [line[column] for column in columns]


def talkers(method, kind):
    """Mean gain with one microphone."""
    return table("learned_talkers", f"method == '{method}' and kind == '{kind}'")["gain"].item()


def digits(model, k=64, pairs=("0+1", "3+8", "2+5", "1+7", "4+9")):
    """Median PSNR of a model on pairs of digits."""
    lines = table("mnist_pairs").set_index(["model", "n_components", "pair"])["median PSNR"]
    return [lines[model, k, pair] for pair in pairs]


FASTER = {  # row of the README: what it tells
    "`NMF` to 1 %": lambda: ratios("nmf_convergence", nmf_starts("MNIST"), "times ours"),
    "the same, synthetic": lambda: ratios(
        "nmf_convergence", nmf_starts("speech-like"), "times ours"
    ),
    "`NMF.transform`": lambda: against("nmf_transform"),
    "Kullback-Leibler": lambda: against("nmf_kl", "seconds an iteration"),
    "`ANMF` to where": lambda: table("adversarial_bars").head(2)["measured"],
    "AuxIVA iteration, IP": lambda: speed("ip", "pyroomacoustics ip"),
    "the same, ISS, both": lambda: speed("iss", "ssspy iss, objective"),
    "the same, ISS2 |": lambda: speed("iss2", "ssspy iss2"),
    "the same, ISS in complex64": lambda: speed("iss", "torchiva iss", "complex64"),
    "a training step": lambda: ratios(
        "learned_bars", ["question.str.contains('torch')"], "measured"
    ),
    "two talkers, 10 s": lambda: [1 / cost("ours / it")],
    "`SVDDecorrelator.fit`": lambda: table("embedding_fit")["ratio"],
    "`bss_eval`": lambda: table("metrics", "program == 'fast_bss_eval'")["ratio"],
}
"""Rows of the table of speeds in the README, and what stands in their third cell."""


@pytest.mark.parametrize("start", FASTER)
def test_times_faster(start):
    assert_told(row(README, start, 2), FASTER[start]())


QUALITY = {  # row of the README: what its second and third cells tell
    "overlaid digits 0 + 1": lambda: (
        [*digits("dnmf", 64, ["0+1"]), *digits("dnmf x 3", 128, ["0+1"])],
        [*digits("nmf", 64, ["0+1"]), *published()],
    ),
    "speech in unknown noise": lambda: (
        [*spoken("built-in basis", "mean"), *spoken("own speech, adversarial", "mean")],
        spoken("oracle: ideal ratio mask", "mean"),
    ),
    "two, three, four talkers": lambda: (
        gains(("default", 20)),
        [*gains(("pyroomacoustics laplace ip", 100)), 100],
    ),
    "the same, `source_model='surrogate'`": lambda: (gains(("surrogate iss2", 20)), []),
    "other rooms, more noise": lambda: (
        learned("method == 'surrogate iss2' and n_iter == 20"),
        [
            *learned("method == 'gauss iss' and n_iter == 50"),
            50,
            *learned("method == 'oracle iss' and n_iter == 20"),
        ],
    ),
    "one microphone, two talkers": lambda: (
        table("learned_talkers", "method == 'deep clustering, soft'")["gain"],
        table("learned_talkers", "method == 'ideal binary mask'")["gain"],
    ),
    "conversations of up to five": lambda: (
        table("embedding_end_to_end", "method == 'anmf'")["identification"],
        table("embedding_end_to_end", "not method.str.startswith('anmf')")
        .groupby("overlap")["identification"]
        .max(),
    ),
}


def published():
    """What the published updates reach on digits 0 and 1."""
    return table("mnist_quality", "experiment == 'published'")["median PSNR"]


@pytest.mark.parametrize("start", QUALITY)
def test_quality(start):
    for column, values in zip((1, 2), QUALITY[start](), strict=True):
        assert_told(row(README, start, column), values)


def test_numbers():
    assert numbers("28.3 dB (−1.2), `n_iter=20`, 3 to 10") == [
        (28.3, 1), (-1.2, 1), (3.0, 0), (10.0, 0),
    ]  # fmt: skip


def test_a_wrong_figure_is_seen():
    assert_told("14.1 dB, 0.11 s", [14.14, 0.108])
    with pytest.raises(AssertionError):
        assert_told("14.1 dB", [14.3])
    with pytest.raises(AssertionError):
        assert_told("14.1 dB", [14.1, 2.0])


OVERLAID = {  # row of the guide: model and components
    "`'nmf'` | 64": ("nmf", 64),
    "`'anmf'` | 64": ("anmf", 64),
    "`'dnmf'` | 64": ("dnmf", 64),
    "`'dnmf', n_estimators=3`": ("dnmf x 3", 128),
}
SPOKEN = {
    "`SpeechEnhancer().fit()`": "built-in basis",
    "`.fit(clean speech": "own speech",
    "the same, `adversarial_weight=0.1`": "own speech, adversarial",
    "noise corpus known": "own speech, noise known: dnmf x 3",
}
SETTINGS = [  # rows of the guide on several microphones, source model and update
    ("'surrogate'", "'iss2'"), ("'cliques'", "'iss2'"), ("'gauss'", "'iss2'"), ("'gauss'", "'ip2'"),
    ("'gauss'", "'iss'"), ("'gauss'", "'ip'"), ("'nmf'", "'iss2'"), ("'laplace'", "'iss2'"),
    ("'laplace'", "'ip'"),
]  # fmt: skip


@pytest.mark.parametrize("start", OVERLAID)
def test_gains_of_methods(start):
    model, k = OVERLAID[start]
    assert_told(row(NMF, start), [k, *digits(model, k)])


@pytest.mark.parametrize("start", SPOKEN)
def test_speech_in_noise(start):
    assert_told(row(AUDIO, start), spoken(SPOKEN[start], "mean", "worst", "seconds a speaker"))


@pytest.mark.parametrize(("model", "update"), SETTINGS)
def test_settings_for_several_microphones(model, update):
    program = f"{model} {update}".replace("'", "")
    first = "default" if program == "cliques iss2" else program
    told = gains((first, 20), (program, 100))
    assert_told(row(MICROPHONES, f"`{model}` | `{update}`"), told)
    docstring = inspect.getdoc(AuxIVA).splitlines()
    (line,) = [line for line in docstring if re.match(rf"{model} +{update} ", line)]
    assert_told(line.split(maxsplit=2)[2], told)


@pytest.mark.parametrize("start", ROOMS)
def test_gains_of_learned_source_models(start):
    lines = table("learned_rooms_gains", ROOMS[start])
    # Of the Gauss model the best window counts.
    assert_told(row(LEARNED, start).partition("windows")[2] or row(LEARNED, start),
                lines.groupby("n_sources")["gain"].max())  # fmt: skip


@pytest.mark.parametrize(("start", "method"), ELSEWHERE)
def test_gains_elsewhere(start, method):
    lines = table("learned_conditions", f"method == '{method}' and n_iter == 20")
    windows = lines.groupby(["condition", "n_sources"])["n_fft"].nunique()
    assert (windows == 1).all()
    means = lines.groupby(["condition", "n_sources"], sort=False)["gain"].mean()
    assert_told(row(LEARNED, start), means)


@pytest.mark.parametrize("start", TALKERS)
def test_gains_with_one_microphone(start):
    assert_told(row(LEARNED, start), table("learned_talkers", TALKERS[start])["gain"])


EXPECT = {  # row of the first page: what it promises
    "{class}`NMF_separation(n_components=64)": lambda: [
        *digits("nmf")[:1], 0, 1, min(digits("nmf")[1:]), max(digits("nmf")[1:]),
    ],
    "`method='exemplar'`": lambda: [
        *digits("exemplar", 64, ["0+1"]), *digits("exemplar", 1000, ["0+1"]), 1000,
    ],
    "`method='dnmf'` |": lambda: [
        *digits("dnmf")[:1], min(digits("dnmf")[1:]), max(digits("dnmf")[1:]),
    ],
    "`method='dnmf', n_components=128, n_estimators=3`": lambda: [
        *digits("dnmf x 3", 128)[:1], *(f(digits("dnmf x 3", 128)[1:]) for f in (min, max)),
    ],
    "{class}`SpeechEnhancer().fit()": lambda: [*spoken("built-in basis", "mean"), 3],
    "`SpeechEnhancer(adversarial_weight": lambda: spoken("own speech, adversarial", "mean"),
    "{class}`AudioSeparator(": lambda: [*spoken("own speech, noise known: dnmf x 3", "mean"), 3],
    "{func}`load_deep_clustering() ": lambda: [
        talkers("deep clustering, soft", kind)
        for kind in ("different sex", "same sex", "three talkers")
    ],
    "{class}`PITSeparator ": lambda: [
        talkers("PIT", kind) for kind in ("different sex", "same sex")
    ],
    "{class}`SVDDecorrelator() ": lambda: table(
        "embedding_end_to_end", "method == 'anmf' and overlap == 0.4"
    )["identification"],
    "{class}`AuxIVA() ": lambda: gains(("default", 20)),
    "`AuxIVA(source_model='surrogate')`": lambda: gains(("surrogate iss2", 20)),
}  # fmt: skip


@pytest.mark.parametrize("start", EXPECT)
def test_what_to_expect(start):
    assert_told(row(START, start, 2), EXPECT[start]())
