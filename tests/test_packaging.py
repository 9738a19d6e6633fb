"""What setup.cfg, the constraints, the changelog and the version tell agrees."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

import anmf

ROOT = Path(__file__).parent.parent
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
EXTRAS = SETUP["options.extras_require"]
BOUND = re.compile(r"([a-zA-Z0-9_-]+)>=([0-9.]+)")


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


REQUIRED = lines(SETUP["options"]["install_requires"])


@pytest.mark.parametrize(
    "line", [*REQUIRED, *(line for extra in EXTRAS.values() for line in lines(extra))]
)
def test_every_requirement_has_a_lower_bound_and_no_other(line):
    assert BOUND.fullmatch(line)


def test_constraints_are_the_lower_bounds():
    text = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    constraints = [line for line in lines(text) if not line.startswith("#")]
    bounds = [line.replace(">=", "==") for line in REQUIRED + lines(EXTRAS["test"])]
    assert sorted(constraints) == sorted(bounds)


@pytest.mark.parametrize("extra", ["plot", "models"])
def test_lower_bounds_of_what_users_add_are_tested(extra):
    assert set(lines(EXTRAS[extra])) <= set(lines(EXTRAS["test"]))


def test_the_lowest_python_is_among_the_classifiers():
    named = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)
    assert SETUP["options"]["python_requires"] == f">={named[0]}"


def test_every_file_of_the_package_is_packaged():
    package = Path(anmf.__file__).parent
    patterns = SETUP["options.package_data"]
    for path in package.rglob("*"):
        if path.is_dir() or path.suffix == ".py" or "__pycache__" in path.parts:
            continue
        folder = ".".join(path.parent.relative_to(package.parent).parts)
        assert any(path.match(pattern) for pattern in lines(patterns.get(folder, ""))), path


def test_citation_names_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", text, re.MULTILINE)[1] == anmf.__version__


def test_changelog_has_this_version_or_what_is_to_come():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    released = [
        re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)", h) for h in heads if h != "Unreleased"
    ]
    assert all(released), f"a heading is Unreleased or 'number - date': {heads}"
    assert heads[0] == "Unreleased" or released[0][1] == anmf.__version__
    dates = [found[2] for found in released if found[1] == anmf.__version__]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^date-released: (\S+)$", citation, re.MULTILINE) == dates
