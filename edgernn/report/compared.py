"""A comparison as markdown, a team's decision record, and as JSON, with every score."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

from edgernn.report.compared_bits import TITLE, bits_sentences
from edgernn.report.compared_card import Answer, answers, folklore_rows
from edgernn.report.compared_values import (
    group_note,
    group_table,
    group_title,
    method,
    recommendation,
    title,
)
from edgernn.selection.advice import advice
from edgernn.selection.comparison import Comparison, Group
from edgernn.selection.folklore import told


def comparison_markdown(comparison: Comparison) -> str:
    """Recommendation, tables, whether int4 pays, five questions, what people say, method.

    >>> print(comparison_markdown(verdict))
    """
    sayings, bits = folklore_rows(comparison), bits_sentences(comparison)
    blocks = [
        f"# {title(comparison)}",
        recommendation(comparison),
        *(_group_block(group, comparison) for group in comparison.groups),
        f"## {TITLE}\n\n" + "\n\n".join(bits) if bits else "",
        "## Five questions",
        *(_answer_block(one) for one in answers(comparison)),
        "## What people say\n\n" + markdown_table(sayings) if sayings else "",
        "## How it was measured\n\n" + method(comparison),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head."""
    head, *body = rows
    return "\n".join(map(_line, [head, ["---"] * len(head), *body]))


def comparison_json(comparison: Comparison) -> str:
    """All values; of each training the mean scores."""
    found = advice(comparison)
    shown = {"measured", "trainings"}
    entry = {
        "format": "edgernn-comparison",
        "version": 1,
        "advice": {"choice": found.choice.value, "reason": found.reason}
        | {"contender": found.contender.name if found.contender else None}
        | {"meanwhile": found.meanwhile.name if found.meanwhile else None},
        **{
            field.name: _plain(getattr(comparison, field.name))
            for field in dataclasses.fields(comparison)
            if field.name not in shown
        },
        "told": _plain(told(comparison)),
        "trainings": {
            contender.name: [
                _plain(dataclasses.replace(run, scores={}))
                | {"mean_scores": {form: run.score(form) for form in run.scores}}
                for run in runs
            ]
            for contender, runs in comparison.trainings.items()
        },
    }
    return json.dumps(entry, indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value


def _answer_block(answer: Answer) -> str:
    table = markdown_table(answer.table) if answer.table else ""
    return "\n\n".join(part for part in (f"### {answer.question}", table, answer.said) if part)


def _group_block(group: Group, comparison: Comparison) -> str:
    note = group_note(group, comparison)
    return (
        f"## {group_title(group)}\n\n"
        + markdown_table(group_table(group, comparison))
        + (f"\n\n{note}" if note else "")
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
