"""A search for readers: the model to use first, then what was tried.  Markdown, JSON, HTML."""

from __future__ import annotations

import json

import numpy as np

from edgernn.report.compared import markdown_table
from edgernn.report.page import html_page, html_table
from edgernn.report.scatter import Point, scatter_plot
from edgernn.report.xml import element, escaped
from edgernn.selection.candidates import Tried
from edgernn.selection.searched import Searched
from edgernn.units import DASH, file_size, milliseconds, seconds, significant


def searched_sentences(found: Searched) -> list[str]:
    """What to use, whether it holds, and how its figures came about."""
    judge, cell, test = found.judge, found.cell, found.test
    name = found.chosen.candidate.contender.name
    again = found.chosen.training.score(f"{cell.item.backend} {cell.item.scheme}")
    reached = (
        f"{judge.text(float(np.mean(found.chosen.scores)))} on drawn validation rows and "
        f"{judge.text(again)} on the data's own when trained again"
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
            "score": f"the score asked for is {judge.text(found.budget.score)}",
            "bytes": f"the limit is {file_size(found.budget.max_bytes)}",
            "p95": f"the limit of p95 is {milliseconds(found.budget.p95_ms)}",
        }
        said[0] = said[0].replace("Use ", "The nearest is ", 1)
        said.append("It does not hold: " + "; ".join(lacking[one] for one in found.missed) + ".")
    return said


def searched_table(found: Searched) -> list[list[str]]:
    """What was tried, cheapest first; times are predictions and are named so."""
    judge = found.judge
    head = [
        "model",
        "bytes",
        "predicted time",
        f"{judge.name} on validation rows",
        "trainings",
        "recipe",
        "reached",
    ]
    ordered = sorted(found.chosen.tried, key=lambda one: one.candidate.bytes)
    return [head, *(_row(one, found) for one in ordered)]


def searched_markdown(found: Searched) -> str:
    """For a terminal and for a team's records."""
    first, *others = searched_sentences(found)
    return (
        "\n\n".join(
            [
                f"# The {_goal(found)} for {found.data}",
                f"**{first}**",
                *others,
                "## Tried\n\n" + markdown_table(searched_table(found)),
                *(f"Left out: {one}." for one in found.chosen.refused),
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
        *(element("p", escaped(f"Left out: {one}.")) for one in found.chosen.refused),
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
            }
            for one in found.chosen.tried
        ],
        "trainings": found.chosen.trainings,
        "seconds": found.seconds,
    }
    return json.dumps(entry, indent=1, allow_nan=False)


def _goal(found: Searched) -> str:
    limits = [found.judge.text(found.budget.score)]
    if found.budget.max_bytes is not None:
        limits.append(f"at most {file_size(found.budget.max_bytes)}")
    if found.budget.p95_ms is not None:
        limits.append(f"p95 {milliseconds(found.budget.p95_ms)} on {found.device}")
    return f"cheapest model with {', '.join(limits)}"


def _row(one: Tried, found: Searched) -> list[str]:
    candidate, recipe = one.candidate, one.candidate.recipe
    settings = f"rate {significant(recipe.learning_rate)}, batch {recipe.batch_size}"
    if recipe.dropout:
        settings += f", dropout {recipe.dropout:.1f}"
    return [
        candidate.contender.name,
        file_size(candidate.bytes),
        DASH if candidate.predicted_ms is None else f"≈ {milliseconds(candidate.predicted_ms)}",
        found.judge.text(one.score),
        str(len(one.scores)),
        settings,
        "yes" if found.budget.reached_by(one.score) else "no",
    ]


def _method(found: Searched) -> str:
    chosen = found.chosen
    left = f"  The time limit left out {_trainings(chosen.left_out)}." if chosen.left_out else ""
    opened = (
        "The test rows were opened once, for the winner, which was trained again on all training "
        "rows."
        if chosen.opens_test
        else f"No candidate holds {_all_limits(found)}, so the test rows stay unopened."
    )
    return (
        f"{_trainings(chosen.trainings)}.  Candidates are judged on validation rows that are drawn "
        f"anew for each training.  {opened}  Size and times of the model above are measured on "
        f"{found.device}; times of the others are predictions.  In all: {seconds(found.seconds)}."
        f"{left}"
    )


def _all_limits(found: Searched) -> str:
    """What validation rows can show of the budget."""
    again = "the score both there and on the data's own validation rows when trained again"
    return again if found.chosen.in_time else f"{again}, and the limit of p95 on {found.device}"


def _trainings(number: int) -> str:
    return f"{number} training" if number == 1 else f"{number} trainings"
