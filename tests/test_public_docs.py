"""Every public name is documented and annotated: parameters, shapes, results, an example."""

import inspect
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import anmf

ROOT = Path(anmf.__file__).parent
HOMES = ["anmf", *(f"anmf.{name}" for name in anmf._SUBPACKAGES)]
PUBLIC = {
    f"{home}.{name}": getattr(import_module(home), name)
    for home in HOMES
    for name in getattr(import_module(home), "__all__", ())
}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
FUNCTIONS = {
    name: value for name, value in PUBLIC.items() if callable(value) and name not in CLASSES
}
METHODS = {
    f"{member.__module__}.{member.__qualname__}": member
    for value in CLASSES.values()
    for key, member in inspect.getmembers(value, inspect.isroutine)
    if not key.startswith("_") and str(getattr(member, "__module__", "")).startswith("anmf")
}
"""Under the class that defines them."""
DOCUMENTED = {
    **{f"{value.__module__}.{value.__qualname__}": value for value in FUNCTIONS.values()},
    **{f"{value.__module__}.{value.__qualname__}": value for value in CLASSES.values()},
    **METHODS,
}
WANTED = {
    "GL06": "unknown section",
    "GL07": "sections out of order",
    "GL08": "no docstring",
    "SS01": "no summary",
    "SS06": "summary of several lines",
    "PR01": "parameters not documented",
    "PR02": "unknown parameters",
    "PR04": "parameter without type",
    "PR07": "parameter without description",
    "RT01": "no section on what is returned",
    "YD01": "no section on what is yielded",
}
"""Codes of numpydoc's validation that are held."""
UNITS = {
    "sample_rate": r"\bHz\b",
    "rt60": r"\bs\b|[Ss]econds",
    "duration": r"\bs\b|[Ss]econds",
    "snr": r"\bdB\b",
}
"""What the text on a parameter of this name must hold."""


def entries(name):
    """Parameters, results and attributes of a docstring: name, type, text."""
    doc = NumpyDocString(inspect.getdoc(DOCUMENTED[name]) or "")
    return [
        (entry.name, entry.type, " ".join(entry.desc))
        for section in ("Parameters", "Returns", "Yields", "Attributes")
        for entry in doc[section]
    ]


def untold(name, kind, text):
    """What is missing in one entry: a shape or a unit, or nothing."""
    arrays = re.search(r"(?<!dict of )\b(arrays?\b(?! namespace)|ndarray)", kind)
    if arrays and not re.search(r"\bshapes?\b|\((\w[\w ]*,|\w*\)|\.\.\.)", kind + text):
        return f"{name} : {kind} has no shape"
    for part in name.split(", "):
        if part in UNITS and not re.search(UNITS[part], kind + " " + text):
            return f"{part} has no unit"
    return None


def test_the_names_are_all_there():
    counts = Counter(name.split(".")[1] for name in DOCUMENTED)
    assert len(FUNCTIONS) > 70 and len(CLASSES) > 30 and len(METHODS) > 70
    assert {"nmf", "iva", "deep", "embedding", "audio", "metrics", "masks"} <= set(counts)


def test_what_is_missing_is_seen():
    assert untold("x", "ndarray", "Samples.") == "x : ndarray has no shape"
    assert untold("x", "ndarray of shape (n_times,)", "Samples.") is None
    assert untold("sample_rate", "int", "Of all.") == "sample_rate has no unit"
    assert untold("sample_rate", "int", "In Hz.") is None


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstring_is_complete(name):
    errors = validate(name)["errors"]
    assert [text for code, text in errors if code in WANTED] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_shapes_and_units_are_told(name):
    assert [lack for entry in entries(name) if (lack := untold(*entry))] == []


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if name not in METHODS])
def test_docstring_has_an_example(name):
    assert ">>> " in inspect.getdoc(DOCUMENTED[name])


@pytest.mark.parametrize("name", DOCUMENTED)
def test_signature_is_annotated(name):
    value = DOCUMENTED[name]
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    signature = inspect.signature(value)
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls") and parameter.annotation is parameter.empty
    ]
    assert bare == []
    assert inspect.isclass(value) or signature.return_annotation is not signature.empty


def test_the_reference_has_every_public_name():
    listed = {
        f"anmf.{path.stem}.{name}"
        for path in (ROOT.parent / "docs" / "reference").glob("*.rst")
        for name in re.findall(r"^(?:   |.. py:data:: )(\w+)$", path.read_text(), re.MULTILINE)
    }
    wanted = {name for name in PUBLIC if name.count(".") > 1}
    assert wanted == {name for name in listed if not name.startswith("anmf.index.")}


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if inspect.ismodule(v)])
def test_public_modules_are_documented(name):
    assert PUBLIC[name].__doc__


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if isinstance(v, dict)])
def test_a_string_below_every_registry_documents_it(name):
    pattern = rf'^{name.split(".")[-1]}\b.* = .*(\n[ }}\])].*)*\n"""\w'
    texts = (path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    assert any(re.search(pattern, text, re.MULTILINE) for text in texts)
