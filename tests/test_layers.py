"""Imports run downward only, heavy packages have one door each, and `import anmf` is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anmf

ROOT = Path(anmf.__file__).parent
LEVELS = {
    name: level
    for level, names in enumerate(
        [
            ("_core",),
            ("masks", "metrics"),
            ("base",),
            ("audio",),
            ("embedding", "nmf"),
            ("iva", "deep"),
            ("datasets",),
            ("plotting", "demo", "models"),
            ("commands",),
            ("cli", "__main__"),
        ]
    )
    for name in names
}
FAMILIES = {"nmf", "iva", "embedding", "deep"}
DOORS = {
    ("iva/lowrank.py", "anmf.nmf.updates"),
    ("embedding/cone.py", "anmf.nmf.updates"),
    ("iva/band_network.py", "anmf.deep"),
    ("iva/surrogate.py", "anmf.deep"),
}
ONLY_IN = {
    "numba": {"_core/jit.py"},
    "array_api_compat": {"_core/arrays.py"},
    "matplotlib": {"plotting/pictures.py"},
    "argparse": {"cli.py"},
    "skops": {"models.py"},
}
FILES = sorted(ROOT.rglob("*.py"))


def imported(path):
    """Dotted names of the modules that a file imports, and those it requires by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
            yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward(path):
    place = path.relative_to(ROOT)
    own = place.parts[0].removesuffix(".py")
    for name in imported(path):
        parts = name.split(".")
        assert str(place) in ONLY_IN.get(parts[0], {str(place)}), f"{place} imports {name}"
        if place.name in ("updates.py", "updates_numba.py", "source_models.py"):
            assert parts[0] != "sklearn", f"{place} imports {name}"
        if own == "__init__" or parts[0] != "anmf" or len(parts) < 2 or parts[1] == own:
            continue
        if any(str(place) == file and name.startswith(door) for file, door in DOORS):
            continue
        if parts[1] in LEVELS:
            assert LEVELS[parts[1]] <= LEVELS[own], f"{place} imports {name}"
            assert not {own, parts[1]} <= FAMILIES, f"{place} imports {name}"


def test_every_module_has_a_level():
    top = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in FILES}
    assert top - {"__init__"} <= set(LEVELS)


def test_import_is_light():
    code = "import anmf, sys; print(*[m for m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout.split()
    assert not {"numba", "sklearn", "librosa", "matplotlib", "scipy"} & set(loaded)


def test_public_names_load():
    for name in anmf.__all__:
        assert getattr(anmf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'NFM'"):
        anmf.NFM  # noqa: B018
