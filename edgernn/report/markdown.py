"""A report as markdown: for a README, a pull request, a mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgernn.profile.judgement import shared_cautions
from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of
from edgernn.report.columns import baseline_lines, named, shown_columns, unmeasured_lines
from edgernn.report.conditions import conditions_line
from edgernn.report.sentences import sentences


def as_markdown(report: Report) -> str:
    """The table, what was not measured and why, sentences, conditions, cautions."""
    blocks = [
        "\n".join(_table(rows_of(report))),
        "\n".join(f"- {line}" for line in sentences(report)),
        conditions_line(report),
        "\n".join(f"- {c.sentence} {c.worst.remedy}" for c in shared_cautions(report)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    columns = shown_columns(rows)
    yield _line([named(column, rows) for column in columns])
    yield _line(["---:" if column.number else "---" for column in columns])
    for row in rows:
        yield _line([column.text(row) for column in columns])
    titles = [column.title for column in columns]
    if "score" in titles:
        for name, reached in baseline_lines(rows):
            cells = [""] * len(columns)
            cells[titles.index("model")] = name
            cells[titles.index("score")] = reached
            yield _line(cells)
    yield from (f"\n{line}" for line in unmeasured_lines(rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
