"""Pairs for Qualcomm's provider: where it looks for them, and close to the float model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgernn import reference
from edgernn.errors import CalibrationError
from edgernn.export.onnx import lower
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    RELU,
    Conv1D,
    Dense,
    Graph,
    Gru,
    Layer,
    Lstm,
    Padding,
    Recurrent,
)
from edgernn.scheme import Scheme
from tests.export.onnx.agreement import checked, run, session
from tests.export.onnx.models import FEATURES, UNITS, cell, graph_of, numbers, sequence


def _model(kind: type[Recurrent]) -> Graph:
    layers: list[Layer] = [
        Conv1D(
            name="conv",
            input="x",
            output="c",
            kernel=numbers(3, FEATURES, 8, scale=0.3),
            bias=numbers(8),
            padding=Padding.CAUSAL,
            activation=RELU,
        ),
        cell(kind, "rnn", "c", features=8, return_sequences=True),
        cell(kind, "last", "rnn", features=UNITS),
        Dense(name="dense", input="last", output="y", kernel=numbers(UNITS, 4), bias=numbers(4)),
    ]
    return graph_of(sequence(12), *layers)


def _quantized(graph: Graph, *, wide: tuple[str, ...] = ()) -> Graph:
    ranges = calibrate(graph, {"x": numbers(32, 12, FEATURES, scale=1)})
    return quantize(graph, ranges, Scheme.INT8, accurate=wide)


@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_it_computes_about_what_the_float_model_does(kind: type[Recurrent]) -> None:
    graph = _model(kind)
    lowered = lower(_quantized(graph), metadata={}, profile="qnn")
    checked(lowered.content)
    x = numbers(3, 12, FEATURES, seed=1, scale=1)
    actual = run(session(lowered.content), {"x": x})["y_out"]
    expected = reference.run(graph, {"x": x})["y_out"]
    np.testing.assert_allclose(actual, expected, atol=0.03 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize(("kind", "operator"), [(Gru, "GRU"), (Lstm, "LSTM")])
def test_pairs_enclose_each_recurrent_operator(kind: type[Recurrent], operator: str) -> None:
    model = checked(lower(_quantized(_model(kind)), metadata={}, profile="qnn").content)
    writers = {name: node for node in model.graph.node for name in node.output}
    recurrent = [node for node in model.graph.node if node.op_type == operator]
    assert len(recurrent) == 2
    for node in recurrent:
        data_in = [writers[name] for name in node.input[:3]]
        assert [entry.op_type for entry in data_in] == ["DequantizeLinear"] * 3
        assert all(node.output[:2]), "the provider wants both outputs"
        readers = [n for n in model.graph.node if set(n.input) & set(node.output)]
        assert {reader.op_type for reader in readers} == {"QuantizeLinear"}


def test_weights_are_bytes_with_one_scale_and_biases_int32() -> None:
    model = checked(lower(_quantized(_model(Gru)), metadata={}, profile="qnn").content)
    matrices = [tensor for tensor in model.graph.initializer if len(tensor.dims) >= 2]
    of_biases = [tensor for tensor in matrices if tensor.dims[-1] == 6 * UNITS]
    assert {tensor.data_type for tensor in of_biases} == {onnx.TensorProto.INT32}
    others = [tensor for tensor in matrices if tensor not in of_biases]
    assert {tensor.data_type for tensor in others} == {onnx.TensorProto.UINT8}


@pytest.mark.parametrize(("kind", "bits"), [(Gru, 16), (Lstm, 8)])
def test_where_a_layer_needs_it_all_activations_have_16_bits(
    kind: type[Recurrent], bits: int
) -> None:
    """The provider has no GRU of 16-bit activations and 8-bit weights; LSTM, Conv, Gemm have it."""
    graph = _model(kind)
    x = numbers(3, 12, FEATURES, seed=1, scale=1)
    expected = reference.run(graph, {"x": x})["y_out"]
    errors = []
    for wide in ((), ("rnn",)):
        content = lower(_quantized(graph, wide=wide), metadata={}, profile="qnn").content
        given = run(session(content), {"x": x})["y_out"]
        errors.append(np.sqrt(np.square(given - expected).mean()))
    assert errors[1] < 0.7 * errors[0]
    model = checked(content)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert stored[node.input[2]].data_type == onnx.TensorProto.UINT16
    matrices = [tensor for tensor in stored.values() if len(tensor.dims) >= 2]
    of_cells = [
        one for one in matrices if one.dims[-2:-1] and one.dims[-2] in (3 * UNITS, 4 * UNITS)
    ]
    wanted = onnx.TensorProto.UINT16 if bits == 16 else onnx.TensorProto.UINT8
    assert len(of_cells) == 4
    assert {tensor.data_type for tensor in of_cells} == {wanted}


@pytest.mark.parametrize("scheme", [Scheme.FLOAT32, Scheme.DYNAMIC])
def test_it_needs_ranges(scheme: Scheme) -> None:
    with pytest.raises(CalibrationError, match="qnn"):
        lower(quantize(_model(Gru), None, scheme), metadata={}, profile="qnn")
