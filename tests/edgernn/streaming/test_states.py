"""Stateful layers: their states become arguments and results."""

from __future__ import annotations

import numpy as np

from edgernn import reference
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    AnyArray,
    AnyNotEqual,
    Gru,
    Input,
    Recurrent,
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
