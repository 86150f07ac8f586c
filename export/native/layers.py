"""Chooses the function that writes a layer as ops of an .ernn file."""

from __future__ import annotations

from typing import TypeVar

from typing_extensions import assert_never

from edgernn.export.native import (
    attention,
    axes,
    choices,
    convolution,
    dense,
    merging,
    normalization,
    packing,
    shaping,
)
from edgernn.export.native.activation import activation_arguments, lower_over_steps
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import OpKind
from edgernn.export.native.recurrent import lower_recurrent
from edgernn.graph import (
    Activation,
    ActivationKind,
    DType,
    Graph,
    Gru,
    Layer,
    Lstm,
    SimpleRnn,
    TensorSpec,
)
from edgernn.graph import layers as ly
from edgernn.graph.quantized import LayerPlan, LinearPlan, RecurrentPlan

Plan = TypeVar("Plan", RecurrentPlan, LinearPlan)

_OVER_AXIS = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def lower_layer(builder: Builder, graph: Graph, layer: Layer, plan: LayerPlan | None) -> None:
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
            dense.lower_dense(builder, layer, _plan_of(LinearPlan, layer, plan))
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
            normalization.lower_affine(builder, layer)
        case ly.LayerNorm():
            normalization.lower_norm(builder, layer, specs[0])
        case ly.Activate():
            if _is_over_steps(builder, layer, specs[0]):
                lower_over_steps(builder, layer)
            else:
                _check_axis(layer, layer.activation, specs[0])
                arguments = activation_arguments(layer.activation)
                builder.op(OpKind.ACTIVATE, layer.name, [layer.input], [layer.output], arguments)
        case ly.PRelu():
            normalization.lower_prelu(builder, layer)
        case ly.Reshape():
            builder.op(OpKind.RESHAPE, layer.name, [layer.input], [layer.output])
        case ly.Transpose():
            axes.lower_transpose(builder, layer)
        case ly.Reverse():
            axes.one_axis_of_time(builder, layer, layer.input)
            builder.op(OpKind.REVERSE, layer.name, [layer.input], [layer.output])
        case ly.Repeat():
            if specs[0].dtype is not DType.FLOAT32:
                raise refused(layer.name, "Repeat", "repeats tokens")
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
            merging.lower_concatenate(builder, layer)
        case ly.Merge():
            merging.lower_merge(builder, layer)
        case ly.NotEqual():
            builder.op(OpKind.NOT_EQUAL, layer.name, [layer.input], [layer.output], [layer.value])
        case ly.AnyNotEqual():
            value = [float(layer.value)]
            builder.op(OpKind.ANY_NOT_EQUAL, layer.name, [layer.input], [layer.output], value)
        case ly.ApplyMask():
            axes.one_axis_of_time(builder, layer, layer.input)
            builder.op(OpKind.APPLY_MASK, layer.name, [layer.input, layer.mask], [layer.output])
        case ly.Attention():
            attention.lower_attention(builder, layer)
        case ly.Dot():
            attention.lower_dot(builder, layer)
        case ly.Cast():
            builder.op(OpKind.CAST, layer.name, [layer.input], [layer.output])
        case ly.Compare():
            choices.lower_compare(builder, layer)
        case ly.Where():
            choices.lower_where(builder, layer)
        case _:
            assert_never(layer)


def _plan_of(kind: type[Plan], layer: Layer, plan: LayerPlan | None) -> Plan | None:
    if plan is None or isinstance(plan, kind):
        return plan
    raise TypeError(f"layer '{layer.name}' cannot be computed by a {type(plan).__name__}")


def _is_over_steps(builder: Builder, layer: ly.Activate, spec: TensorSpec) -> bool:
    """Whether this is a softmax over the steps of a sequence whose length is known."""
    is_over_axis = layer.activation.kind in _OVER_AXIS and layer.activation.axis in (1, -2)
    fits = spec.rank == 3 and spec.shape[1] is not None and not builder.folds[layer.input]
    return is_over_axis and fits


def _check_axis(layer: Layer, activation: Activation, spec: TensorSpec) -> None:
    """Refuses a softmax over another axis: the runtime's is over the features."""
    is_last = activation.axis in (-1, spec.rank - 1)
    if activation.kind in _OVER_AXIS and not is_last:
        raise refused(
            layer.name,
            type(layer).__name__,
            f"takes {activation.kind.value} over axis {activation.axis}, not over the features",
        )
