"""The difference of two contenders: an ensemble and its members have their luck in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgernn.selection.contender import Contender
from edgernn.selection.crossed import Effect, by_origin, crossed_difference
from edgernn.selection.training import Training, row_scores
from edgernn.tasks.notation import architecture_named

Trainings = Mapping[Contender, tuple[Training, ...]]


def difference(
    one: Contender,
    other: Contender,
    trainings: Trainings,
    form: str,
    *,
    origins: Sequence[str] = (),  # of all test rows; (): each row counts by itself
    rows: Sequence[int] | None = None,  # of the test; None: all
) -> Effect:
    """The score of `one` minus that of `other`, in one form.

    Where repetition s of both has trainings in common, and they have as many repetitions, each is
    compared with its like.  Trainings in common otherwise, as of gru+gru and gru, make the interval
    wider than it needs to be.
    """
    runs = [list(trainings[contender]) for contender in (one, other)]
    scores = [row_scores(of, form) for of in runs]
    if rows is not None:
        scores = [of[:, np.asarray(rows)] for of in scores]
        origins = [origins[row] for row in rows] if origins else ()
    a, b = (by_origin(of, origins) for of in scores)
    repetitions = [[run.repetition for run in of] for of in runs]
    paired = are_pairs(one, other) and repetitions[0] == repetitions[1]
    return crossed_difference(a, b, paired=paired)


def have_trainings_in_common(one: Contender, other: Contender) -> bool:
    """Whether a member of one, or one itself, is in the other, too.

    >>> have_trainings_in_common(gru, gru_and_lstm), have_trainings_in_common(gru, lstm)
    (True, False)
    """
    members = [
        set(architecture_named(contender.architecture).member_names) for contender in (one, other)
    ]
    return one.units == other.units and bool(members[0] & members[1])


def are_pairs(one: Contender, other: Contender) -> bool:
    """Whether all that they have in common is in the same repetition of both.

    >>> are_pairs(gru, gru_and_lstm), are_pairs(gru, gru_and_gru)
    (True, False)
    """
    members = [architecture_named(of.architecture).member_names for of in (one, other)]
    are_different = all(len(set(names)) == len(names) for names in members)
    return are_different and have_trainings_in_common(one, other)
