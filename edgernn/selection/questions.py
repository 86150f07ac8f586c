"""Figures behind the questions people ask: do lengths, more rows, or a mix of cells matter?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.scoring.metric import Metric
from edgernn.selection.contender import Contender
from edgernn.selection.controls import controls_of
from edgernn.selection.crossed import Effect
from edgernn.selection.differences import Trainings, difference
from edgernn.selection.training import ORIGINAL, Training, row_scores
from edgernn.selection.verdict import Verdict, verdicts
from edgernn.tasks.samples import Samples

_FEWEST_ROWS: Final = 20  # of a part of the test rows, to say anything about it
_PARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tercile:
    """The test rows that are short, of middle length, or long."""

    least: int  # steps
    most: int
    rows: int
    scores: tuple[tuple[Contender, float], ...]
    difference: Effect  # the second contender minus the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A contender that was trained on a share of the training rows."""

    contender: Contender
    share: float
    rows: int
    scores: tuple[float, ...]  # of the trained model itself, one for each training


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A mix of cells minus its control: as many layers, of one cell."""

    contender: Contender
    control: Contender
    verdict: Verdict


def terciles(
    test: Samples, origins: Sequence[str], contenders: Sequence[Contender], trainings: Trainings
) -> tuple[Tercile, ...]:
    """Scores by length; () where rows are of one length, or too few."""
    first, last = test.real_steps()
    lengths = last - first + 1
    ends = np.quantile(lengths, [0, 1 / 3, 2 / 3, 1])
    found = []
    for place in range(_PARTS):
        low = -1 if place == 0 else ends[place]
        rows = np.flatnonzero((lengths > low) & (lengths <= ends[place + 1]))
        if len(rows) < _FEWEST_ROWS:
            return ()
        some = {one: row_scores(list(trainings[one]), ORIGINAL)[:, rows] for one in contenders}
        found.append(
            Tercile(
                least=int(lengths[rows].min()),
                most=int(lengths[rows].max()),
                rows=len(rows),
                scores=tuple((one, float(scores.mean())) for one, scores in some.items()),
                difference=difference(
                    *(contenders[1], contenders[0], trainings, ORIGINAL),
                    origins=origins,
                    rows=rows.tolist(),
                ),
            )
        )
    return tuple(found)


def amounts(
    partial: Mapping[tuple[Contender, float], tuple[Training, ...]],
    trainings: Trainings,
    training_rows: int,
) -> tuple[Amount, ...]:
    """By contender and share; all rows last."""
    contenders = dict.fromkeys(contender for contender, _ in partial)
    parts = dict(partial) | {(one, 1.0): trainings[one] for one in contenders}
    return tuple(
        Amount(
            contender=contender,
            share=share,
            rows=round(share * training_rows),
            scores=tuple(run.score(ORIGINAL) for run in runs),
        )
        for (contender, share), runs in sorted(
            parts.items(), key=lambda entry: (list(contenders).index(entry[0][0]), entry[0][1])
        )
    )


def mixes(
    contenders: Sequence[Contender],
    trainings: Trainings,
    origins: Sequence[str],
    *,
    metric: Metric,
    worth: float,
) -> tuple[Mix, ...]:
    """Each mix beside each of its controls among `contenders`."""
    by_name = {one.architecture: one for one in contenders}
    as_wide = {(one.architecture, one.units): one for one in contenders}
    pairs = [
        (one, as_wide.get((control, one.units), by_name[control]))
        for one in contenders
        for control in controls_of(one.architecture)
        if control in by_name
    ]
    found = verdicts(
        [difference(*pair, trainings, ORIGINAL, origins=origins) for pair in pairs],
        worth=worth,
        higher_is_better=metric.higher_is_better,
    )
    return tuple(
        Mix(contender=one, control=control, verdict=verdict)
        for (one, control), verdict in zip(pairs, found, strict=True)
    )
