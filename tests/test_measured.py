"""The directive that shows the tables of benchmarks on the site."""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("measured", ROOT / "docs" / "_ext" / "measured.py")
measured = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(measured)


def test_every_table_is_shown():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^```\{measured\} (\w+)", page, re.MULTILINE))
    kept = {path.stem for path in (ROOT / "docs" / "measured").glob("*.csv")}
    assert kept - shown == {"learned_conditions"}  # room by room; figures of the guide are means
    assert shown <= kept


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


def test_figures_are_told_from_words():
    figures = ["3.2", "−0.5", "1.2e-05", "1.2e−05", "≥ 3 x", "≤ 0.35 s", "≤ 1e-08 of X", "7"]
    assert all(measured.NUMBER.fullmatch(text) for text in figures)
    assert not any(measured.NUMBER.fullmatch(text) for text in ["0 + 1, nmf", "anmf", "", "0+1"])
