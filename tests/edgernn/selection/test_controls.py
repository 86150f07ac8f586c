"""Mixes of cells come with what they must beat, and origins with what belongs together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.selection.contender import Contender, Job
from edgernn.selection.controls import with_controls
from edgernn.selection.crossed import by_origin, crossed_difference
from edgernn.selection.data import drawn_again
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe


@pytest.mark.parametrize(
    ("asked", "controls"),
    [
        (("gru", "lstm"), ()),
        (("gru-lstm",), ("gru-gru", "lstm-lstm")),
        (("gru+lstm", "gru"), ("gru+gru", "lstm+lstm")),
        (("bi-gru-lstm",), ("bi-gru-gru", "bi-lstm-lstm")),
        (("conv-gru",), ()),
        (("gru-lstm", "gru-gru"), ("lstm-lstm",)),
    ],
)
def test_a_mix_of_cells_brings_its_controls(asked, controls):
    assert with_controls(asked) == (*asked, *controls)


def samples(origins):
    random = np.random.default_rng(0)
    rows = len(origins)
    return Samples(
        name="made-up",
        x=random.normal(size=(rows, 4, 1)).astype(np.float32),
        y=random.integers(0, 2, rows),
        origins=tuple(origins),
    )


def job(repetition, share=1.0):
    contender = Contender(architecture="gru", units=4)
    return Job(
        contender=contender, recipe=Recipe(), repetition=repetition, data_sha256="0", share=share
    )


def test_validation_rows_are_drawn_anew_and_a_speaker_stays_on_one_side():
    splits = split(samples([f"speaker {row % 40}" for row in range(400)]))
    validations = set()
    for repetition in range(4):
        drawn = drawn_again(splits, job(repetition))
        assert not set(drawn.train.origins) & set(drawn.validation.origins)
        assert len(drawn.train) + len(drawn.validation) == len(splits.train) + len(
            splits.validation
        )
        assert drawn.test is splits.test
        assert len(set(drawn.calibration.origins)) > 5
        validations.add(frozenset(drawn.validation.origins))
    assert len(validations) > 1


def test_where_speakers_are_in_all_parts_single_rows_are_drawn():
    splits = split(replace(samples(["a"] * 400), origins=()))
    drawn = drawn_again(splits, job(0))
    assert len(drawn.validation) == len(splits.validation)


def test_a_share_of_the_rows_is_that_of_the_training_only():
    splits = split(samples([f"{row}" for row in range(400)]))
    whole, part = drawn_again(splits, job(0)), drawn_again(splits, job(0, share=0.25))
    assert len(part.train) == round(0.25 * len(whole.train))
    assert len(part.validation) == len(whole.validation)
    assert job(0, share=0.25).key != job(0).key


def test_rows_of_one_speaker_count_as_one_with_the_same_means():
    random = np.random.default_rng(1)
    speakers = np.repeat(np.arange(20), 50)
    luck = random.normal(0, 0.2, 20)[speakers]
    a, b = (random.normal(mean, 0.1, (5, 1000)) for mean in (0.5, 0.5))
    a += luck
    names = [str(speaker) for speaker in speakers]
    clustered = [by_origin(x, names) for x in (a, b)]
    for x, y in zip((a, b), clustered, strict=True):
        np.testing.assert_allclose(y.mean(axis=1), x.mean(axis=1))
        assert y.shape == (5, 20)
    narrow, wide = crossed_difference(a, b), crossed_difference(*clustered)
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.row_variance == pytest.approx(luck[::50].var(ddof=1) / 20, rel=0.3)
    assert wide.row_variance > 5 * narrow.row_variance
