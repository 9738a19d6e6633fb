"""The directive ``measured``: a table of figures that a benchmark wrote.

::

    ```{measured} iva_quality
    :where: n_iter == 20
    :rows: method
    :across: n_sources
    :value: gain
    :digits: 1
    ```

The table is ``docs/measured/iva_quality.csv``, as ``python -m benchmarks iva`` leaves it in its
output folder; a line below it says so. Columns are taken as they stand, or given other names.
"""

import re
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from benchmarks import BENCHMARKS

NUMBER = re.compile(r"([≥≤] )?[−-]?[\d.]+(e[−+-]?\d+)?( [\w ]+)?")
FOLDER = Path(__file__).parent.parent / "measured"


def columns(text):
    """``gain, ms=milliseconds`` as {'gain': 'gain', 'ms': 'milliseconds'}."""
    pairs = [part.strip().partition("=") for part in text.split(",")]
    return {name.strip(): (title or name).strip() for name, _, title in pairs}


def held(frame):
    """Bars and what was measured, as words; `frame` is a table that ends in ``_bars``."""
    sign = frame["at_least"].map({True: "≥", False: "≤"})
    unit = frame["unit"].fillna("").map(lambda unit: f" {unit}" if unit else "")
    return pd.DataFrame({
        "what": frame["question"],
        "measured": [f"{value:.3g}".replace("-", "−") for value in frame["measured"]],
        "held to": [f"{s} {v:.3g}{u}" for s, v, u in zip(sign, frame["bar"], unit, strict=True)],
        "": frame["verdict"],
    })  # fmt: skip


def words(value, digits):
    """A cell as text: numbers with `digits` decimals, or so many significant ones if small."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    if float(value).is_integer():
        return f"{value:.0f}"
    if abs(value) < 10.0**-digits:
        return f"{value:.2g}"
    return f"{value:.{digits}f}".replace("-", "−")


def select(name, options):
    """The table that the options of the directive ask for, as text."""
    frame = pd.read_csv(FOLDER / f"{name}.csv")
    if "where" in options:
        frame = frame.query(options["where"])
    if frame.empty:
        raise ValueError(f"{name}.csv has no row where {options['where']}")
    if name.endswith("_bars"):
        return held(frame)
    digits = options.get("digits", 2)
    if "across" in options:
        rows, across = options["rows"], options["across"]
        order = frame[rows].drop_duplicates()
        frame = frame.pivot(index=rows, columns=across, values=options["value"]).loc[order]
        frame = frame.reset_index()
    frame = frame.rename(columns=str)
    wanted = options.get("columns") or {column: column for column in frame}
    frame = frame[list(wanted)].rename(columns=wanted)
    return frame.map(lambda value: words(value, digits))


class Measured(SphinxDirective):
    """``measured NAME`` with the options where, rows, across, value, columns and digits."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012 (docutils wants a dict)
        "where": directives.unchanged_required,
        "rows": directives.unchanged_required,
        "across": directives.unchanged_required,
        "value": directives.unchanged_required,
        "columns": columns,
        "digits": directives.nonnegative_int,
    }

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(str(FOLDER / f"{name}.csv"))
        try:
            frame = select(name, self.options)
        except (OSError, KeyError, ValueError) as error:
            raise self.error(f"measured {name}: {error}") from error
        source = nodes.paragraph(classes=["measured-source"])
        source += nodes.literal("", f"python -m benchmarks {benchmark_of(name)}")
        if not name.endswith("_bars"):
            return [table_of(frame), source]
        opening = f"<details><summary>Held to: {len(frame)} figures</summary>"
        return [raw_html(opening), table_of(frame), source, raw_html("</details>")]


def benchmark_of(name):
    """Name of the benchmark that writes a table, such as 'iva' of 'iva_quality'."""
    return max((key for key in BENCHMARKS if f"{name}_".startswith(f"{key}_")), key=len)


def table_of(frame):
    """A docutils table; its first column holds headings of the rows."""
    table = nodes.table(classes=["measured"])
    group = nodes.tgroup(cols=len(frame.columns))
    table += group
    group += [nodes.colspec(colwidth=1) for _ in frame.columns]
    head, body = nodes.thead(), nodes.tbody()
    group += [head, body]
    head += row_of(frame.columns)
    body += [row_of(cells) for cells in frame.itertuples(index=False)]
    return table


def raw_html(text):
    """HTML that other formats leave out."""
    return nodes.raw("", text, format="html")


def row_of(cells):
    """A row of a docutils table."""
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry(classes=["number"] if NUMBER.fullmatch(str(cell)) else [])
        entry += nodes.paragraph("", str(cell))
        row += entry
    return row


def setup(app):
    app.add_directive("measured", Measured)
    return {"version": "1", "parallel_read_safe": True}
