"""Tables and matrices: Embedding, and Dense in float32, in int8 or with int8 weights only."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite import wide_cells
from edgernn.export.tflite.activation import activate, fusable
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.float_product import float_product
from edgernn.export.tflite.int8_activation import int8_activation
from edgernn.export.tflite.int8_product import product
from edgernn.export.tflite.precision import (
    feeds_integers,
    is_wide,
    plan_of,
    quantization_of,
    stays_in_float,
)
from edgernn.export.tflite.schema import Fused
from edgernn.export.tflite.weights import Matrix, constant, floats
from edgernn.graph import (
    ActivationKind,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    QTensor,
    as_float32,
    consumers,
)

_LARGEST: Final = 127


def embedding(low: Lowering, layer: Embedding, tokens: Tensor) -> Tensor:
    """Rows of the table.  int8 rows are gathered as they are, and multiplied by gathered scales.

    Where no floats are allowed, a row cannot have a scale of its own: then all have one.
    """
    graph, table = low.main, layer.table
    if not isinstance(table, QTensor):
        return ops.gather(graph, constant(graph, floats(table)), tokens, axis=0)
    if low.integers_only:
        return ops.gather(graph, _with_one_scale(graph, table), tokens, axis=0)
    if table.axis is None:
        stored = graph.constant(table.values, Quantization(scale=table.scale))
        return ops.gather(graph, stored, tokens, axis=0)
    bare = graph.constant(table.values, Quantization(scale=np.ones(1, np.float32)))
    rows = ops.dequantize(graph, ops.gather(graph, bare, tokens, axis=0))
    scales = ops.gather(graph, graph.constant(table.scale[:, None]), tokens, axis=0)
    return ops.multiply(graph, rows, scales)


def _with_one_scale(graph: Subgraph, table: QTensor) -> Tensor:
    real = as_float32(table)
    scale = np.asarray([np.abs(real).max(initial=0.0) / _LARGEST or 1.0], np.float32)
    return graph.constant(np.rint(real / scale).astype(np.int8), Quantization(scale=scale))


def dense(low: Lowering, layer: Dense) -> Tensor:
    graph = low.main
    weights = Matrix.of(layer.kernel)
    bias = None if layer.bias is None else as_float32(layer.bias)
    to = result_quantization(low, layer)
    x = quantization_of(low, layer.input)
    if to is not None and x is not None:
        if is_wide(low, layer):
            return _wide_dense(low, layer, x, to)
        given = low.tensors.int8(layer.input, x)
        made = product(
            graph, given, weights, bias, to, fused=fusable(layer.activation) or Fused.NONE
        )
        return applied(low, layer, made)
    fused = fusable(layer.activation)
    made = float_product(
        graph,
        low.tensors[layer.input],
        weights,
        bias,
        runtime_min=low.options.runtime_min,
        fused=fused or Fused.NONE,
        in_float=stays_in_float(low, layer),
    )
    return made if fused is not None else activate(graph, layer.activation, made)


def _wide_dense(low: Lowering, layer: Dense, reads: Quantization, to: Quantization) -> Tensor:
    """With int16 activations.  The result stays int16 where no other layer reads it."""
    graph, fused = low.main, fusable(layer.activation)
    made = wide_cells.product(
        graph,
        low.tensors.int16(layer.input, wide_cells.widened(reads)),
        Matrix.of(layer.kernel),
        None if layer.bias is None else as_float32(layer.bias),
        wide_cells.widened(to),
        fused=fused or Fused.NONE,
    )
    if ends_wide(low, layer):
        return made
    return applied(low, layer, ops.as_int8(graph, made, to))


def ends_wide(low: Lowering, layer: Dense) -> bool:
    """Whether the result of a layer of int16 activations is int16."""
    return fusable(layer.activation) is not None and not consumers(low.graph, layer.output)


def result_quantization(low: Lowering, layer: Dense | Conv1D | Conv2D) -> Quantization | None:
    """The quantization of the product, before an activation that cannot be fused.

    None if float32 is better: if no reader uses integers (so that the logits of a head keep their
    resolution), or if the range is unknown.
    """
    if plan_of(low, layer) is None:
        return None
    if not low.integers_only and not feeds_integers(low, layer.output):
        return None
    match layer.activation.kind:
        case ActivationKind.TANH:
            return quant.covering(-quant.TANH_END, quant.TANH_END)
        case ActivationKind.SIGMOID:
            return quant.covering(-quant.SIGMOID_END, quant.SIGMOID_END)
        case _ if fusable(layer.activation) is not None:
            return quantization_of(low, layer.output)
        case ActivationKind.LOG_SOFTMAX:
            return None
        case _ if low.integers_only:
            return _reach(low, layer)
        case _:
            return None


def applied(low: Lowering, layer: Dense | Conv1D | Conv2D, made: Tensor) -> Tensor:
    """The layer's activation after an int8 product."""
    if fusable(layer.activation) is not None:
        return made
    to = quantization_of(low, layer.output)
    result = None if to is None else int8_activation(low.main, layer.activation, made, to)
    if result is None:
        return activate(low.main, layer.activation, ops.as_float32(low.main, made))
    return result


def _reach(low: Lowering, layer: Dense | Conv1D | Conv2D) -> Quantization | None:
    """The largest range of the product, from the input's range: calibration has no logits."""
    x = quantization_of(low, layer.input)
    if x is None:
        return None
    kernel = as_float32(layer.kernel)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    ends = [x.real(end) for end in (-128, 127)]
    bias = 0.0 if layer.bias is None else as_float32(layer.bias)
    most = np.maximum(kernel * ends[0], kernel * ends[1]).sum(axis=0) + bias
    least = np.minimum(kernel * ends[0], kernel * ends[1]).sum(axis=0) + bias
    return quant.covering(float(least.min()), float(most.max()))
