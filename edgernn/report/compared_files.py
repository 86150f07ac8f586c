"""Given models side by side for readers, and what such a comparison does not say."""

from __future__ import annotations

import json

from edgernn.report.compared import markdown_table
from edgernn.report.compared_html import bold
from edgernn.report.page import html_page, html_table
from edgernn.report.xml import element, escaped
from edgernn.selection.files import FileComparison, Judged
from edgernn.selection.verdict import Outcome
from edgernn.units import DASH, file_size, listed

_ABOUT_FILES = (
    "These verdicts are about these files.  Trained again, each would score differently, so they "
    "say nothing about GRU or LSTM: `edgernn compare DATA --models gru,lstm` trains both over "
    "seeds."
)


def files_recommendation(found: FileComparison) -> str:
    """One sentence in markdown."""
    first, *others = found.files
    better = [one for one in others if _outcome(one) is Outcome.BETTER]
    if better:
        sign = 1 if found.judge.higher_is_better else -1
        best = max(better, key=lambda one: sign * one.score)
        return f"**{best.name} is better** than {first.name} on these rows."
    undecided = [one for one in others if one.verdict and one.verdict.more]
    if undecided and undecided[0].verdict and undecided[0].verdict.more:
        one, advice = undecided[0], undecided[0].verdict.more.text_of_files
        return f"**Cannot tell** {one.name} from {first.name}: {advice}."
    if all(_outcome(one) is Outcome.WORSE for one in others):
        return f"**{first.name} is better** than {listed([one.name for one in others])}."
    smallest = min(
        [first, *(one for one in others if _outcome(one) is Outcome.EQUAL)],
        key=lambda one: one.bytes,
    )
    return f"**Equal for your purpose**: take {smallest.name}, the smallest file."


def files_table(found: FileComparison) -> list[list[str]]:
    """The head, then a row for each file."""
    first = found.files[0].name
    head = ["file", "size", found.judge.name, f"difference from {first}", "verdict"]
    return [head, *(_row(one, found) for one in found.files)]


def files_markdown(found: FileComparison) -> str:
    return (
        "\n\n".join(
            [
                f"# {' or '.join(one.name for one in found.files)} on {found.data}?",
                files_recommendation(found),
                markdown_table(files_table(found)),
                _method(found),
            ]
        )
        + "\n"
    )


def files_html(found: FileComparison) -> str:
    title = f"{' or '.join(one.name for one in found.files)} on {found.data}?"
    return html_page(
        title,
        [
            element("h1", escaped(title)),
            element("p", bold(files_recommendation(found)), class_="said"),
            html_table(files_table(found)),
            element("p", escaped(_method(found))),
        ],
    )


def files_json(found: FileComparison) -> str:
    """Scores and differences in the metric's own unit: shares, or that of y."""
    entry = {
        "format": "edgernn-file-comparison",
        "version": 1,
        "about": "files",
        "data": found.data,
        "rows": found.rows,
        "metric": found.metric,
        "worth": found.worth,
        "files": [
            {
                "name": one.name,
                "bytes": one.bytes,
                "score": one.score,
                "outcome": one.verdict.outcome.value if one.verdict else None,
                "difference": one.verdict.effect.estimate if one.verdict else None,
                "interval": list(one.verdict.effect.interval) if one.verdict else None,
                "p_value": one.verdict.p_value if one.verdict else None,
            }
            for one in found.files
        ],
    }
    return json.dumps(entry, indent=1, allow_nan=False)


def _outcome(one: Judged) -> Outcome | None:
    return one.verdict.outcome if one.verdict else None


def _row(one: Judged, found: FileComparison) -> list[str]:
    judge, scale = found.judge, found.judge.scale
    difference = DASH
    if one.verdict is not None:
        low, high = (scale * bound for bound in one.verdict.effect.interval)
        difference = f"{scale * one.verdict.effect.estimate:+.2f} [{low:+.2f}, {high:+.2f}]"
    outcome = _outcome(one)
    return [
        one.name,
        file_size(one.bytes),
        judge.text(one.score),
        difference,
        outcome.value if outcome else "reference",
    ]


def _method(found: FileComparison) -> str:
    return (
        f"No model was trained.  All files answered the same {found.rows:,} rows; differences are "
        "tested row by row (McNemar's test of right and wrong, else a paired t-test), p-values are "
        "adjusted for the number of files (Holm).  A difference below "
        f"{found.judge.amount(found.worth)} counts as equal.  {_ABOUT_FILES}"
    )
