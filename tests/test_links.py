"""Links in the repository lead somewhere, and broken ones on the site are found."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("check_links", ROOT / "docs" / "check_links.py")
check_links = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_links)


def anchors(text):
    """Anchors of the headings of a Markdown page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_repository_lead_somewhere(name):
    page = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in (link for link in links if "://" not in link):
        path, _, anchor = link.partition("#")
        target = ROOT / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.fixture
def site(tmp_path):
    """Two pages whose links all lead somewhere."""
    folder = tmp_path / "site"
    (folder / "guide").mkdir(parents=True)
    (folder / "a.png").touch()
    (folder / "index.html").write_text('<a href="guide/b.html#there">b</a><img src="a.png">')
    text = (
        '<h1 id="there">b</h1><a href="../">up</a><a href="#there">x</a><a href="https://c">c</a>'
    )
    (folder / "guide" / "b.html").write_text(text)
    return folder


def test_good_links_pass(site, capsys):
    assert check_links.main([str(site)]) == 0
    assert capsys.readouterr().out == "0 broken links\n"


@pytest.mark.parametrize("link", ["missing.html", "guide/b.html#nowhere", "#nowhere", "no.png"])
def test_broken_links_are_found(site, link, capsys):
    (site / "c.html").write_text(f'<a href="{link}">')
    assert check_links.main([str(site)]) == 1
    assert f"c.html: {link}" in capsys.readouterr().out


def test_a_folder_without_pages_is_an_error(tmp_path):
    with pytest.raises(SystemExit):
        check_links.main([str(tmp_path)])
