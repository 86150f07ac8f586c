"""States that PyTorch stacks, [layers, batch, units], are one input and output for each layer."""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import edgernn
from edgernn.errors import DataError
from edgernn.export.onnx_file.file import read_onnx
from edgernn.export.reading import read_source
from edgernn.export.source_check import check_reading
from edgernn.graph import Lstm
from tests.export.onnx_file.golden import FILES, FOLDER, PROGRAMS, answers, made_up, stored
from tests.export.onnx_file.hand_made import saved


def shapes(ports):
    return {name: spec.shape for name, spec in ports}


def of_inputs(graph):
    return shapes((entry.name, entry.spec) for entry in graph.inputs)


def test_each_layer_has_an_input_and_an_output_of_its_own():
    model = read_onnx(FOLDER / "stateful.legacy.onnx")
    states = {"h_0": (None, 6), "h_1": (None, 6), "c_0": (None, 6), "c_1": (None, 6)}
    assert of_inputs(model.graph) == {"x": (None, None, 5), **states}
    first, second = (layer for layer in model.graph.layers if isinstance(layer, Lstm))
    assert (first.initial_h, first.initial_c) == ("h_0", "c_0")
    assert (second.initial_h, second.initial_c) == ("h_1", "c_1")
    assert [output.name for output in model.graph.outputs] == [
        "fc", "rnn/state_h", "rnn_1/state_h", "rnn/state_c", "rnn_1/state_c",
    ]  # fmt: skip
    assert any("'h' has a state for each layer, on axis 0" in said for said in model.warnings)


def test_the_state_of_one_layer_keeps_its_name():
    graph = read_source(FOLDER / "one_state.free.pt2").graph
    assert of_inputs(graph)["h"] == (None, 8)
    assert [type(layer).__name__ for layer in graph.layers] == ["Dense", "Gru", "Dense"]


@pytest.mark.parametrize("kind", ["legacy.onnx", "dynamo.onnx", "free.pt2"])
def test_directions_count_as_layers(kind):
    graph = read_source(FOLDER / f"bigru_states.{kind}").graph
    assert list(of_inputs(graph)) == ["x", "h_0", "h_1", "h_2", "h_3"]
    assert len(graph.outputs) == 1 + 4


def changed(tmp_path, change):
    made = onnx.load(FOLDER / "stateful.legacy.onnx")
    change(made.graph)
    return saved(made, tmp_path)


def test_states_that_are_also_read_together_stay_together(tmp_path):
    def read_whole(graph):
        graph.node.append(helper.make_node("Relu", ["h"], ["all"], name="all"))
        graph.output.append(helper.make_tensor_value_info("all", onnx.TensorProto.FLOAT, None))

    path = changed(tmp_path, read_whole)
    model = read_onnx(path)
    assert of_inputs(model.graph)["h"] == (None, 2, 6)
    assert of_inputs(model.graph)["c_1"] == (None, 6)
    assert check_reading(model)


def test_a_layer_that_nothing_begins_with_leaves_the_states_together(tmp_path):
    def second_from_zeros(graph):
        second = [node for node in graph.node if node.op_type == "LSTM"][1]
        del second.input[5:]

    model = read_onnx(changed(tmp_path, second_from_zeros))
    assert of_inputs(model.graph)["h"] == (None, 2, 6)
    assert check_reading(model)


def test_joins_of_joins_are_not_followed_for_ever(tmp_path):
    def doubled(graph):
        name = graph.output[1].name
        for level in range(40):
            doubled = f"double {level}"
            graph.node.append(helper.make_node("Concat", [name, name], [doubled], axis=0))
            name = doubled
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))

    path = changed(tmp_path, doubled)
    started = time.perf_counter()
    names = [output.name for output in read_onnx(path).graph.outputs]
    assert time.perf_counter() - started < 10
    assert len(names) == 5 + 1


OFTEN = ("stateful.legacy.onnx", "one_state.free.pt2")
STEPWISE = [
    name if name in OFTEN else pytest.param(name, marks=pytest.mark.long)
    for name in (*FILES, *PROGRAMS)
    if name.split(".")[0] in ("stateful", "one_state") and "fixed" not in name
]


@pytest.mark.parametrize("file", STEPWISE)
def test_a_stream_that_begins_with_given_states_ends_as_in_pytorch(file, tmp_path):
    inputs, expected = stored(file)
    made = edgernn.load(FOLDER / file).export(tmp_path, to="onnx", streaming=True)["onnx"]
    session = onnxruntime.InferenceSession(made.path)
    model = read_source(FOLDER / file)
    states = {
        name: inputs[port.name][port.part.index]
        for name, port in model.ports.items()
        if port.part is not None and port.name in inputs
    }
    assert {state.input for state in made.artefact.states} == set(states)
    names = [entry.name for entry in session.get_outputs()]
    steps = []
    for at in range(inputs["x"].shape[1]):
        found = session.run(None, {"x": inputs["x"][:, at : at + 1], **states})
        answer = dict(zip(names, found, strict=True))
        states = {state.input: answer[state.output] for state in made.artefact.states}
        steps.append(answer[names[0]])
    assert np.abs(np.concatenate(steps, axis=1) - expected[0]).max() <= 1e-5
    for name, last in zip(list(inputs)[1:], expected[1:], strict=True):
        parts = [array for state, array in states.items() if state.partition("_")[0] == name]
        assert np.abs(np.stack(parts) - last).max() <= 1e-5


def test_a_session_keeps_the_states_of_a_step_alone(tmp_path):
    inputs, _ = stored("one_step.free.pt2")
    path = FOLDER / "one_step.free.pt2"
    edgernn.load(path).export(tmp_path, to="native", streaming=True)
    (file,) = tmp_path.glob("*.ernn")
    session = edgernn.Model(file).session()
    model, h = read_source(path), np.zeros((1, 6), np.float32)
    for row in inputs["x"]:
        result, h = answers(model, {"x": row[None], "h": h})
        answer = session.step(row)
        np.testing.assert_allclose(answer["fc"], result[0], atol=1e-5)


def test_a_stream_is_calibrated_from_zeros_where_no_states_are_given(tmp_path):
    model = edgernn.load(FOLDER / "one_state.free.pt2")
    x = made_up(model.model, 60)["x"]

    def content(folder, calibrate):
        made = model.export(
            tmp_path / folder, scheme="int8", to="native", streaming=True, calibrate=calibrate
        )
        return made["native"].path.read_bytes()

    states = np.zeros((60, 8), np.float32)
    from_zeros = content("zeros", x)
    assert from_zeros == content("given", {"x": x, "h": states})
    assert from_zeros != content("ones", {"x": x, "h": states + 1})
    with pytest.raises(DataError, match="the data have no names"):
        model.export(tmp_path / "whole", scheme="int8", calibrate=x)


def test_names_that_outputs_have_are_not_taken_for_inputs(tmp_path):
    def renamed(graph):
        graph.output[1].name = "h_0"
        for node in graph.node:
            node.output[:] = ["h_0" if name == "160" else name for name in node.output]

    model = read_onnx(changed(tmp_path, renamed))
    names = [entry.name for entry in model.graph.inputs]
    names += [output.name for output in model.graph.outputs]
    assert len(names) == len(set(names)) == len(model.ports)
    assert check_reading(model)
