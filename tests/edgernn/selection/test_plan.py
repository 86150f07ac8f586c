"""Which trainings a comparison begins first, and what it can do without."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgernn.errors import TrainingFailed
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS
from edgernn.selection.clock import Clock
from edgernn.selection.comparison import group_of
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.plan import Plan
from edgernn.selection.training import ORIGINAL, write_training
from edgernn.selection.trainings import all_trained
from edgernn.selection.verdict import Outcome
from edgernn.selection.work import Forms
from edgernn.tasks.task import Recipe
from tests.edgernn.selection.crews import MadeUpCrew, result_of

NAMES = ("gru", "lstm", "gru-lstm", "gru-gru", "lstm-lstm")
FORMS = Forms(formats=("native",), schemes=(Scheme.INT8,))


def planned(*, seeds: int = 3, **changes: Any) -> Plan:
    return Plan(
        data="made-up",
        data_sha256="0",
        recipe=Recipe(),
        groups={Equal.UNITS: tuple(Contender(architecture=one, units=16) for one in NAMES)},
        seeds=seeds,
        formats=("native",),
        schemes=("int8",),
        controls=("gru-gru", "lstm-lstm"),
        **changes,
    )


def plain_result(job):
    return result_of(job, scores={ORIGINAL: (1.0, 0.0)})


def trained(plan, folder, most):
    """One worker; the time ends after `most` trainings."""
    clock = Clock(limit_s=1e6)

    def trained_by(job):
        if len(crew.trained) == most:
            clock.limit_s = 0.0
        return plain_result(job)

    crew = MadeUpCrew(folder, trained_by, size=1, seconds=0.0)
    return all_trained(plan, folder, crew, clock, FORMS, lambda _: None), crew


def test_what_was_asked_for_can_be_compared_before_its_other_seeds_begin():
    first = [job.contender.architecture for job in planned().jobs]
    assert Counter(first[:6]) == Counter(NAMES[:3] * 2)
    assert Counter(first[6:]) == Counter(NAMES[:3])


def test_controls_follow_what_was_asked_for_and_come_before_shares_of_the_rows(tmp_path):
    _, crew = trained(planned(shares=(0.5,)), tmp_path, most=100)
    controls = [job.contender.architecture in NAMES[3:] for job in crew.trained]
    assert controls == [False] * 9 + [True] * 6 + [False] * 6
    assert [job.share for job in crew.trained] == [1.0] * 15 + [0.5] * 6


def test_every_contender_is_trained_with_every_seed_once(tmp_path):
    _, crew = trained(planned(), tmp_path, most=100)
    counted = Counter((job.contender, job.repetition) for job in crew.trained)
    assert len(counted) == 15
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_only_controls_that_the_answer_needs_are_trained_whatever_the_number_of_workers(
    tmp_path, workers
):
    asked_about = []

    def needed(trainings):
        asked_about.append({one.architecture: len(runs) for one, runs in trainings.items()})
        return [Contender(architecture="lstm-lstm", units=16)]

    crew = MadeUpCrew(tmp_path, plain_result, size=workers)
    clock = Clock(limit_s=None)
    plan = planned(shares=(0.5,))
    found = all_trained(plan, tmp_path, crew, clock, FORMS, lambda _: None, needed=needed)
    assert asked_about == [{"gru": 3, "lstm": 3, "gru-lstm": 3}]  # all seeds are in
    assert [one.architecture for one in found.trainings] == [*NAMES[:3], "lstm-lstm"]
    assert "gru-gru" not in {job.contender.architecture for job in crew.trained}
    assert found.left_out == 0


def test_a_control_that_was_a_member_of_an_ensemble_gets_its_files(tmp_path):
    names = ("gru", "gru-lstm", "gru-gru+lstm-lstm", *NAMES[3:])
    group = tuple(Contender(architecture=one, units=16) for one in names)
    plan = replace(planned(), groups={Equal.UNITS: group})
    forms = FORMS.names

    def trained_by(job):
        given = crew.given[-1].forms.names
        return result_of(job, scores=dict.fromkeys((ORIGINAL, *given), (1.0, 0.0)))

    crew = MadeUpCrew(tmp_path, trained_by, size=1)
    clock = Clock(limit_s=None)
    found = all_trained(plan, tmp_path, crew, clock, FORMS, lambda _: None)
    for runs in found.trainings.values():
        assert [run.scores.keys() >= set(forms) for run in runs] == [True] * 3


def test_of_a_share_of_the_rows_no_files_are_made(tmp_path):
    _, crew = trained(planned(shares=(0.5,)), tmp_path, most=100)
    forms = {(order.job.share, order.forms.names) for order in crew.given}
    assert forms == {(1.0, FORMS.names), (0.5, ())}


def test_controls_have_three_seeds_at_most(tmp_path):
    found, crew = trained(planned(seeds=5), tmp_path, most=100)
    assert [len(runs) for runs in found.trainings.values()] == [5, 5, 5, 3, 3]
    assert found.left_out == 0
    assert len(crew.trained) == 21


def test_controls_that_the_time_does_not_allow_are_left_out(tmp_path):
    found, _ = trained(planned(), tmp_path, most=7)
    assert [one.architecture for one in found.trainings] == list(NAMES[:3])
    assert found.left_out == 8


def test_a_comparison_needs_a_training_of_each_contender_that_was_asked_for(tmp_path):
    with pytest.raises(TrainingFailed, match=r"too short: gru-lstm-16 has no training"):
        trained(planned(), tmp_path, most=2)


def test_one_training_of_each_is_a_result_that_decides_nothing(tmp_path):
    found, _ = trained(planned(), tmp_path, most=5)
    assert [len(runs) for runs in found.trainings.values()] == [2, 2, 1]
    metric, contenders = METRICS["accuracy"], tuple(found.trainings)
    group = group_of(Equal.UNITS, contenders, found.trainings, metric=metric, worth=0.01)
    decided: dict[str, Any] = {one.contender.architecture: one.verdict for one in group.standings}
    assert decided["gru-lstm"].outcome is Outcome.UNDECIDED
    assert "2 are needed" in decided["gru-lstm"].more.text
    assert decided["lstm"].outcome is Outcome.EQUAL


def test_what_was_scored_in_other_forms_is_trained_again(tmp_path):
    first, second = planned().jobs[:2]
    for job, form in ((first, "native float32"), (second, "native int8")):
        scores = {ORIGINAL: (1.0, 0.0), form: (1.0, 0.0)}
        write_training(tmp_path, result_of(job, scores=scores))
    _, crew = trained(planned(), tmp_path, most=100)
    assert first in crew.trained
    assert second not in crew.trained


def test_a_group_has_the_forms_that_all_of_its_trainings_have():
    contenders = planned().contenders[:2]
    plain = plain_result(planned().job(contenders[1], 0))
    more = replace(plain, scores={ORIGINAL: (1.0, 0.0), "native int8": (1.0, 0.0)})
    runs = {contenders[0]: (more, plain), contenders[1]: (plain, plain)}
    found = group_of(Equal.UNITS, contenders, runs, metric=METRICS["accuracy"], worth=0.01)
    assert {one.form for one in found.standings} == {ORIGINAL}


def test_short_of_time_controls_have_fewer_seeds_than_what_was_asked_for(tmp_path):
    found, _ = trained(planned(shares=(0.5,)), tmp_path, most=14)
    assert [len(runs) for runs in found.trainings.values()] == [3, 3, 3, 3, 2]
    assert found.left_out == 7
    assert not found.partial


def test_a_narrower_model_for_int4_is_a_control_that_can_be_left_out(tmp_path: Path) -> None:
    narrower = Contender(architecture="gru", units=9)
    plan = planned(narrower=(narrower,))
    assert narrower in plan.contenders
    assert narrower not in {job.contender for job in plan.jobs[:6]}
    found, _ = trained(plan, tmp_path, most=6)
    assert narrower not in found.trainings


@pytest.mark.parametrize(
    ("limit_s", "about"),
    [
        # 8 of 9 trainings of 10 s, by 2 workers, then the files; one that began counts whole.
        (None, ", about 70 s to go without controls"),
        (1000.0, ", about 70 s to go without controls"),
        (60.0, ", about 70 s to go without controls, and the time limit leaves 60 s"),
    ],
)
def test_progress_says_how_long_all_takes_with_the_files_and_how_much_the_limit_leaves(
    tmp_path, limit_s, about
):
    said: list[str] = []
    clock = Clock(limit_s=limit_s, reserve_s=30.0)
    crew = MadeUpCrew(tmp_path, plain_result, seconds=10.0)
    all_trained(planned(), tmp_path, crew, clock, FORMS, said.append)
    assert said[0].endswith("training gru-16 (seed 1) and lstm-16 (seed 1)")  # nothing is known
    assert said[1].startswith("1 of 9 trainings are done; training lstm-16 (seed 1) and gru-lstm")
    assert said[1].endswith(about)
    if limit_s is None:
        assert said[-1].endswith("training lstm-lstm-16 (seed 3), about 40 s to go")


def test_progress_does_not_count_what_the_time_left_out_as_done(tmp_path):
    said: list[str] = []
    clock = Clock(limit_s=1e6)

    def trained_by(job):
        for one in plan.contenders if len(crew.trained) == 8 else ():
            clock.took(one, 1e7)  # no other fits from now on
        return plain_result(job)

    crew, plan = MadeUpCrew(tmp_path, trained_by, seconds=0.0), planned(shares=(0.5,))
    found = all_trained(plan, tmp_path, crew, clock, FORMS, said.append)
    assert found.left_out == 12  # of them 6 controls, which the last call does not know yet
    assert said[-1].startswith("8 of 15 trainings are done, 6 left out")


def test_progress_says_on_how_many_rows_is_trained(tmp_path):
    said: list[str] = []
    plan = planned(shares=(0.25,))
    crew = MadeUpCrew(tmp_path, plain_result, size=1)
    all_trained(plan, tmp_path, crew, Clock(limit_s=None), FORMS, said.append)
    assert any("training gru-16 (seed 1, 25 % of the rows)" in one for one in said)
