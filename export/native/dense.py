"""Dense, in float or with the integer parameters of its plan."""

from __future__ import annotations

from edgernn.export.native import packing
from edgernn.export.native.activation import activation_arguments
from edgernn.export.native.builder import Builder
from edgernn.export.native.convolution import linear_arguments
from edgernn.export.native.records import NONE, OpKind
from edgernn.graph import Dense, Weight, as_float32
from edgernn.graph.quantized import LinearPlan


def lower_dense(builder: Builder, layer: Dense, plan: LinearPlan | None) -> None:
    if plan is None:
        arguments: list[int | float] = [
            builder.matrix(layer.kernel, in_integers=not builder.stays_in_float(layer)),
            _bias_number(builder, layer.bias),
            *activation_arguments(layer.activation),
        ]
        builder.op(OpKind.DENSE, layer.name, [layer.input], [layer.output], arguments)
        return
    builder.op(
        OpKind.QDENSE,
        layer.name,
        [layer.input],
        [layer.output],
        linear_arguments(builder, layer, plan),
    )


def _bias_number(builder: Builder, bias: Weight | None) -> int:
    if bias is None:
        return NONE
    return builder.constant(packing.vector(packing.by_tile(as_float32(bias), 1)))
