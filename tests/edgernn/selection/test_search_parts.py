"""Parts of a search: bisection of widths, budgets, predicted times, the sampler's memory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgernn.errors import BudgetExceeded, DataError
from edgernn.scheme import Scheme
from edgernn.selection.candidates import Budget, Candidate, Ladder, Tried, affordable, shape_of
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.messages import Train, order_line, read_order
from edgernn.selection.shapes import Shape
from edgernn.selection.tuning import Tuner
from edgernn.selection.work import Forms
from edgernn.tasks.task import Recipe


def rungs(budget=None, *, per_unit=100, architecture="gru"):
    return affordable(
        architecture,
        Recipe(),
        budget or Budget(score=0.9, max_bytes=12_800),
        bytes_of=lambda one: one.units * per_unit,
        predicted_ms=lambda one: one.units / 100,
    )


def test_widths_are_multiples_of_16_up_to_the_limit_of_bytes_and_of_time():
    assert [one.contender.units for one in rungs()] == list(range(16, 129, 16))
    both = Budget(score=0.9, max_bytes=12_800, p95_ms=0.65)
    assert [one.contender.units for one in rungs(both)] == [16, 32, 48, 64]


def test_what_cannot_fit_is_refused_with_its_size():
    with pytest.raises(BudgetExceeded, match=r"smallest gru \(16 units\) has 1.6 KB.*more than"):
        rungs(Budget(score=0.9, max_bytes=1000))


def widths_tried(ladder, least):
    """In order, where `least` units or more reach the score."""
    trained = []
    while (candidate := ladder.wanted()) is not None:
        trained.append(candidate.contender.units)
        reached = candidate.contender.units >= least
        ladder.told(Tried(candidate=candidate, scores=(0.95 if reached else 0.5,)), reached=reached)
    return trained


@pytest.mark.parametrize("least", range(1, 10))
def test_bisection_finds_the_narrowest_that_reaches_the_score(least):
    trained = widths_tried(Ladder(rungs=rungs()), 16 * least)
    assert trained[0] == 128
    reaching = [units for units in trained if units >= 16 * least]
    assert min(reaching, default=None) == (16 * least if least < 9 else None)
    assert len(trained) <= 4
    assert len(set(trained)) == len(trained)


@pytest.mark.parametrize(
    ("least", "tried"),
    [
        (16, [16]),
        (32, [16, 32]),
        (48, [16, 32, 64, 48]),
        (80, [16, 32, 64, 128, 96, 80]),
        (128, [16, 32, 64, 128, 96, 112]),
        (1000, [16, 32, 64, 128]),
    ],
)
def test_without_a_limit_of_bytes_the_width_is_doubled_until_one_reaches_the_score(least, tried):
    assert widths_tried(Ladder(rungs=rungs(), climbs=True), least) == tried


def test_a_ladder_that_climbs_ends_where_another_is_cheaper():
    ladder = Ladder(rungs=rungs(), climbs=True)
    for _ in range(2):
        candidate = ladder.wanted()
        assert candidate is not None
        ladder.told(Tried(candidate=candidate, scores=(0.5,)), reached=False)
    best = replace(ladder.rungs[2], contender=Contender(architecture="lstm", units=32))
    ladder.bound(lambda one, other: one.bytes < other.bytes, best)
    assert ladder.wanted() is None


def test_what_is_no_cheaper_than_the_best_is_not_begun():
    ladder = Ladder(rungs=rungs())
    best = Candidate(
        contender=Contender(architecture="lstm", units=32),
        recipe=Recipe(),
        bytes=4_000,
        predicted_ms=None,
    )
    ladder.bound(lambda one, other: one.bytes < other.bytes, best)
    assert [one.contender.units for one in ladder.rungs] == [16, 32]


def test_times_are_predicted_for_stacks_of_cells_only():
    sizes = {"steps": 40, "features": 13, "classes": 10}
    known = shape_of(Contender(architecture="gru-lstm", units=32), **sizes)
    assert known == Shape(cells=("gru", "lstm"), steps=40, features=13, units=32)
    for name in ("conv-gru", "bi-gru", "gru+lstm"):
        assert shape_of(Contender(architecture=name, units=32), **sizes) is None


def test_an_order_keeps_everything_about_its_job_on_the_way_to_a_worker():
    job = Job(
        contender=Contender(architecture="gru", units=16),
        recipe=Recipe(units=16, dropout=0.2, learning_rate=3e-3),
        repetition=2,
        data_sha256="0",
        share=0.25,
        role=Role.SEARCHED,
    )
    order = Train(job=job, forms=Forms(formats=("native",), schemes=(Scheme.INT8,)))
    assert read_order(order_line(order)) == order


CONTENDERS = (Contender(architecture="gru", units=16), Contender(architecture="lstm", units=16))


def test_the_sampler_remembers_what_was_tried_before_a_crash(tmp_path):
    pytest.importorskip("optuna")
    first = Tuner(CONTENDERS, Recipe(), tmp_path, higher=True)
    asked = [first.suggestion() for _ in range(5)]
    for one in asked[:3]:
        first.told(one, 0.9)
    assert len(list(tmp_path.iterdir())) == 3  # what was in flight is lost, and nothing else
    again = Tuner(CONTENDERS, Recipe(), tmp_path, higher=True)
    assert again.suggestion().number == 3
    recipes = {(one.contender, one.recipe.learning_rate) for one in asked}
    assert len(recipes) == 5
    assert {one.contender.units for one in asked} == {16}


def test_a_convolution_and_many_updates_are_tried_first_with_each_contender_once(tmp_path):
    pytest.importorskip("optuna")
    first = Tuner(CONTENDERS, Recipe(), tmp_path, higher=True)
    asked = [first.suggestion() for _ in range(4)]
    assert [one.contender.architecture for one in asked] == ["conv-gru", "conv-lstm", "gru", "lstm"]
    assert {one.recipe.batch_size for one in asked} == {32}
    first.told(asked[0], 0.9)
    again = Tuner(CONTENDERS, Recipe(), tmp_path, higher=True)
    names = [again.suggestion().contender.architecture for _ in range(3)]
    assert names == ["conv-lstm", "gru", "lstm"]
    assert again.suggestion().recipe.learning_rate != asked[0].recipe.learning_rate


def test_a_damaged_trial_is_named(tmp_path):
    pytest.importorskip("optuna")
    (tmp_path / "0000.json").write_text(json.dumps({"number": 0}))
    with pytest.raises(DataError, match=r"0000.json is not a trial"):
        Tuner(CONTENDERS, Recipe(), tmp_path, higher=True)
