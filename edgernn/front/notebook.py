"""Tables in a notebook, escaped."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.graph import Graph, parameter_count
from edgernn.report.inspected import shape_text
from edgernn.report.xml import element, escaped


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One table; every text is escaped.

    >>> html_table(["file"], [["a<b"]])
    '<table><thead><tr><th>file</th></tr></thead><tbody><tr><td>a&lt;b</td></tr></tbody></table>'
    """
    titles = element("tr", *(element("th", escaped(text)) for text in head))
    lines = [element("tr", *(element("td", escaped(text)) for text in row)) for row in rows]
    return element("table", element("thead", titles), element("tbody", *lines))


def html_lines(lines: Sequence[str]) -> str:
    """A paragraph for each line."""
    return "".join(element("p", escaped(line)) for line in lines)


def model_html(graph: Graph, text: str) -> str:
    """The first lines of a model's text, and a table of its layers."""
    title, inputs, outputs, *_ = text.splitlines()
    rows = [
        (
            layer.name,
            type(layer).__name__,
            shape_text(graph.specs[layer.writes[0]].shape),
            f"{parameter_count(layer):,}",
        )
        for layer in graph.layers
    ]
    head = ("layer", "kind", "output", "parameters")
    return html_lines([title, inputs, outputs]) + html_table(head, rows)
