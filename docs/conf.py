"""How Sphinx builds the site: ``sphinx-build -W -b html docs docs/_build/html``."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

import anmf

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parent.parent)]

project = "anmf"
author = "The anmf developers"
copyright = author
release = version = version_of("anmf")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
    "measured",
]
exclude_patterns = ["_build"]
templates_path = ["templates"]
default_role = "py:obj"  # single backticks
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]  # which are parameters, too

autosummary_generate = True
autodoc_typehints = "none"  # docstrings say more, with shapes
numpydoc_show_class_members = False
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

ORDER = [
    "plot_digits.py",
    "plot_pipeline.py",
    "plot_tuning.py",
    "plot_ideal_masks.py",
    "plot_speech_in_noise.py",
    "plot_deep_clustering.py",
    "plot_two_microphones.py",
    "plot_surrogate.py",
    "plot_speaker_embeddings.py",
    "*",
    "mnist.py",
    "librispeech_wham.py",
    "train_speech_basis.py",
    "train_deep_clustering.py",
    "train_surrogate.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"[/\\]plot_",  # the others want data of your own: shown, not run
    "within_subsection_order": ExplicitOrder(ORDER),
    "abort_on_example_error": True,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "anmf"
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 5,
}
WHOLE = ["start", "conventions", "coming_from", "benchmarks", "changelog"]  # nothing beside them
html_sidebars = {name: [] for name in WHOLE}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

# Code, doctests up to their blank line, and literal blocks; then what docstrings mean as it stands.
PLAIN = re.compile(
    r"(?P<code>^ *>>>.*?(?:^ *$|\Z)|::\n\n(?: +[^\n]*\n|\n)+|``.+?``|`[^`]+`)"
    r"|\||(?<=\w)_(?!\w)",
    re.MULTILINE | re.DOTALL,
)


def escape(app, what, name, obj, options, lines):
    """Docstrings write |x| for a magnitude and n_iter_ for an attribute; neither is markup."""
    text = PLAIN.sub(lambda m: m[0] if m["code"] else "\\" + m[0], "\n".join(lines))
    lines[:] = text.split("\n")


def find_home(app, env, node, content):
    """``anmf.NMF`` is documented where it is at home, as ``anmf.nmf.NMF``."""
    name = node.get("reftarget", "").removeprefix("anmf.")
    if node.get("refdomain") != "py" or name not in anmf._HOME:
        return None
    target, domain = f"{anmf._HOME[name]}.{name}", env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator."""
    routing = name.startswith("set_") and name.endswith("_request")
    inherited = str(getattr(obj, "__module__", "")).startswith("sklearn")
    return True if routing or inherited else None


def setup(app):
    app.connect("autodoc-process-docstring", escape, priority=900)  # after numpydoc
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("missing-reference", find_home)
