"""Layers with a window over time: convolutions and pooling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from edgernn.export.native import axes, packing
from edgernn.export.native.activation import activation_arguments
from edgernn.export.native.builder import Builder
from edgernn.export.native.merging import joined_in_order
from edgernn.export.native.records import NONE, Constant, OpKind, PaddingCode, PoolCode
from edgernn.graph import (
    Conv1D,
    Conv2D,
    Dense,
    GlobalPool1D,
    Padding,
    Pool1D,
    Pool2D,
    PoolKind,
    QTensor,
    Weight,
    as_float32,
)
from edgernn.graph.quantized import Accumulation, LinearPlan, Product

_PADDINGS = {
    Padding.VALID: PaddingCode.VALID,
    Padding.SAME: PaddingCode.SAME,
    Padding.CAUSAL: PaddingCode.CAUSAL,
}
_POOLS = {PoolKind.MAX: PoolCode.MAX, PoolKind.AVERAGE: PoolCode.AVERAGE}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kinds:
    """The ops of a convolution; without `integer_depthwise` groups become zeros."""

    product: OpKind
    depthwise: OpKind
    integer: OpKind
    integer_depthwise: OpKind | None = None


_OVER_TIME = _Kinds(product=OpKind.CONV, depthwise=OpKind.DEPTHWISE, integer=OpKind.QCONV)
_OVER_IMAGES = _Kinds(
    product=OpKind.CONV2D,
    depthwise=OpKind.DEPTHWISE2D,
    integer=OpKind.QCONV2D,
    integer_depthwise=OpKind.QDEPTHWISE2D,
)


def lower_conv(builder: Builder, layer: Conv1D, plan: LinearPlan | None) -> None:
    """Over time; over the one row of each image where there are sequences of sequences."""
    window = [layer.kernel.shape[0], layer.stride, layer.dilation, _PADDINGS[layer.padding]]
    if not builder.folds[layer.input]:
        _lower_windows(builder, layer, plan, window, _OVER_TIME)
        return
    one_row = [1, 1, 1, PaddingCode.VALID]
    columns = _columns(builder, layer, axis=1)
    _lower_windows(builder, layer, plan, [*one_row, *window, columns, 1], _OVER_IMAGES)


def lower_conv2d(builder: Builder, layer: Conv2D, plan: LinearPlan | None) -> None:
    rows, columns, inner, outputs = layer.kernel.shape
    windows = [
        [size, stride, dilation, _PADDINGS[padding]]
        for size, stride, dilation, padding in zip(
            (rows, columns), layer.strides, layer.dilations, layer.paddings, strict=True
        )
    ]
    height = _columns(builder, layer, axis=1) if builder.folds[layer.input] else 0
    flat = Conv1D(  # a window of two axes is multiplied as one of as many steps
        name=layer.name,
        input=layer.input,
        output=layer.output,
        kernel=_reshaped(layer.kernel, (rows * columns, inner, outputs)),
        bias=layer.bias,
        groups=layer.groups,
        activation=layer.activation,
    )
    geometry = [*windows[0], *windows[1], _columns(builder, layer, axis=2), height]
    _lower_windows(builder, flat, plan, geometry, _OVER_IMAGES)


def _columns(builder: Builder, layer: Conv1D | Conv2D, axis: int) -> int:
    size = builder.specs[layer.input].shape[axis]
    if size is None:
        raise axes.unknown(layer)
    return size


def _reshaped(kernel: Weight, shape: tuple[int, ...]) -> Weight:
    if isinstance(kernel, QTensor):
        axis = None if kernel.axis is None else len(shape) - 1
        return QTensor(values=kernel.values.reshape(shape), scale=kernel.scale, axis=axis)
    return kernel.reshape(shape)


def _lower_windows(
    builder: Builder,
    layer: Conv1D,
    plan: LinearPlan | None,
    geometry: Sequence[int],
    kinds: _Kinds,
) -> None:
    """A product over windows.  Groups become zeros of a whole kernel, but for depthwise ones."""
    inner, outputs = layer.kernel.shape[1:]
    edges = [layer.input], [layer.output]
    is_depthwise = inner == 1 and outputs == layer.groups > 1
    if plan is not None and is_depthwise and kinds.integer_depthwise is not None:
        arguments = [*linear_arguments(builder, layer, plan), *geometry]
        builder.op(kinds.integer_depthwise, layer.name, *edges, arguments)
        return
    if plan is not None:
        whole = dataclasses.replace(plan, product=_ungrouped(plan.product, layer))
        if plan.reading.bits == 8 and not packing.pairs_are_safe(whole.product.weights):
            _lower_groups(builder, layer, plan, geometry, kinds.integer)
        else:
            arguments = linear_arguments(builder, layer, whole)
            builder.op(kinds.integer, layer.name, *edges, [*arguments, *geometry])
        return
    if is_depthwise:
        kernel = packing.vector(as_float32(layer.kernel))
        bias = None if layer.bias is None else packing.vector(as_float32(layer.bias))
    else:
        kernel = packing.matrix(_rows(layer))
        bias = None if layer.bias is None else _padded_bias(layer.bias)
    builder.op(
        kinds.depthwise if is_depthwise else kinds.product,
        layer.name,
        *edges,
        [
            builder.constant(kernel),
            builder.optional(bias),
            *activation_arguments(layer.activation),
            *geometry,
        ],
    )


def _lower_groups(
    builder: Builder,
    layer: Conv1D,
    plan: LinearPlan,
    geometry: Sequence[int | float],
    kind: OpKind,
) -> None:
    """A convolution for each group: zeros between the weights would change the pairs."""
    input_form, output_form = builder.forms[layer.input], builder.forms[layer.output]
    inner, outer = layer.kernel.shape[1], layer.kernel.shape[2] // layer.groups
    parts = []
    for group in range(layer.groups):
        taken = builder.temporary(layer.input, dataclasses.replace(input_form, width=inner))
        part = builder.temporary(layer.output, dataclasses.replace(output_form, width=outer))
        builder.op(OpKind.SLICE_WIDTH, layer.name, [layer.input], [taken], [group * inner, 0, 1])
        columns = slice(group * outer, (group + 1) * outer)
        own = dataclasses.replace(plan, product=packing.product_columns(plan.product, columns))
        arguments = linear_arguments(builder, layer, own)
        builder.op(kind, layer.name, [taken], [part], [*arguments, *geometry])
        parts.append(part)
    joined_in_order(builder, layer.name, OpKind.CONCAT_WIDTH, parts, layer.output)


def lower_pool(builder: Builder, layer: Pool1D | Pool2D) -> None:
    """Of two axes, the columns first: as the reference does."""
    if isinstance(layer, Pool1D):
        axis = axes.axis_arguments(builder, layer, layer.input, 1)
        window = [layer.window, layer.stride, _PADDINGS[layer.padding]]
        arguments = axes.with_axis([_POOLS[layer.kind], *window], axis)
        builder.op(OpKind.POOL, layer.name, [layer.input], [layer.output], arguments)
        return
    between = builder.temporary(layer.output, builder.forms[layer.output])
    columns = builder.specs[layer.output].shape[2]
    if columns is None:
        raise axes.unknown(layer)
    columns_axis = axes.axis_arguments(builder, layer, layer.input, 2)
    rows_axis = [axes.axis_arguments(builder, layer, layer.input, 1)[0], columns]
    passes = [(1, columns_axis, layer.input, between), (0, rows_axis, between, layer.output)]
    for at, axis, source, target in passes:
        window = [layer.window[at], layer.strides[at], _PADDINGS[layer.paddings[at]]]
        arguments = axes.with_axis([_POOLS[layer.kind], *window], axis)
        builder.op(OpKind.POOL, layer.name, [source], [target], arguments)


def lower_global_pool(builder: Builder, layer: GlobalPool1D) -> None:
    if builder.folds[layer.input]:
        size, rows = axes.axis_arguments(builder, layer, layer.input, 1)
        if layer.mask is not None:
            axes.one_axis_of_time(builder, layer, layer.input)
        window = [_POOLS[layer.kind], size, size, PaddingCode.VALID]
        arguments = axes.with_axis(window, [size, rows])
        builder.op(OpKind.POOL, layer.name, [layer.input], [layer.output], arguments)
        return
    axes.one_axis_of_time(builder, layer, layer.input)
    builder.op(
        OpKind.GLOBAL_POOL,
        layer.name,
        [layer.input, layer.mask],
        [layer.output],
        [_POOLS[layer.kind]],
    )


def linear_arguments(
    builder: Builder, layer: Dense | Conv1D, plan: LinearPlan
) -> list[int | float]:
    """The arguments of QDENSE, and the first ten of QCONV."""
    reading = plan.reading
    builder.multiplies_bytes(layer.name, plan.product, reading.bits)
    return [
        builder.constant(packing.product(plan.product)),
        NONE,
        *activation_arguments(layer.activation),
        reading.bits,
        float(reading.reciprocal),
        reading.limit,
        int(reading.from_state),
    ]


def _padded_bias(bias: Weight) -> Constant:
    return packing.vector(packing.by_tile(as_float32(bias), 1))


def _rows(layer: Conv1D) -> Weight:
    """The kernel [window * C, out] of an ungrouped convolution."""
    kernel = layer.kernel
    if isinstance(kernel, QTensor) and kernel.axis not in (None, 2):
        kernel = as_float32(kernel)
    if isinstance(kernel, QTensor):
        values = packing.expanded_groups(kernel.values, layer.groups)
        flat = values.reshape(-1, values.shape[2])
        return QTensor(values=flat, scale=kernel.scale, axis=None if kernel.axis is None else 1)
    whole = packing.expanded_groups(kernel, layer.groups)
    return np.ascontiguousarray(whole.reshape(-1, whole.shape[2]))


def _ungrouped(product: Product | Accumulation, layer: Conv1D) -> Product | Accumulation:
    """The product with zeros between the groups, which do not change the sums."""
    if layer.groups == 1:
        return product
    grouped = product.weights.reshape(layer.kernel.shape)
    whole = packing.expanded_groups(grouped, layer.groups)
    weights = whole.reshape(-1, whole.shape[2])
    return dataclasses.replace(product, weights=weights, pairs_safe=packing.pairs_are_safe(weights))
