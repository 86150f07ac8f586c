"""Does int4 pay?  Files of 4 bits beside those of 8, and beside a narrower model in 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.scheme import Scheme
from edgernn.scoring.metric import Metric
from edgernn.selection.contender import Contender
from edgernn.selection.crossed import Effect, RowScores, by_origin, crossed_difference
from edgernn.selection.training import Training, row_scores
from edgernn.selection.verdict import Verdict, verdicts

#: The format that has both schemes.
FORMAT: Final = "native"
INT8: Final = f"{FORMAT} {Scheme.INT8.value}"
INT4: Final = f"{FORMAT} {Scheme.INT4.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A file that could be taken instead, and what the int4 file scores more than it."""

    contender: Contender
    bytes: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Int4Verdict:
    """The int4 file of a contender, beside its int8 file and beside a narrower model in int8."""

    contender: Contender
    bytes: int
    whole: Beside  # the same trainings in int8
    narrow: Beside | None  # as many bytes in int8 as int4 has, as nearly as widths allow


def int4_verdicts(
    contenders: Sequence[Contender],
    narrower: Mapping[Contender, Contender],
    trainings: Mapping[Contender, tuple[Training, ...]],
    *,
    metric: Metric,
    worth: float,
    origins: Sequence[str] = (),
) -> tuple[Int4Verdict, ...]:
    """Of each contender that has files in both schemes; narrower: by contender, where trained."""
    found = []
    for one in contenders:
        runs = trainings[one]
        if not all({INT8, INT4} <= run.scores.keys() for run in runs):
            continue
        scores = by_origin(row_scores(list(runs), INT4), origins)
        others = {one: by_origin(row_scores(list(runs), INT8), origins)}
        effects = [_paired(scores, others[one])]
        narrow = narrower.get(one)
        if narrow is not None and narrow in trainings:
            others[narrow] = by_origin(row_scores(list(trainings[narrow]), INT8), origins)
            effects.append(crossed_difference(scores, others[narrow]))
        judged = verdicts(effects, worth=worth, higher_is_better=metric.higher_is_better)
        beside = [
            Beside(contender=other, bytes=_bytes(trainings[other], INT8), verdict=verdict)
            for other, verdict in zip(others, judged, strict=True)
        ]
        found.append(
            Int4Verdict(
                contender=one,
                bytes=_bytes(runs, INT4),
                whole=beside[0],
                narrow=beside[1] if len(beside) > 1 else None,
            )
        )
    return tuple(found)


def _paired(a: RowScores, b: RowScores) -> Effect:
    """Two files of the same trainings: what a seed does to both does not count."""
    return crossed_difference(a - b, np.zeros_like(a))


def _bytes(trainings: Sequence[Training], form: str) -> int:
    return int(np.median([training.bytes[form] for training in trainings]))
