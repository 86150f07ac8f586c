"""Writes a graph as an .ernn file, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TypeVar

import numpy as np
from typing_extensions import assert_never

from edgernn.export.backend import Lowered
from edgernn.export.native import axes, convolution, packing, records, shaping
from edgernn.export.native.activation import activation_arguments
from edgernn.export.native.builder import Builder, file_image
from edgernn.export.native.forms import edge_form, refused
from edgernn.export.native.records import NONE, OpKind
from edgernn.export.native.recurrent import lower_recurrent
from edgernn.graph import (
    Activation,
    ActivationKind,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Lstm,
    SimpleRnn,
    TensorSpec,
    Weight,
    as_float32,
    without_dead_layers,
)
from edgernn.graph import layers as ly
from edgernn.graph.quantized import LayerPlan, LinearPlan, RecurrentPlan

Plan = TypeVar("Plan", RecurrentPlan, LinearPlan)

_OVER_AXIS = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def lower(graph: Graph, *, metadata: Mapping[str, str]) -> Lowered:
    """The graph as an .ernn file: float32, float16 or int8 weights as the graph holds them.

    An int8 graph (one with `quantization`) is computed in integers where it has plans, bit for bit
    as docs/integer-arithmetic.md says.

    Raises UnsupportedLayer for layers that the runtime does not have, and for tensors that are not
    rows of features, one or one a step.
    """
    graph = without_dead_layers(graph)
    plans: Mapping[str, LayerPlan] = graph.quantization.plans if graph.quantization else {}
    builder = Builder()
    builder.specs = graph.specs
    for entry in graph.inputs:
        builder.forms[entry.name] = edge_form(entry.spec, layer=entry.name, kind="input")
        builder.folds[entry.name] = 0
    for layer in graph.layers:
        folds = axes.folds_behind(builder, layer)
        for edge in layer.writes:
            builder.forms[edge] = edge_form(
                graph.specs[edge],
                layer=layer.name,
                kind=type(layer).__name__,
                is_folded=folds > 0,
            )
            builder.folds[edge] = folds
        _lower_layer(builder, graph, layer, plans.get(layer.name))
    shaping.keep_lengths_apart(builder, graph)
    outputs = shaping.copied_outputs(builder, graph)
    image = file_image(builder, graph, outputs, metadata)
    integer_layers = sum(op.kind in records.INTEGER_KINDS for op in builder.ops)
    details = {"format": str(records.VERSION), "integer_layers": str(integer_layers)}
    exact = graph if graph.quantization else None
    return Lowered(content=records.file_bytes(image), details=details, exact=exact)


def _lower_layer(builder: Builder, graph: Graph, layer: Layer, plan: LayerPlan | None) -> None:
    specs = [graph.specs[edge] for edge in layer.reads]
    match layer:
        case SimpleRnn() | Gru() | Lstm():
            axes.one_axis_of_time(builder, layer, layer.input)
            lower_recurrent(builder, layer, _plan_of(RecurrentPlan, layer, plan))
        case ly.Embedding():
            table = builder.constant(packing.table(layer.table))
            builder.op(OpKind.EMBEDDING, layer.name, [layer.input], [layer.output], [table])
        case ly.Dense():
            _check_axis(layer, layer.activation, specs[0])
            _lower_dense(builder, layer, _plan_of(LinearPlan, layer, plan))
        case ly.Conv1D():
            _check_axis(layer, layer.activation, specs[0])
            convolution.lower_conv(builder, layer, _plan_of(LinearPlan, layer, plan))
        case ly.Conv2D():
            _check_axis(layer, layer.activation, specs[0])
            convolution.lower_conv2d(builder, layer, _plan_of(LinearPlan, layer, plan))
        case ly.Pool1D() | ly.Pool2D():
            convolution.lower_pool(builder, layer)
        case ly.GlobalPool1D():
            convolution.lower_global_pool(builder, layer)
        case ly.Affine():
            width = builder.forms[layer.output].width
            _lower_elements(
                builder,
                layer,
                OpKind.AFFINE,
                _row(layer, as_float32(layer.scale), width),
                _row(layer, as_float32(layer.offset), width),
            )
        case ly.LayerNorm():
            _lower_norm(builder, layer, specs[0])
        case ly.Activate():
            _check_axis(layer, layer.activation, specs[0])
            builder.op(
                OpKind.ACTIVATE,
                layer.name,
                [layer.input],
                [layer.output],
                activation_arguments(layer.activation),
            )
        case ly.PRelu():
            width = builder.forms[layer.output].width
            _lower_elements(
                builder, layer, OpKind.PRELU, _row(layer, as_float32(layer.alpha), width)
            )
        case ly.Reshape():
            builder.op(OpKind.RESHAPE, layer.name, [layer.input], [layer.output])
        case ly.Transpose():
            axes.lower_transpose(builder, layer)
        case ly.Reverse():
            axes.one_axis_of_time(builder, layer, layer.input)
            builder.op(OpKind.REVERSE, layer.name, [layer.input], [layer.output])
        case ly.Repeat():
            kind = OpKind.UPSAMPLE if builder.folds[layer.input] else OpKind.REPEAT
            builder.op(kind, layer.name, [layer.input], [layer.output], [layer.times])
        case ly.Upsample1D():
            axes.along(builder, layer, layer.axis, OpKind.UPSAMPLE, [layer.times])
        case ly.ZeroPad1D():
            axes.along(builder, layer, layer.axis, OpKind.PAD, [layer.left, layer.right])
        case ly.Slice():
            shaping.lower_slice(builder, layer)
        case ly.FoldTime() | ly.UnfoldTime():
            builder.op(OpKind.RESHAPE, layer.name, [layer.input], [layer.output])
        case ly.Concatenate():
            shaping.lower_concatenate(builder, layer)
        case ly.Merge():
            shaping.lower_merge(builder, layer)
        case ly.NotEqual():
            builder.op(OpKind.NOT_EQUAL, layer.name, [layer.input], [layer.output], [layer.value])
        case ly.AnyNotEqual():
            value = [float(layer.value)]
            builder.op(OpKind.ANY_NOT_EQUAL, layer.name, [layer.input], [layer.output], value)
        case ly.ApplyMask():
            axes.one_axis_of_time(builder, layer, layer.input)
            builder.op(OpKind.APPLY_MASK, layer.name, [layer.input, layer.mask], [layer.output])
        case ly.Dot() | ly.Attention():
            raise refused(layer.name, type(layer).__name__, "is not among the runtime's layers")
        case _:
            assert_never(layer)


def _plan_of(kind: type[Plan], layer: Layer, plan: LayerPlan | None) -> Plan | None:
    if plan is None or isinstance(plan, kind):
        return plan
    raise TypeError(f"layer '{layer.name}' cannot be computed by a {type(plan).__name__}")


def _lower_dense(builder: Builder, layer: ly.Dense, plan: LinearPlan | None) -> None:
    if plan is None:
        arguments: list[int | float] = [
            builder.constant(packing.matrix(layer.kernel)),
            bias_number(builder, layer.bias),
            *activation_arguments(layer.activation),
        ]
        builder.op(OpKind.DENSE, layer.name, [layer.input], [layer.output], arguments)
        return
    builder.op(
        OpKind.QDENSE,
        layer.name,
        [layer.input],
        [layer.output],
        convolution.linear_arguments(builder, layer, plan),
    )


def bias_number(builder: Builder, bias: Weight | None) -> int:
    if bias is None:
        return NONE
    return builder.constant(packing.vector(packing.by_tile(as_float32(bias), 1)))


def _lower_elements(
    builder: Builder, layer: ly.Affine | ly.PRelu, kind: OpKind, *rows: FloatArray
) -> None:
    """y = f(x, row, ...), element by element."""
    if builder.forms[layer.input].width != builder.forms[layer.output].width:
        raise refused(layer.name, type(layer).__name__, "widens its input by broadcasting")
    numbers = [builder.constant(packing.vector(row)) for row in rows]
    builder.op(kind, layer.name, [layer.input], [layer.output], numbers)


def _row(layer: Layer, weight: FloatArray, width: int) -> FloatArray:
    """One number for each feature, from what broadcasts against [B, ..., F]."""
    if prod(weight.shape[:-1]) != 1:
        raise refused(
            layer.name, type(layer).__name__, f"has weights {weight.shape} that differ by step"
        )
    return np.broadcast_to(weight.reshape(-1), width)


def _lower_norm(builder: Builder, layer: ly.LayerNorm, spec: TensorSpec) -> None:
    if layer.axes != 1:
        raise refused(
            layer.name, "LayerNorm", f"normalizes {layer.axes} axes of {spec.shape} together"
        )
    numbers = [
        builder.optional(None if weight is None else packing.vector(as_float32(weight)))
        for weight in (layer.gamma, layer.beta)
    ]
    builder.op(
        OpKind.LAYER_NORM,
        layer.name,
        [layer.input],
        [layer.output],
        [*numbers, float(layer.epsilon), int(layer.rms)],
    )


def _check_axis(layer: Layer, activation: Activation, spec: TensorSpec) -> None:
    """The runtime's softmax goes over the features."""
    is_last = activation.axis in (-1, spec.rank - 1)
    if activation.kind in _OVER_AXIS and not is_last:
        raise refused(
            layer.name,
            type(layer).__name__,
            f"takes {activation.kind.value} over axis {activation.axis}, not over the features",
        )
