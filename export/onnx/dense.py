"""Tables and matrices: Embedding and Dense."""

from __future__ import annotations

from edgernn.export.onnx.activation import activate_result
from edgernn.export.onnx.builder import Value
from edgernn.export.onnx.edges import PLAIN, Edges, Layout
from edgernn.export.onnx.weights import looked_up, weight
from edgernn.graph import Dense, Embedding


def embedding(layer: Embedding, edges: Edges) -> None:
    """A Gather of the rows as they are stored: only those used are ever converted to float."""
    tokens = edges.read(layer.input)
    rows = looked_up(edges.builder, layer.table, tokens, name=layer.name)
    edges.define(layer.output, rows)


def dense(layer: Dense, edges: Edges) -> None:
    kernel = weight(edges.builder, layer.kernel)
    bias = None if layer.bias is None else weight(edges.builder, layer.bias)
    if edges.spec(layer.input).rank == 2:
        x, form = edges.read(layer.input), PLAIN
        result = _gemm(x, kernel, bias, layer, edges)
    else:
        x, form = edges.read_any(layer.input, Layout.BATCH_TIME, Layout.TIME_BATCH)
        result = edges.builder.op("MatMul", x, kernel, name=layer.name)
        if bias is not None:
            result = edges.builder.op("Add", result, bias)
    activate_result(layer.activation, result, layer.output, edges, form)


def _gemm(x: Value, kernel: Value, bias: Value | None, layer: Dense, edges: Edges) -> Value:
    if bias is None:
        return edges.builder.op("MatMul", x, kernel, name=layer.name)
    return edges.builder.op("Gemm", x, kernel, bias, name=layer.name)
