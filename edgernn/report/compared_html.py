"""A comparison as one HTML file that needs no network: recommendation, pictures, tables, method."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgernn.report.compared_bits import TITLE, bits_sentences
from edgernn.report.compared_card import Answer, answers, folklore_rows
from edgernn.report.compared_pictures import pictures
from edgernn.report.compared_values import (
    group_note,
    group_table,
    group_title,
    method,
    recommendation,
    title,
)
from edgernn.report.page import html_page, html_table, picture_file
from edgernn.report.xml import element, escaped
from edgernn.selection.comparison import Comparison


def comparison_html(comparison: Comparison) -> str:
    """The whole page; readable at 400 and at 1,280 pixels, light and dark."""
    first, *others = pictures(comparison)
    body = [
        element("h1", escaped(title(comparison))),
        element("p", bold(recommendation(comparison)), class_="said"),
        *_shown(first.title, first.svg, first.caption),
        *_tables(comparison),
        *_bits(comparison),
        *(part for one in others for part in _shown(one.title, one.svg, one.caption)),
        element("h2", "Five questions"),
        *(part for one in answers(comparison) for part in _answered(one)),
    ]
    if sayings := folklore_rows(comparison):
        body += [element("h2", "What people say"), html_table(sayings)]
    body += [element("h2", "How it was measured"), element("p", escaped(method(comparison)))]
    return html_page(title(comparison), body)


def picture_files(comparison: Comparison) -> dict[str, str]:
    """By file name, every picture of the page."""
    return {f"{one.name}.svg": picture_file(one.svg) for one in pictures(comparison)}


def bold(text: str) -> str:
    """Markdown's bold in text as markup."""
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped(text))


def _shown(heading: str, svg: str, caption: str) -> Iterator[str]:
    yield element("h2", escaped(heading))
    yield svg
    if caption:
        yield element("p", escaped(caption))


def _bits(comparison: Comparison) -> Iterator[str]:
    if said := bits_sentences(comparison):
        yield element("h2", TITLE)
        yield from (element("p", bold(one)) for one in said)


def _answered(answer: Answer) -> Iterator[str]:
    yield element("h3", escaped(answer.question))
    if answer.table:
        yield html_table(answer.table)
    if answer.said:
        yield element("p", escaped(answer.said))


def _tables(comparison: Comparison) -> Iterator[str]:
    for group in comparison.groups:
        yield element("h2", escaped(group_title(group)))
        yield html_table(group_table(group, comparison))
        if note := group_note(group, comparison):
            yield element("p", escaped(note))
