"""What surrounds the layers: names, types, metadata, opset, size, float16 weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from edgernn.export import backend_named
from edgernn.export.onnx import lower
from edgernn.graph import (
    Dense,
    Embedding,
    Graph,
    Gru,
    Layer,
    Lstm,
    NotEqual,
    Output,
    Recurrent,
    SimpleRnn,
    State,
    as_float32,
)
from tests.export.onnx.agreement import assert_agrees, checked
from tests.export.onnx.models import cell, floats, graph_of, numbers, sequence, tokens


def _halved(layer: Layer) -> Layer:
    changed: Any = {
        field: as_float32(weight).astype(np.float16) for field, weight in layer.weights.items()
    }
    return replace(layer, **changed)


def _bytes(layer: Layer) -> int:
    return sum(weight.nbytes for weight in layer.weights.values())


def test_it_is_the_back_end_that_the_registry_names() -> None:
    assert backend_named("onnx").lower is lower


def test_writing_needs_neither_a_runtime_nor_a_framework() -> None:
    script = (
        "import sys, edgernn.export.onnx;"
        "print(sorted({'onnx', 'onnxruntime', 'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_inputs_and_outputs_keep_their_names_order_and_types() -> None:
    graph = graph_of(
        [sequence(name="zeta"), tokens("alpha", None, 6)],
        cell(Gru, "gru", "zeta", return_sequences=True),
        Embedding(name="embedding", input="alpha", output="e", table=numbers(9, 3)),
        NotEqual(name="mask", input="alpha", output="mask"),
        outputs=["mask", "gru", "e"],
    )
    model = checked(assert_agrees(graph).content)
    assert [value.name for value in model.graph.input] == ["zeta", "alpha"]
    assert [value.name for value in model.graph.output] == ["mask_out", "gru_out", "e_out"]
    assert model.graph.input[1].type.tensor_type.elem_type == onnx.TensorProto.INT32
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.BOOL


def test_free_dimensions_have_names_and_only_batches_share_one() -> None:
    graph = graph_of(
        [sequence(name="x"), sequence(name="y")],
        cell(Gru, "a", "x"),
        cell(Gru, "b", "y", return_sequences=True),
        outputs=["a", "b"],
    )
    model = checked(lower(graph, metadata={}).content)
    dimensions = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert dimensions == [
        ["batch", "x.1", 5],
        ["batch", "y.1", 5],
        ["batch", 7],
        ["batch", "b_out.1", 7],
    ]


def test_names_of_the_user_never_meet_ours() -> None:
    """Inner values are called a, b, c, ...: a model may call its inputs and outputs so too."""
    graph = Graph(
        name="letters",
        inputs=(floats("a", None, None, 5), floats("c", None, 7)),
        layers=(cell(Gru, "b", "a", initial_h="c"),),
        outputs=(
            Output(name="d", edge="b"),
            Output(name="e", edge="b.h"),
            Output(name="f", edge="a"),
        ),
    )
    assert_agrees(graph)


def test_layers_can_be_found_by_their_names() -> None:
    graph = graph_of(
        sequence(),
        cell(Lstm, "encoder"),
        Dense(name="head", input="encoder", output="y", kernel=numbers(7, 3), bias=numbers(3)),
    )
    model = checked(lower(graph, metadata={}).content)
    kinds = {node.name: node.op_type for node in model.graph.node if node.name}
    assert kinds == {"encoder": "LSTM", "head": "Gemm"}


def test_metadata_become_properties() -> None:
    metadata = {"labels": json.dumps(["yes", "no"]), "scheme": "float32", "sha256": "00ff"}
    model = checked(lower(graph_of(sequence(), cell(Gru)), metadata=metadata).content)
    assert {entry.key: entry.value for entry in model.metadata_props} == metadata
    assert model.producer_name == "edgernn"


def test_states_are_named_in_the_file() -> None:
    graph = Graph(
        name="step",
        inputs=(floats("x", 1, 1, 5), floats("h", 1, 7)),
        layers=(cell(Gru, initial_h="h"),),
        outputs=(Output(name="y", edge="rnn"), Output(name="next", edge="rnn.h")),
        states=(State(input="h", output="next"),),
    )
    model = checked(assert_agrees(graph).content)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["states"]) == {"h": "next"}


@pytest.mark.parametrize(("kind", "opset"), [(Gru, 7), (Lstm, 7), (SimpleRnn, 7)])
def test_a_plain_recurrent_model_is_written_in_the_oldest_opset(
    kind: type[Recurrent], opset: int
) -> None:
    lowered = assert_agrees(graph_of(sequence(), cell(kind)))
    assert lowered.details["opset"] == str(opset)
    model = checked(lowered.content)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert str(model.ir_version) == lowered.details["ir_version"] == "4"


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("halved", [False, True])
def test_a_file_is_hardly_larger_than_its_weights(kind: type[Recurrent], halved: bool) -> None:
    layers: list[Layer] = [
        Embedding(name="embedding", input="x", output="e", table=numbers(500, 64)),
        NotEqual(name="mask", input="x", output="mask"),
        cell(kind, "rnn", "e", features=64, units=64, mask="mask"),
        Dense(name="head", input="rnn", output="y", kernel=numbers(64, 9), bias=numbers(9)),
    ]
    if halved:
        layers = [_halved(layer) for layer in layers]
    lowered = assert_agrees(graph_of(tokens("x", None, None), *layers))
    assert len(lowered.content) <= 1.05 * sum(map(_bytes, layers)) + 8192


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
def test_float16_weights_are_stored_so_and_computed_in_float32(kind: type[Recurrent]) -> None:
    layer = cell(kind, features=40, units=64)
    whole = assert_agrees(graph_of(sequence(features=40), layer))
    half = assert_agrees(graph_of(sequence(features=40), _halved(layer)))
    assert len(half.content) < 0.55 * len(whole.content)


def test_the_same_graph_gives_the_same_bytes() -> None:
    graph = graph_of(sequence(), cell(Lstm))
    assert lower(graph, metadata={}).content == lower(graph, metadata={}).content
