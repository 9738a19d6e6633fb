"""Every public name has a docstring, whose parameters are those of its signature."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import anmf

HOMES = ["anmf", *(f"anmf.{name}" for name in anmf._SUBPACKAGES)]
PUBLIC = {
    f"{home}.{name}": getattr(import_module(home), name)
    for home in HOMES
    for name in getattr(import_module(home), "__all__", ())
}
CALLABLE = {name: value for name, value in PUBLIC.items() if callable(value)}
ROOT = Path(anmf.__file__).parent
ELSEWHERE = re.compile(r"(?:arguments|parameters)[\w ]* as (?:of|in) `")


def listed(docstring, section):
    """Names that a section of a numpydoc docstring documents, or None where there is none."""
    pattern = rf"^{section}\n-+\n(.*?)(?=^[A-Z][\w ]*\n-+$|\Z)"
    found = re.search(pattern, docstring, re.MULTILINE | re.DOTALL)
    if found is None:
        return None
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", found[1], re.MULTILINE)
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def is_record(value):
    return hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__")


def test_parser():
    text = "One line.\n\nParameters\n----------\na, b : int\n    Both.\n**options\n    More.\n"
    assert listed(text, "Parameters") == ["a", "b", "options"]
    assert listed(text + "\nReturns\n-------\nfloat\n", "Parameters") == ["a", "b", "options"]
    assert listed(text, "Returns") is None


@pytest.mark.parametrize("name", CALLABLE)
def test_parameters_are_those_of_the_signature(name):
    value = CALLABLE[name]
    # Not inspect.getdoc: a docstring that is inherited doesn't count.
    assert value.__doc__, f"{name} has no docstring"
    text = inspect.cleandoc(value.__doc__)
    documented = listed(text, "Parameters")
    if documented is None and is_record(value):
        documented = listed(text, "Attributes")
    if documented is None and ELSEWHERE.search(text):
        return
    # The order may differ: names that belong together stand together.
    assert sorted(documented or ()) == sorted(inspect.signature(value).parameters)


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if inspect.ismodule(v)])
def test_public_modules_are_documented(name):
    assert PUBLIC[name].__doc__


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if isinstance(v, dict)])
def test_a_string_below_every_registry_documents_it(name):
    pattern = rf'^{name.split(".")[-1]} = .*(\n[ }}\])].*)*\n"""\w'
    texts = (path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    assert any(re.search(pattern, text, re.MULTILINE) for text in texts)
