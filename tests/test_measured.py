"""Figures in the README and the guide are those of the tables that the benchmarks wrote."""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("measured", ROOT / "docs" / "_ext" / "measured.py")
measured = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(measured)

README, START = "README.md", "docs/start.md"
LEARNED, MICROPHONES = "docs/guide/learned.md", "docs/guide/microphones.md"

ROOMS = {  # row of the table: who made it
    "`source_model='surrogate'`": "method == 'surrogate iss2' and n_iter == 20",
    "cliques, ISS2 (the default)": "method == 'cliques iss2' and n_iter == 20",
    "true powers known, ISS": "method == 'oracle iss' and n_iter == 20",
    "Gauss, ISS, after 50": "method == 'gauss iss' and n_iter == 50",
}
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


@pytest.mark.parametrize("start", ROOMS)
def test_gains_of_learned_source_models(start):
    lines = table("learned_rooms_gains", ROOMS[start])
    # Of the Gauss model the best window counts.
    assert_told(row(LEARNED, start).partition("windows")[2] or row(LEARNED, start),
                lines.groupby("n_sources")["gain"].max())  # fmt: skip


@pytest.mark.parametrize("start", TALKERS)
def test_gains_with_one_microphone(start):
    assert_told(row(LEARNED, start), table("learned_talkers", TALKERS[start])["gain"])


def test_every_table_is_shown():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^```\{measured\} (\w+)", page, re.MULTILINE))
    kept = {path.stem for path in (ROOT / "docs" / "measured").glob("*.csv")}
    assert shown <= kept
    assert {measured.benchmark_of(name) for name in kept} == {
        measured.benchmark_of(name) for name in shown
    }


def test_select_and_words(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    frame = pd.DataFrame({"m": ["b", "b", "a", "a"], "n": [2, 3, 2, 3], "x": [1.25, -2.5, 1e-9, 7]})
    frame.to_csv(tmp_path / "iva_x.csv", index=False)
    wide = measured.select("iva_x", {"rows": "m", "across": "n", "value": "x", "digits": 1})
    assert list(wide) == ["m", "2", "3"]
    assert wide.to_numpy().tolist() == [["b", "1.2", "−2.5"], ["a", "1e-09", "7"]]
    options = {"where": "n == 3", "columns": measured.columns("x=gain, m"), "digits": 2}
    assert measured.select("iva_x", options).to_numpy().tolist() == [["−2.50", "b"], ["7", "a"]]
    with pytest.raises(ValueError, match="no row where n == 9"):
        measured.select("iva_x", {"where": "n == 9"})


def test_bars_are_told_with_their_sign(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    lines = (
        "question,measured,bar,unit,at_least,verdict",
        "fast?,2.5,3,x,True,short",
        "small?,1,2,,False,ok",
    )
    (tmp_path / "iva_bars.csv").write_text("\n".join(lines))
    assert measured.select("iva_bars", {}).to_numpy().tolist() == [
        ["fast?", "2.5", "≥ 3 x", "short"], ["small?", "1", "≤ 2", "ok"],
    ]  # fmt: skip


def test_benchmark_of_a_table():
    assert measured.benchmark_of("mnist_pairs_bars") == "mnist_pairs"
    assert measured.benchmark_of("iva_quality") == "iva"
