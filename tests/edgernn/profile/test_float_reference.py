"""The original model's answers, computed without Keras."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn import reference
from edgernn.export.keras.file import read_model
from edgernn.profile import float_reference
from edgernn.profile.float_reference import reference_predictions
from edgernn.tasks.samples import Samples
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"


@pytest.fixture(scope="module")
def samples():
    shape = [size or 6 for size in read_model(SMALL).graph.inputs[0].spec.shape[1:]]
    x = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    return Samples(name="data", x=x, y=np.zeros(20, np.int64))


def test_the_reference_answers_for_every_row(samples):
    graph = read_model(SMALL).graph
    said = reference.run(graph, {graph.inputs[0].name: samples.x})[graph.outputs[0].name]
    found = reference_predictions(SMALL, samples)
    assert found is not None
    assert found.classes == tuple(int(label) for label in said.argmax(axis=-1))
    assert len(set(found.classes)) > 1


def test_a_job_for_minutes_is_left_to_the_float32_artefact(samples, monkeypatch):
    monkeypatch.setattr(float_reference, "MOST_MULTIPLICATIONS", 10)
    assert reference_predictions(SMALL, samples) is None
