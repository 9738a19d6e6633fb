"""How Sphinx builds the site: ``sphinx-build -W -b html docs docs/_build/html``."""

import re
from importlib.metadata import version as version_of

from sphinx_gallery.sorting import ExplicitOrder

project = "anmf"
author = "The anmf developers"
copyright = author
release = version = version_of("anmf")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
]
exclude_patterns = ["_build"]
templates_path = ["templates"]
default_role = "py:obj"  # single backticks

autosummary_generate = True
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
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"start": [], "changelog": []}
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


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator."""
    routing = name.startswith("set_") and name.endswith("_request")
    inherited = str(getattr(obj, "__module__", "")).startswith("sklearn")
    return True if routing or inherited else None


def setup(app):
    app.connect("autodoc-process-docstring", escape, priority=900)  # after numpydoc
    app.connect("autodoc-skip-member", skip_inherited)
