"""A time that is expected before anything is trained: roughly right, and larger for what is."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edgernn.selection.contender import Contender, Job
from edgernn.selection.expected import expected_from
from edgernn.selection.messages import Train
from edgernn.selection.training import read_training
from edgernn.selection.work import Forms
from edgernn.selection.worker import carried_out
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe

RECIPE = Recipe(epochs=4, patience=0, batch_size=32)


def rows(count=1200):
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 20, 4)).astype(np.float32)
    return split(Samples(name="made-up", x=x, y=(x.sum(axis=(1, 2)) > 0).astype(np.int64)))


def job(name="gru", units=32, **changes):
    contender = Contender(architecture=name, units=units)
    recipe = replace(RECIPE, units=units)
    return Job(contender=contender, recipe=recipe, repetition=0, data_sha256="0", **changes)


EXPECTED = expected_from(rows().train)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (job(units=32), job(units=256)),
        (job("gru"), job("gru-lstm")),
        (job("gru"), job("bi-gru")),
        (job(share=0.25), job()),
        (
            job("gru+lstm", units=256),
            job("gru-lstm", units=256),
        ),  # averaged of models that are there
        (job(), replace(job(), recipe=replace(RECIPE, epochs=50))),
    ],
)
def test_what_costs_more_is_expected_to_take_longer(less, more):
    assert 1.1 * EXPECTED(less) < EXPECTED(more)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_real_training_takes_a_third_to_three_times_of_what_is_expected(tmp_path):
    pytest.importorskip("tensorflow")

    def seconds(one):
        began = time.process_time()
        answer = carried_out(Train(job=one, forms=Forms(formats=(), schemes=())), rows(), tmp_path)
        assert not answer.error, answer
        assert read_training(tmp_path, one.key) is not None
        return time.process_time() - began

    seconds(replace(job(), repetition=1))  # TensorFlow is loaded
    for one in (job(units=64), job("gru-lstm", units=64)):
        assert 1 / 3 < seconds(one) / EXPECTED(one) < 3
