"""What the file itself promises: size, names, reuse, resizing, errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tflite.Model import Model as Schema

from edgernn.errors import UnsupportedLayer
from edgernn.export import tflite
from edgernn.export.tflite.builder import Model
from edgernn.graph import (
    Dense,
    Dot,
    Graph,
    Input,
    Output,
    Padding,
    Pool1D,
    PoolKind,
    Reshape,
    TensorSpec,
)
from edgernn.reference import run
from tests.export.tflite.cases import CASES
from tests.export.tflite.models import case, gru, lstm, sequence, single, weights
from tests.export.tflite.test_model import assert_same


def keyword_spotter(make: Any) -> Graph:
    cell = make("r", "x", 40, 128)
    head = Dense(name="d", input="r.y", output="y", kernel=weights(128, 10), bias=weights(10))
    return case([sequence(features=40)], [cell, head], "y").graph


@pytest.mark.parametrize("make", [gru, lstm])
def test_a_file_is_hardly_larger_than_its_weights(make: Any) -> None:
    graph = keyword_spotter(make)
    content = tflite.lower(graph, metadata={"labels": "[]"}).content
    assert len(content) <= graph.parameters * 4 * 1.05 + 8192


def test_float16_weights_take_half_the_file() -> None:
    graph = keyword_spotter(gru)
    layers = tuple(_in_float16(layer) for layer in graph.layers)
    content = tflite.lower(replace(graph, layers=layers), metadata={}).content
    assert len(content) <= graph.parameters * 2 * 1.05 + 8192


def test_float16_weights_are_computed_with_in_float32() -> None:
    made = CASES["mixed stack"]
    graph = replace(made.graph, layers=tuple(_in_float16(layer) for layer in made.graph.layers))
    content = tflite.lower(graph, metadata={}).content
    found = Interpreter(model_content=content).get_signature_runner()(**made.inputs)
    assert_same(found, run(graph, made.inputs))


def _in_float16(layer: Any) -> Any:
    kernels = {name: value for name, value in layer.weights.items() if "kernel" in name}
    return replace(layer, **{name: value.astype(np.float16) for name, value in kernels.items()})


def test_a_shared_layer_is_stored_once() -> None:
    first = gru("a", "x", 40, 128)
    second = replace(first, name="b", input="z", output="b.y", state_h="b.h")
    inputs = [sequence(features=40), sequence("z", features=40)]
    shared = case(inputs, [first, second], "a.y", "b.y").graph
    alone = single(first, inputs[0]).graph
    sizes = [len(tflite.lower(graph, metadata={}).content) for graph in (shared, alone)]
    assert sizes[0] < sizes[1] + 4096


def test_only_inputs_and_outputs_have_names() -> None:
    content = tflite.lower(CASES["whole model"].graph, metadata={}).content
    model = Schema.GetRootAs(content, 0)
    main = model.Subgraphs(0)
    names = [main.Tensors(at).Name() for at in range(main.TensorsLength())]
    assert [name for name in names if name] == [b"t"]
    signature = model.SignatureDefs(0)
    assert signature.SignatureKey() == b"serving_default"
    assert signature.Outputs(0).Name() == b"out0"


def test_metadata_are_in_the_file() -> None:
    content = tflite.lower(CASES["gru"].graph, metadata={"labels": '["ja"]'}).content
    model = Schema.GetRootAs(content, 0)
    entry = model.Metadata(0)
    stored = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert (entry.Name(), stored) == (b"labels", b'["ja"]')


@pytest.mark.parametrize("name", ["lstm", "gru masked sequences", "mixed stack", "whole model"])
def test_an_interpreter_can_be_resized_again_and_again(name: str) -> None:
    made = CASES[name]
    interpreter = Interpreter(model_content=tflite.lower(made.graph, metadata={}).content)
    interpreter.allocate_tensors()  # at the file's own sizes first, as many programs do
    runner: Any = interpreter.get_signature_runner()
    for batch, steps in ((3, 7), (1, 7), (2, 5), (1, 1), (3, 7)):
        inputs = {key: value[:batch, :steps] for key, value in made.inputs.items()}
        assert_same(runner(**inputs), run(made.graph, inputs))


@pytest.mark.parametrize("name", CASES)
def test_a_file_can_be_allocated_as_it_is(name: str) -> None:
    content = tflite.lower(CASES[name].graph, metadata={}).content
    Interpreter(model_content=content).allocate_tensors()


def test_two_files_of_one_graph_are_equal() -> None:
    graph = CASES["whole model"].graph
    assert tflite.lower(graph, metadata={}) == tflite.lower(graph, metadata={})


@pytest.mark.parametrize(
    ("layer", "inputs", "reason"),
    [
        (
            Pool1D(
                name="p", input="x", output="y", kind=PoolKind.MAX, window=2, stride=1,
                padding=Padding.CAUSAL,
            ),
            [sequence()],
            "pools with causal padding",
        ),
        (
            Dot(name="p", left="x", right="z", output="y", left_axis=3, right_axis=1),
            [
                Input(name="x", spec=TensorSpec(shape=(None, 2, 3, 5))),
                Input(name="z", spec=TensorSpec(shape=(None, 5, 2))),
            ],
            "multiplies tensors of rank 4 and 3",
        ),
        (
            Reshape(name="p", input="x", output="y", target=(-1, -1, 3)),
            [Input(name="x", spec=TensorSpec(shape=(None, None, None, 3)))],
            "has a result with 2 sizes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_refused_by_name(layer, inputs, reason: str) -> None:
    graph = Graph(
        name="model",
        inputs=tuple(inputs),
        layers=(layer,),
        outputs=(Output(name="y", edge="y"),),
    )
    with pytest.raises(UnsupportedLayer, match=reason) as refused:
        tflite.lower(graph, metadata={})
    assert (refused.value.layer, refused.value.where) == ("p", "model")
    assert refused.value.args[0].endswith(("first", "'valid'", "open"))


def test_constants_of_equal_bytes_share_them_and_keep_their_types() -> None:
    model = Model()
    graph = model.subgraph()
    whole = graph.constant(np.zeros(20, np.int8))
    real = graph.constant(np.zeros((1, 5), np.float32))
    assert whole.buffer == real.buffer
    assert model.values_of(real).dtype == np.float32
    assert model.values_of(real).shape == (1, 5)
