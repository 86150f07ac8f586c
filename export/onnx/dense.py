"""Tables and matrices: Embedding and Dense."""

from __future__ import annotations

from typing import Final

from typing_extensions import assert_never

from edgernn.export.onnx.activation import activate_result
from edgernn.export.onnx.builder import ABSENT, Value
from edgernn.export.onnx.edges import PLAIN, Edges, Layout
from edgernn.export.onnx.integer_product import (
    dynamic_product,
    integer_weight,
    is_bounded,
    is_safe_signed,
)
from edgernn.export.onnx.options import DenseForm
from edgernn.export.onnx.qdq import Pairs
from edgernn.export.onnx.weights import as_is, looked_up, weight
from edgernn.graph import Dense, Embedding, QTensor

# From this many weights on, reading a quarter of the bytes saves more time than quantizing costs
# (x86-64, ONNX Runtime 1.31, batch 1).  An input without bound takes two products.
_PAYS_FROM_WEIGHTS: Final = 128 * 1024
_PAYS_TWICE_FROM_WEIGHTS: Final = 256 * 1024


def embedding(layer: Embedding, edges: Edges) -> None:
    """A Gather of the stored rows: only the rows in use are converted to float."""
    tokens = edges.read(layer.input)
    rows = looked_up(edges.builder, layer.table, tokens, name=layer.name)
    edges.define(layer.output, rows)


def dense(layer: Dense, edges: Edges) -> None:
    if edges.spec(layer.input).rank == 2:
        x, form = edges.read(layer.input), PLAIN
    else:
        x, form = edges.read_any(layer.input, Layout.BATCH_TIME, Layout.TIME_BATCH)
    fine = not is_bounded(layer.input, edges.graph)
    if edges.pairs is not None:
        result = _product(layer, x, *_paired(layer, edges.pairs), edges)
    elif isinstance(layer.kernel, QTensor) and is_integer(layer, edges):
        signed = is_safe_signed(layer.kernel)
        operand = integer_weight(edges.builder, layer.kernel, as_is, key="columns", signed=signed)
        result = dynamic_product(edges.builder, x, operand, fine=fine)
        if layer.bias is not None:
            result = edges.builder.op("Add", result, weight(edges.builder, layer.bias))
        edges.quantizes_on_the_fly = True
        edges.explain(layer, "integer product")
    else:
        kernel = weight(edges.builder, layer.kernel)
        bias = ABSENT if layer.bias is None else weight(edges.builder, layer.bias)
        result = _product(layer, x, kernel, bias, edges)
    activate_result(layer.activation, result, layer.output, edges, form)


def _product(layer: Dense, x: Value, kernel: Value, bias: Value, edges: Edges) -> Value:
    op = edges.builder.op
    if bias == ABSENT:
        return op("MatMul", x, kernel, name=layer.name)
    if edges.spec(layer.input).rank == 2:
        return op("Gemm", x, kernel, bias, name=layer.name)
    return op("Add", op("MatMul", x, kernel, name=layer.name), bias)


def _paired(layer: Dense, pairs: Pairs) -> tuple[Value, Value]:
    kernel, scale = pairs.matrix(layer, layer.kernel, as_is)
    return kernel, pairs.bias(layer.bias, layer.input, scale)


def is_integer(layer: Dense, edges: Edges) -> bool:
    """Whether a layer of int8 weights becomes an integer product."""
    if edges.stays_in_float(layer):
        return False
    fine = not is_bounded(layer.input, edges.graph)
    match edges.options.dense:
        case DenseForm.AUTO:
            pays_from = _PAYS_TWICE_FROM_WEIGHTS if fine else _PAYS_FROM_WEIGHTS
            return layer.kernel.size >= pays_from
        case DenseForm.STORAGE:
            return False
        case DenseForm.INTEGER:
            return True
        case _:
            assert_never(edges.options.dense)
