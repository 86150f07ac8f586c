"""Activations in int8: as operators, or as a table of all 256 values."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.schema import TensorType
from edgernn.export.tflite.weights import index
from edgernn.graph import Activation, ActivationKind
from edgernn.reference.activation import activate


def int8_activation(
    graph: Subgraph, activation: Activation, x: Tensor, to: Quantization
) -> Tensor | None:
    """The activation in int8; None if its result depends on more than one number."""
    match activation.kind:
        case ActivationKind.TANH:
            return ops.tanh(graph, x, to=quant.STATE)
        case ActivationKind.SIGMOID:
            return ops.logistic(graph, x, to=quant.PROBABILITY)
        case ActivationKind.SOFTMAX:
            last = activation.axis in {-1, x.rank - 1}
            return ops.softmax(graph, x, to=quant.PROBABILITY) if last else None
        case ActivationKind.LOG_SOFTMAX:
            return None
        case _:
            return looked_up(graph, activation, x, to)


def looked_up(graph: Subgraph, activation: Activation, x: Tensor, to: Quantization) -> Tensor:
    """activation(x), int8; exact up to the rounding of its result.

    Where the activation has no result (the logarithm of a number below zero), the entry is 0: in a
    model that calibration accepts, a Where chooses the other branch there.
    """
    if x.quantization is None:
        raise AssertionError("an int8 tensor has a quantization")
    stored = np.arange(-128, 128)
    real = (x.quantization.scale[0] * (stored - x.quantization.zero_point)).astype(np.float32)
    results = activate(activation, real)
    results = np.where(np.isnan(results), np.float32(0), results)
    steps = np.rint(results / to.scale[0]) + to.zero_point
    table = graph.constant(np.clip(steps, -128, 127).astype(np.int8), to)
    at = ops.add(graph, ops.cast(graph, x, TensorType.INT32), index(graph, 128))
    return ops.gather(graph, table, at, axis=0)
