"""Models that hypothesis composes at random: Keras, the reference and every back end agree."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.object import from_keras
from edgernn.export.verify import relative_error
from tests.export.test_parity import TOLERANCE
from tests.zoo.case import Case, Gaps, Generation
from tests.zoo.prepare import prepare
from tests.zoo.random_models import STEPS, Plan, build, plans
from tests.zoo.runtimes import TARGETS, open_session, prepared_graph, run_calls

#: What the native runtime leaves to others: attention, and sequences of sequences.
NOT_NATIVE: Final = ("is not among the runtime's layers", "has a float32 tensor of shape")


def _case(plan: Plan, batch: int, gaps: Gaps) -> Case:
    def build_plan(k: Any) -> Any:
        return build(k, plan)

    return Case(name="random", build=build_plan, batch=batch, steps=STEPS, gaps=gaps)


@pytest.mark.parametrize("generation", list(Generation))
@settings(
    max_examples=40,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plan=plans(), batch=st.integers(1, 3), gaps=st.sampled_from(list(Gaps)))
def test_a_random_model_answers_as_keras_does(
    generation: Generation, plan: Plan, batch: int, gaps: Gaps
) -> None:
    model = prepare(_case(plan, batch, gaps), generation)
    assume(model.is_telling)  # an average over no valid step is NaN
    read = from_keras(model.model).graph
    graph, outputs = prepared_graph(read), [output.name for output in read.outputs]
    for target in TARGETS:
        try:
            session = open_session(target, graph)
        except UnsupportedLayer as refusal:
            if target == "native" and any(text in refusal.reason for text in NOT_NATIVE):
                continue
            raise
        answers = run_calls(session, graph, model.inputs, outputs=outputs)
        for actual, expected in zip(answers[0], model.expected[0], strict=True):
            error = relative_error(actual, expected)
            note(f"{target}: {error}")
            assert error <= TOLERANCE, target
