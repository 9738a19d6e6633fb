"""CITATION.cff is well-formed, names this version, and every paper in it can be found."""

import re
from pathlib import Path

import pytest

import anmf

TEXT = (Path(__file__).parent.parent / "CITATION.cff").read_text(encoding="utf-8")
HEAD, _, LIST = TEXT.partition("\nreferences:\n")
REFERENCES = re.split(r"^  - ", LIST, flags=re.MULTILINE)[1:]


def test_the_software_has_what_the_format_requires():
    for key in ("cff-version: 1.2.0", "message: ", "title: ", "authors:\n  - name: "):
        assert f"\n{key}" in f"\n{HEAD}", key
    version = re.search(r"^version: (.+)$", HEAD, re.MULTILINE)
    assert version is None or version[1].strip("\"'") == anmf.__version__


@pytest.mark.parametrize("text", REFERENCES, ids=range(len(REFERENCES)))
def test_every_reference_has_type_authors_title_and_year(text):
    assert re.match(r"type: (article|conference-paper|report)\n", text)
    assert re.search(r"^    authors:\n(      - family-names: \S.*\n)+(?!      )", text, re.M)
    assert re.search(r'^    title: "[^"]+"$', text, re.MULTILINE)
    assert re.search(r"^    year: (19|20)\d\d$", text, re.MULTILINE)


def test_it_is_yaml():
    yaml = pytest.importorskip("yaml")
    parsed = yaml.safe_load(TEXT)
    assert len(parsed["references"]) == len(REFERENCES) > 0
    for paper in parsed["references"]:
        assert paper["authors"] and paper["title"] and isinstance(paper["year"], int)


def test_no_paper_is_there_twice():
    titles = re.findall(r'^    title: "(.+)"$', LIST, re.MULTILINE)
    assert len(titles) == len(set(titles)) == len(REFERENCES)
