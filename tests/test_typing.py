"""Type checkers and editors see the public names that load on first use."""

import ast
from pathlib import Path

import anmf


def seen_by_type_checkers():
    """Home of every name that is imported and re-exported under ``if TYPE_CHECKING:``."""
    tree = ast.parse(Path(anmf.__file__).read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    )
    return {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def test_lazy_names_are_imported_for_type_checkers():
    assert seen_by_type_checkers() == {**anmf._HOME, **dict.fromkeys(anmf._SUBPACKAGES, "anmf")}
