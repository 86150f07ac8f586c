"""A search for readers: the model to use first, then what was tried.  Markdown, JSON, HTML."""

from __future__ import annotations

import json
from typing import Final

import numpy as np

from edgernn.report.aligned import aligned, wrapped
from edgernn.report.compared import markdown_table
from edgernn.report.page import html_page, html_table
from edgernn.report.scatter import Point, scatter_plot
from edgernn.report.xml import element, escaped
from edgernn.selection.candidates import Tried
from edgernn.selection.confirming import Confirmation
from edgernn.selection.contender import Role
from edgernn.selection.searched import Searched
from edgernn.units import DASH, file_size, milliseconds, seconds, significant

_LEGEND: Final = "In the search and fresh check: mean {} and the number of trainings."


def searched_sentences(found: Searched) -> list[str]:
    """What to use, whether it holds, and how its figures came about."""
    judge, cell, test = found.judge, found.cell, found.test
    name = found.chosen.candidate.contender.name
    again = found.chosen.training.score(f"{cell.item.backend} {cell.item.scheme}")
    is_final = found.chosen.job.role is Role.FINAL
    again_on = "when trained again" if is_final else "in the training that is handed over"
    reached = (
        f"{judge.text(float(np.mean(found.chosen.scores)))} on validation rows in the search and "
        f"{judge.text(again)} {again_on}"
    )
    if test is not None:
        between = judge.interval_text(test.interval)
        reached = f"{judge.text(test.value)} {between} on the test rows"
    said = [
        f"Use {name} ({found.file.name}): {file_size(cell.item.bytes)}, {reached}"
        + (
            f", p50 {milliseconds(found.benchmark.hot.p50_ms)} and p95 "
            f"{milliseconds(found.p95_ms)} a call on {found.device}, measured."
            if found.benchmark
            else "."
        )
    ]
    if found.missed:
        lacking = {
            "score": f"the score asked for is {judge.text(found.budget.score)}"
            + ("" if test is not None else ", and this one is not confirmed"),
            "bytes": f"the limit is {file_size(found.budget.max_bytes)}",
            "p95": f"the limit of p95 is {milliseconds(found.budget.p95_ms)}",
        }
        said[0] = said[0].replace("Use ", "The nearest is ", 1)
        said.append("It does not hold: " + "; ".join(lacking[one] for one in found.missed) + ".")
    return [*said, confirmed_sentence(found)]


def confirmed_sentence(found: Searched) -> str:
    """Whether the winner's score may be luck, and which margin that needed."""
    judge, seen, name = (
        found.judge,
        found.chosen.confirmation,
        found.chosen.candidate.contender.name,
    )
    if seen is None:
        is_likely = any(found.budget.reached_by(one.score) for one in found.chosen.tried)
        return (
            f"There was no time to train {name} anew, so its score in the search may be luck."
            if is_likely
            else "No model came near enough to be trained anew for a confirmation."
        )
    if seen.failed:
        return f"{name} could not be trained anew each time: {seen.failed}."
    margin = abs(seen.needed - found.budget.score)
    is_likely = seen.is_likely(found.budget)
    verdict = f"does not confirm {name}"
    if seen.holds:
        verdict = f"confirms {name}"
    elif is_likely:
        verdict = f"finds {name} good enough, but not by the margin that rules out luck"
    stopped = ", after which the others were not begun" if seen.given_up else ""
    return (
        f"A fresh check {verdict}: {_trainings(len(seen.folds))} with other seeds reach "
        f"{judge.text(seen.score)} on {seen.rows:,} rows that had no part in choosing it{stopped}. "
        f"To be confirmed it needs {judge.text(seen.needed)}: {judge.text(found.budget.score)} "
        f"and a margin of {judge.amount(margin)}, so that a model that falls just short passes by "
        "luck in one of ten checks at most."
    )


