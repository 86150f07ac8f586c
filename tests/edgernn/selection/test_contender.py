"""Contenders, the seeds of their trainings, and architectures as people write them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.errors import DataError, WrongOption
from edgernn.selection.contender import Contender, Equal, Job, parsed_equals, parsed_models
from edgernn.tasks.task import Recipe

JOB = Job(
    contender=Contender(architecture="gru", units=8),
    recipe=Recipe(units=8),
    repetition=0,
    data_sha256="0" * 64,
)


def test_the_seed_of_a_training_follows_from_what_is_trained():
    assert replace(JOB).seed == JOB.seed
    others = [
        replace(JOB, repetition=1),
        replace(JOB, data_sha256="1" * 64),
        replace(JOB, recipe=Recipe(units=8, epochs=3)),
        replace(JOB, contender=Contender(architecture="lstm", units=8)),
    ]
    assert len({one.seed for one in (JOB, *others)}) == len(others) + 1
    assert all(0 <= one.seed < 2**31 for one in others)


def test_models_are_a_list_or_a_text_and_each_counts_once():
    assert parsed_models("gru, lstm,gru") == ("gru", "lstm")
    assert parsed_models(["gru+lstm", "bi-gru"]) == ("gru+lstm", "bi-gru")


def test_a_model_that_there_is_not_or_a_single_one_is_refused():
    with pytest.raises(DataError, match="Did you mean 'gru'"):
        parsed_models("gruu,lstm")
    with pytest.raises(WrongOption, match="needs two architectures, and 1 is given"):
        parsed_models("gru")


def test_contenders_are_equal_by_units_or_bytes():
    assert parsed_equals("units,bytes") == (Equal.UNITS, Equal.BYTES)
    # Mixes are compared with their controls at equal units: these are the first group.
    assert parsed_equals("bytes, units,bytes") == (Equal.UNITS, Equal.BYTES)
    with pytest.raises(WrongOption, match="cannot be made equal by 'size'"):
        parsed_equals("size")
