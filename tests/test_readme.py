"""The Python of the README, of the guide and of CONTRIBUTING runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = ["docs/start.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/guide/*.md"))]
PAGES = ["README.md", "CONTRIBUTING.md", *GUIDE]
BLOCKS = [
    pytest.param(code, id=f"{name} {i}")
    for name in PAGES
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.S))
]


@pytest.mark.parametrize("code", BLOCKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_block_runs(code):
    from anmf.embedding import COUNTING_RULES, DEMIXING_MODELS
    from anmf.iva import SOURCE_MODELS
    from anmf.nmf import METHODS

    try:
        exec(compile(code, "README.md", "exec"), {})
    finally:
        METHODS.pop("first rows", None)
        SOURCE_MODELS.pop("log-root", None)
        DEMIXING_MODELS.pop("one speaker", None)
        COUNTING_RULES.pop("two", None)


def test_first_block_separates(capsys):
    exec(compile(BLOCKS[0].values[0], "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) > 25
