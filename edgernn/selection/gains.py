"""Which mixes of cells gain something, so that a control must show whether the mix or its size did.

A mix that is no better than what it is compared with, and that nobody would take for its small
file, leaves a control nothing to explain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgernn.scoring.metric import Metric
from edgernn.selection.contender import Contender
from edgernn.selection.controls import controls_of
from edgernn.selection.crossed import Effect
from edgernn.selection.differences import Trainings, difference


def gaining_mixes(
    contenders: Sequence[Contender],
    trainings: Trainings,
    origins: Sequence[str],
    *,
    metric: Metric,
) -> tuple[Contender, ...]:
    """Those mixes among `contenders` that may be what is advised.

    contenders: what was asked for, the first of them is what the others are compared with.
    A mix gains where the interval of its difference from the first excludes 0 in its favour, in any
    form and before p-values are adjusted; the first itself, where it gains so beside another.
    A mix is also taken where its file is the smallest of those that are not worse than the first.
    """
    first, *others = contenders
    runs = [run for one in contenders for run in trainings[one]]
    forms = [form for form in runs[0].scores if all(form in run.scores for run in runs)]
    sign = 1 if metric.higher_is_better else -1

    def beside_first(contender: Contender, form: str) -> Effect:
        return difference(contender, first, trainings, form, origins=origins)

    effects = {(one, form): beside_first(one, form) for one in others for form in forms}
    better = {one for (one, _), effect in effects.items() if _excludes_zero(effect, sign)}
    worse = {one for (one, _), effect in effects.items() if _excludes_zero(effect, -sign)}
    gains = better | ({first} if worse else set())
    small = [one for one in contenders if one not in worse]
    sizes = {one: _bytes(one, trainings, forms[-1]) for one in small}
    smallest = {one for one, size in sizes.items() if 0 < size == min(sizes.values())}
    return tuple(
        one for one in contenders if controls_of(one.architecture) and one in gains | smallest
    )


def _excludes_zero(effect: Effect, sign: int) -> bool:
    """Whether all of the interval lies on the side of `sign`."""
    low, high = effect.interval
    return low > 0 if sign > 0 else high < 0


def _bytes(contender: Contender, trainings: Trainings, form: str) -> float:
    """Of the median file; 0 where no file was made."""
    return float(np.median([run.bytes.get(form, 0) for run in trainings[contender]]))
