"""Stateful layers: their states become arguments and results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import UnsupportedLayer
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    AnyArray,
    AnyNotEqual,
    Gru,
    Input,
    Lstm,
    Recurrent,
    Reshape,
)
from edgernn.scheme import Scheme
from edgernn.streaming import expose_states, to_streaming
from tests.edgernn.streaming.runs import (
    KINDS,
    in_onnx,
)
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    cell,
    floats,
    graph_of,
    numbers,
    sequence,
)


@KINDS
def test_a_stateful_layer_in_chunks_equals_the_whole(kind: type[Recurrent]) -> None:
    layers = [
        cell(kind, "a", return_sequences=True, stateful=True),
        cell(kind, "b", "a", features=UNITS, stateful=True),
    ]
    graph = expose_states(graph_of(sequence(), *layers))
    chunks = np.split(numbers(2, 12, FEATURES), 3, axis=1)
    states: dict[str, AnyArray] = {
        state.input: np.zeros((2, UNITS), np.float32) for state in graph.states
    }
    run = in_onnx(graph)
    for chunk in chunks:
        answer = run({"x": chunk, **states})
        states = {state.input: answer[state.output] for state in graph.states}
    free = graph_of(
        sequence(),
        cell(kind, "a", return_sequences=True),
        cell(kind, "b", "a", features=UNITS),
    )
    whole = reference.run(free, {"x": np.concatenate(chunks, axis=1)})
    np.testing.assert_allclose(answer["b_out"], whole["b_out"], atol=2e-6)


def test_a_stateful_layer_with_an_initial_state_starts_there_each_time() -> None:
    inputs: list[Input] = [sequence(), floats("h", None, UNITS)]
    graph = expose_states(graph_of(inputs, cell(Gru, stateful=True, initial_h="h")))
    assert not graph.states


def test_states_do_not_take_the_names_of_others() -> None:
    first = cell(Gru, "gru", stateful=True)
    graph = expose_states(graph_of([sequence(), floats("gru_h", None, 3)], first))
    assert graph.states[0].input == "gru_h_2"


def test_a_model_without_stateful_layers_is_left_as_it_is() -> None:
    graph = graph_of(sequence(), AnyNotEqual(name="m", input="x", output="m"), cell(Gru))
    assert expose_states(graph).layers == graph.layers


def test_integer_parameters_stay_with_their_layers() -> None:
    graph = graph_of(sequence(), cell(Gru, "gru", stateful=True))
    inputs = {"x": numbers(16, 20, FEATURES)}
    small = quantize(graph, calibrate(graph, inputs), Scheme.INT8)
    for converted in (to_streaming(small), expose_states(small)):
        assert converted.quantization is not None
        assert set(converted.quantization.plans) == {"gru"}


def test_the_only_result_stays_one_though_it_is_a_state() -> None:
    inputs: list[Input] = [sequence(), floats("h", None, UNITS)]
    step = to_streaming(graph_of(inputs, cell(Gru, "gru", initial_h="h"), outputs=["gru.h"]))
    assert step.states[0].output != "gru.h_out"
    assert {output.name for output in step.outputs} > {"gru.h_out"}


@KINDS
def test_a_step_over_a_vector_hands_on_the_state_that_it_is_given(kind: type[Recurrent]) -> None:
    one = Reshape(name="one", input="v", output="one", target=(1, FEATURES))
    names = ["h", "c"] if kind is Lstm else ["h"]
    given: dict[str, Any] = {f"initial_{name}": name for name in names}
    graph = graph_of(
        [floats("v", None, FEATURES), *(floats(name, None, UNITS) for name in names)],
        one,
        cell(kind, "a", "one", **given),
    )
    step = to_streaming(graph)
    assert [state.input for state in step.states] == names
    x = numbers(2, 5, FEATURES)
    states: dict[str, AnyArray] = {name: numbers(2, UNITS) for name in names}
    whole = reference.run(
        graph_of([sequence(), *(floats(name, None, UNITS) for name in names)],
                 cell(kind, "a", **given)),
        {"x": x, **states},
    )  # fmt: skip
    for time in range(x.shape[1]):
        answer = reference.run(step, {"v": x[:, time], **states})
        states = {state.input: answer[state.output] for state in step.states}
    np.testing.assert_allclose(answer["a_out"], whole["a_out"], atol=2e-6)


def test_two_steps_that_begin_with_one_state_are_refused() -> None:
    one = Reshape(name="one", input="v", output="one", target=(1, FEATURES))
    cells = [cell(Gru, name, "one", initial_h="h") for name in ("a", "b")]
    inputs = [floats("v", None, FEATURES), floats("h", None, UNITS)]
    graph = graph_of(inputs, one, *cells, outputs=["a", "b"])
    with pytest.raises(UnsupportedLayer, match="shares the initial state 'h'") as refusal:
        to_streaming(graph)
    assert "an input of its own" in refusal.value.remedy