def searched_table(found: Searched) -> list[list[str]]:
    """What was tried, cheapest first; times are predictions and are named so."""
    ordered = sorted(found.chosen.tried, key=lambda one: one.candidate.bytes)
    is_timed = any(one.candidate.predicted_ms is not None for one in ordered)
    head = ["model", "size", "predicted time", "in the search", "fresh check", "recipe"]
    rows = [head, *(_row(one, found) for one in ordered)]
    return rows if is_timed else [row[:2] + row[3:] for row in rows]


def searched_text(found: Searched, width: int) -> str:
    """For a terminal of so many columns."""
    return "\n".join(
        [
            f"The {_goal(found)} for {found.data}",
            *(line for one in searched_sentences(found) for line in ["", *wrapped([one], width)]),
            "",
            *aligned(searched_table(found)),
            "",
            *wrapped([_LEGEND.format(found.judge.name), *_left_out(found)], width),
            "",
            *wrapped([_method(found)], width),
        ]
    )


def searched_markdown(found: Searched) -> str:
    """For a team's records."""
    first, *others = searched_sentences(found)
    return (
        "\n\n".join(
            [
                f"# The {_goal(found)} for {found.data}",
                f"**{first}**",
                *others,
                "## Tried\n\n" + markdown_table(searched_table(found)),
                _LEGEND.format(found.judge.name),
                *_left_out(found),
                "## How it was found\n\n" + _method(found),
            ]
        )
        + "\n"
    )


def searched_html(found: Searched) -> str:
    """One page without a network."""
    judge = found.judge
    points = [
        Point(
            name=one.candidate.contender.name,
            cost=one.candidate.bytes / 1e3,
            score=judge.scale * one.score,
            low=judge.scale * min(one.scores),
            high=judge.scale * max(one.scores),
        )
        for one in found.chosen.tried
    ]
    body = [
        element("h1", escaped(f"The {_goal(found)} for {found.data}")),
        *(element("p", escaped(one), class_="said") for one in searched_sentences(found)),
        element("h2", "Score on validation rows against size"),
        scatter_plot(
            points,
            title="Score against bytes",
            cost="KB",
            score=judge.unit,
            higher_is_better=judge.higher_is_better,
            least=0.0,
            most=judge.scale * judge.largest,
        ),
        element("p", "Line: from the least to the largest training."),
        element("h2", "Tried"),
        html_table(searched_table(found)),
        element("p", escaped(_LEGEND.format(judge.name))),
        *(element("p", escaped(one)) for one in _left_out(found)),
        element("h2", "How it was found"),
        element("p", escaped(_method(found))),
    ]
    return html_page(f"edgernn search: {found.data}", body)


def searched_json(found: Searched) -> str:
    """Figures in bytes, milliseconds and shares."""
    candidate, test = found.chosen.candidate, found.test
    entry = {
        "format": "edgernn-search",
        "version": 1,
        "data": found.data,
        "metric": found.metric,
        "budget": {
            "score": found.budget.score,
            "max_bytes": found.budget.max_bytes,
            "p95_ms": found.budget.p95_ms,
        },
        "holds": not found.missed,
        "missed": list(found.missed),
        "winner": {
            "file": found.file.name,
            "architecture": candidate.contender.architecture,
            "units": candidate.contender.units,
            "bytes": found.cell.item.bytes,
            "test_score": test.value if test else None,
            "test_interval": list(test.interval) if test else None,
            "measured_p50_ms": found.benchmark.hot.p50_ms if found.benchmark else None,
            "measured_p95_ms": found.p95_ms,
            "predicted_ms": candidate.predicted_ms,
            "learning_rate": candidate.recipe.learning_rate,
            "dropout": candidate.recipe.dropout,
            "batch_size": candidate.recipe.batch_size,
            "seed": found.chosen.training.seed,
            "confirmation": _confirmation(found.chosen.confirmation),
        },
        "tried": [
            {
                "model": one.candidate.contender.name,
                "bytes": one.candidate.bytes,
                "predicted_ms": one.candidate.predicted_ms,
                "validation_scores": list(one.scores),
                "learning_rate": one.candidate.recipe.learning_rate,
                "dropout": one.candidate.recipe.dropout,
                "batch_size": one.candidate.recipe.batch_size,
                "confirmation": _confirmation(found.chosen.confirmed.get(one.candidate)),
            }
            for one in found.chosen.tried
        ],
        "trainings": found.chosen.trainings,
        "seconds": found.seconds,
    }
    return json.dumps(entry, indent=1, allow_nan=False)


