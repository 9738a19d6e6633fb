"""Find broken links inside a built site: ``python docs/check_links.py docs/_build/html``."""

import argparse
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places in it that a link may name.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(folder):
    """Links of the pages in a folder that lead to nothing.

    Parameters
    ----------
    folder : Path
        A built site; links that leave it aren't followed.

    Returns
    -------
    list of (str, str)
        Page and link.
    """
    paths = [path.resolve() for path in sorted(folder.rglob("*.html"))]
    pages = {path: Page(path) for path in paths if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            if not target.exists() or unquote(parts.fragment) not in anchors:
                broken.append((str(path.relative_to(folder.resolve())), link))
    return broken


def main(arguments=None):
    """Command line; the exit code is 1 if a link is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    if not list(folder.rglob("*.html")):
        parser.error(f"no pages in {folder}")
    broken = broken_links(folder)
    for page, link in broken:
        print(f"{page}: {link}")
    print(f"{len(broken)} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
