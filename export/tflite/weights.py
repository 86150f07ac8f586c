"""Weights as constants of a subgraph, in the layout that TFLite's operators take."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.export.tflite import operators
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.graph import AnyArray, QTensor, Weight, as_float32

#: float32, or float16 that is stored so and widened when the model is loaded.
Floats: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float16]


def floats(weight: Weight) -> Floats:
    """The array behind a weight that is computed with in float32."""
    return as_float32(weight) if isinstance(weight, QTensor) else weight


def constant(graph: Subgraph, values: AnyArray) -> Tensor:
    """A constant to compute with: float16 is followed by the DEQUANTIZE that widens it once."""
    stored = graph.constant(values)
    if values.dtype != np.float16:
        return stored
    if stored.index not in graph.widened:
        graph.widened[stored.index] = operators.dequantize(graph, stored)
    return graph.widened[stored.index]


def scalar(graph: Subgraph, value: float) -> Tensor:
    return graph.constant(np.array(value, np.float32))


def index(graph: Subgraph, value: int) -> Tensor:
    return graph.constant(np.array(value, np.int32))
