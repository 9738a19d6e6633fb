"""The Python of the README, of the documentation and of CONTRIBUTING runs as it stands."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/guide/*.md"]
REGISTRIES = {
    "anmf.embedding": ("COUNTING_RULES", "DEMIXING_MODELS"),
    "anmf.iva": ("SOURCE_MODELS", "UPDATES"),
    "anmf.masks": ("MASKS",),
    "anmf.metrics": ("METRICS",),
    "anmf.nmf": ("METHODS",),
}


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S)


BLOCKS = [
    pytest.param(code, id=f"{path.relative_to(ROOT)} {i}")
    for page in PAGES
    for path in sorted(ROOT.glob(page))
    for i, code in enumerate(blocks(path))
]
EXTEND = {path.stem: blocks(path) for path in sorted(ROOT.glob("docs/extend/*.md"))}
EXAMPLES = {name: codes for name, codes in EXTEND.items() if codes}


@pytest.fixture(autouse=True)
def registries():
    """What a page registers is taken away again; nothing else may change."""
    found = [getattr(import_module(m), name) for m, names in REGISTRIES.items() for name in names]
    before = [dict(registry) for registry in found]
    yield
    for registry, content in zip(found, before, strict=True):
        registry.clear()
        registry.update(content)


@pytest.mark.parametrize("code", BLOCKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_block_runs(code):
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_page_of_extensions_runs(name):
    """Its blocks go on from each other."""
    exec(compile("\n".join(EXAMPLES[name]), f"{name}.md", "exec"), {})


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_extensions_are_short(name):
    assert all(len(code.splitlines()) < 30 for code in EXAMPLES[name])


def test_every_registry_has_a_page():
    pages = "".join(code for codes in EXAMPLES.values() for code in codes)
    names = [name for names in REGISTRIES.values() for name in names]
    assert [name for name in names if f'{name}["' not in pages] == []


def test_first_block_separates(capsys):
    exec(compile(BLOCKS[0].values[0], "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) > 20
