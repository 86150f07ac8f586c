"""The frame of every HTML report: one file without a network, light and dark, narrow and wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgernn.report.xml import element, escaped

#: Of pictures; the colours are chosen to be read on white and on black.
PICTURE_STYLE: Final = """
svg { font: 12px system-ui, sans-serif; fill: currentColor; }
.grid { stroke: #8884; } .tick, .figure { opacity: .75; }
rect.bar { fill: #4a90d9; opacity: .45; }
line.bar { stroke: #4a90d9; stroke-width: 2; opacity: .5; }
.dot { fill: #4a90d9; } .middle { stroke: #d9534a; stroke-width: 2; }
.band { fill: #5cb85c; opacity: .2; } .beaten { opacity: .4; }
polyline { fill: none; stroke-width: 1.3; opacity: .8; }
.line0 { stroke: #4a90d9; } .line1 { stroke: #d9534a; } .line2 { stroke: #3fa35b; }
.line3 { stroke: #b8860b; } .line4 { stroke: #8e6bbf; } .line5 { stroke: #888; }
"""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto;
  padding: 0 1rem; overflow-wrap: break-word; }
p, ul { max-width: 60rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap;
  font-size: .88rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; } .baseline { opacity: .65; } .caution em { opacity: .75; }
.said { font-size: 1.2rem; border-left: 4px solid #4a90d9; padding-left: .8rem; }
svg { width: 100%; max-width: 36rem; display: block; }
"""

_DARK: Final = "@media (prefers-color-scheme: dark) { svg { color: #eee; background: #111; } }"


def html_page(title: str, body: Sequence[str]) -> str:
    """`body` is markup; the title is text."""
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + element("title", escaped(title))
        + element("style", _STYLE + PICTURE_STYLE)
    )
    return "<!doctype html>\n" + element(
        "html", element("head", head), element("body", *body), lang="en"
    )


def picture_file(svg: str) -> str:
    """An <svg> of a page as a file of its own, with its style in it."""
    start = svg.index(">") + 1
    return f"{svg[:start]}<style>{PICTURE_STYLE}{_DARK}</style>{svg[start:]}\n"


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head; cells are text.  A narrow window scrolls it."""
    head, *body = rows
    table = element(
        "table",
        element("thead", element("tr", *(element("th", escaped(one)) for one in head))),
        element(
            "tbody", *(element("tr", *(element("td", escaped(one)) for one in row)) for row in body)
        ),
    )
    return element("div", table, class_="wide")
