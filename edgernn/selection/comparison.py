"""The result of a comparison as values: what reports show, and how verdicts follow from scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgernn.profile import report as profile
from edgernn.scoring.metric import METRICS, Metric
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.crossed import RowScores, by_origin, crossed_difference
from edgernn.selection.differences import difference
from edgernn.selection.int4_verdict import Int4Verdict
from edgernn.selection.questions import Amount, Mix, Tercile
from edgernn.selection.training import ORIGINAL, Training, row_scores
from edgernn.selection.verdict import Verdict, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A model without recurrence, fitted to the same rows."""

    name: str  # "linear", "most frequent class"
    scores: tuple[float, ...]  # a number for each test row, as in Training.scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A contender in one form ("native int8"), beside the first contender in the same form."""

    contender: Contender
    form: str
    scores: tuple[float, ...]  # one for each training
    bytes: int | None  # of the file; None for the original
    verdict: Verdict | None  # None for the first contender itself

    @property
    def score(self) -> float:
        """The mean over trainings."""
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float | None:
        """The standard deviation between trainings: the luck of the seed.  None of one training."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Contenders that have something in common: as many units, or as many bytes."""

    equal: Equal
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstBaseline:
    """The best contender minus a model without recurrence.  "Worse" means: use neither."""

    baseline: str
    score: float
    contender: Contender
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Contenders, their trainings, verdicts, and what was measured on devices."""

    data: str
    test_rows: int
    training_rows: int
    metric: str  # a name of METRICS
    worth: float  # in the metric's unit
    formats: tuple[str, ...]
    groups: tuple[Group, ...]
    trainings: Mapping[Contender, tuple[Training, ...]]
    baselines: tuple[AgainstBaseline, ...]
    controls: tuple[str, ...] = ()  # architectures that nobody asked for: see selection.controls
    without_gain: tuple[Contender, ...] = ()  # mixes whose controls had nothing to explain
    mixes: tuple[Mix, ...] = ()
    lengths: tuple[Tercile, ...] = ()
    amounts: tuple[Amount, ...] = ()
    int4_verdicts: tuple[Int4Verdict, ...] = ()  # where files are made in int8 and in int4
    origins: int = 0  # of the test rows, where rows of one are counted as one; else 0
    measured: profile.Report | None = None  # of one training of each contender
    refused: tuple[str, ...] = ()  # files that failed their check, and so were not measured
    unmeasured: Mapping[str, str] = field(
        default_factory=dict
    )  # devices, and why they are not there
    left_out: int = 0  # trainings that the time limit did not allow
    seconds: float = 0.0

    @property
    def judge(self) -> Metric:
        """The metric's row."""
        return METRICS[self.metric]

    @property
    def first(self) -> Contender:
        """What the others are compared with."""
        return self.groups[0].standings[0].contender


def group_of(
    equal: Equal,
    contenders: Sequence[Contender],
    trainings: Mapping[Contender, tuple[Training, ...]],
    *,
    metric: Metric,
    worth: float,
    origins: Sequence[str] = (),
    controls: Collection[str] = (),
) -> Group:
    """Standings in every form that all contenders have; p-values are adjusted within a form.

    controls: architectures that nobody asked for (see `verdicts`).
    """
    standings: list[Standing] = []
    runs_of_all = [run for one in contenders for run in trainings[one]]
    forms = [
        form for form in runs_of_all[0].scores if all(form in run.scores for run in runs_of_all)
    ]
    for form in forms:
        first, *others = contenders
        found = verdicts(
            [difference(one, first, trainings, form, origins=origins) for one in others],
            worth=worth,
            higher_is_better=metric.higher_is_better,
            unasked=[one.architecture in controls for one in others],
        )
        for contender, verdict in zip(contenders, (None, *found), strict=True):
            runs = trainings[contender]
            standings.append(
                Standing(
                    contender=contender,
                    form=form,
                    scores=tuple(run.score(form) for run in runs),
                    bytes=None if form == ORIGINAL else _median_bytes(runs, form),
                    verdict=verdict,
                )
            )
    return Group(equal=equal, standings=tuple(standings))


def against_baselines(
    baselines: Sequence[Baseline],
    trainings: Mapping[Contender, tuple[Training, ...]],
    *,
    metric: Metric,
    worth: float,
    origins: Sequence[str] = (),
) -> tuple[AgainstBaseline, ...]:
    """The best contender, by its mean score, beside each model without recurrence."""

    def mean(contender: Contender) -> float:
        value = float(np.mean([run.score(ORIGINAL) for run in trainings[contender]]))
        return value if metric.higher_is_better else -value

    if not baselines:
        return ()
    best = max(trainings, key=mean)
    scores = by_origin(row_scores(list(trainings[best]), ORIGINAL), origins)
    found = verdicts(
        [
            crossed_difference(scores, by_origin(_without_seeds(one, len(scores)), origins))
            for one in baselines
        ],
        worth=worth,
        higher_is_better=metric.higher_is_better,
    )
    return tuple(
        AgainstBaseline(
            baseline=baseline.name,
            score=float(np.mean(baseline.scores)),
            contender=best,
            verdict=verdict,
        )
        for baseline, verdict in zip(baselines, found, strict=True)
    )


def _without_seeds(baseline: Baseline, trainings: int) -> RowScores:
    """A model that is the same each time it is fitted, as often as the contender was trained."""
    return np.array([baseline.scores] * trainings, np.float64)


def _median_bytes(trainings: Sequence[Training], form: str) -> int:
    return int(np.median([training.bytes[form] for training in trainings]))