def _confirmation(seen: Confirmation | None) -> dict[str, object] | None:
    if seen is None:
        return None
    return {
        "holds": seen.holds,
        "score": None if seen.failed else seen.score,
        "needed": seen.needed,
        "rows": seen.rows,
        "scores": list(seen.folds),
        "given_up": seen.given_up,
        "failed": seen.failed,
    }


def _left_out(found: Searched) -> list[str]:
    return [f"Left out: {one}." for one in found.chosen.refused]


def _goal(found: Searched) -> str:
    limits = [found.judge.text(found.budget.score)]
    if found.budget.max_bytes is not None:
        limits.append(f"at most {file_size(found.budget.max_bytes)}")
    if found.budget.p95_ms is not None:
        limits.append(f"p95 {milliseconds(found.budget.p95_ms)} on {found.device}")
    kind = "fastest" if found.fastest else "smallest"
    return f"{kind} model with {', '.join(limits)}"


def _row(one: Tried, found: Searched) -> list[str]:
    candidate, recipe = one.candidate, one.candidate.recipe
    settings = f"rate {significant(recipe.learning_rate)}, batch {recipe.batch_size}"
    if recipe.dropout:
        settings += f", dropout {recipe.dropout:.1f}"
    return [
        candidate.contender.name,
        file_size(candidate.bytes),
        DASH if candidate.predicted_ms is None else f"≈ {milliseconds(candidate.predicted_ms)}",
        f"{found.judge.text(one.score)} ({len(one.scores)})",
        _checked(found.chosen.confirmed.get(one.candidate), found),
        settings,
    ]


def _checked(seen: Confirmation | None, found: Searched) -> str:
    if seen is None:
        return DASH
    if seen.failed:
        return "failed"
    lacks = "too low" if found.judge.higher_is_better else "too high"
    verdict = "holds" if seen.holds else "unsure" if seen.is_likely(found.budget) else lacks
    return f"{found.judge.text(seen.score)} ({len(seen.folds)}): {verdict}"


def _method(found: Searched) -> str:
    chosen = found.chosen
    left = f" The time limit left out {_trainings(chosen.left_out)}." if chosen.left_out else ""
    is_timed = any(one.candidate.predicted_ms is not None for one in chosen.tried)
    predicted = "; times of the others are predictions" if is_timed else ""
    is_final = chosen.job.role is Role.FINAL
    trained = "trained again on all training rows" if is_final else "trained in the search"
    opened = (
        f"The test rows were opened once, for the winner, {trained}."
        if chosen.opens_test
        else f"No candidate holds {_all_limits(found)}, so the test rows stay unopened."
    )
    return (
        f"{_trainings(chosen.trainings)}. In the search, validation rows are drawn anew for each "
        "training. The best of many looks better than it is; therefore a fresh check decides, in "
        "which models score rows that neither trained them nor ended their training, every such "
        f"row once. {opened} Size and times of the model above are measured on "
        f"{found.device}{predicted}. In all: {seconds(found.seconds)}."
        f"{left}"
    )


def _all_limits(found: Searched) -> str:
    """What validation rows can show of the budget."""
    limits = ["the score in a fresh check and when trained again"]
    if not found.chosen.in_bytes:
        limits.append("the limit of bytes as a checked file")
    if not found.chosen.in_time:
        limits.append(f"the limit of p95 on {found.device}")
    return ", and ".join(limits)


def _trainings(number: int) -> str:
    return f"{number} training" if number == 1 else f"{number} trainings"
