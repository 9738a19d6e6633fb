"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import anmf

MODULES = [
    module.name
    for module in pkgutil.walk_packages(anmf.__path__, "anmf.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
