"""Appends operators to a subgraph."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.schema import Op, Options, TensorType


def append(
    graph: Subgraph,
    op: Op,
    inputs: Sequence[Tensor | None],
    shape: Sequence[int],
    *,
    type_: TensorType | None = None,
    options: Options | None = None,
    version: int = 1,
    to: Quantization | None = None,
) -> Tensor:
    """Adds the operator; by default its result has the type of the first input."""
    if type_ is None:
        type_ = next(tensor.type for tensor in inputs if tensor is not None)
    output = graph.tensor(shape, type_, quantization=to)
    graph.add(op, inputs, [output], options=options, version=version)
    return output


def integer_version(x: Tensor) -> int:
    """The version of most operators: 2 added int8, 3 added int16."""
    return {TensorType.INT8: 2, TensorType.INT16: 3}.get(x.type, 1)
