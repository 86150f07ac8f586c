"""Layers with a window over time: convolutions and pooling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from edgernn.export.native import packing
from edgernn.export.native.activation import activation_arguments
from edgernn.export.native.builder import Builder
from edgernn.export.native.merging import joined_in_order
from edgernn.export.native.records import NONE, Constant, OpKind, PaddingCode, PoolCode
from edgernn.graph import (
    Conv1D,
    Dense,
    GlobalPool1D,
    Padding,
    Pool1D,
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


def lower_conv(builder: Builder, layer: Conv1D, plan: LinearPlan | None) -> None:
    """A product over windows.  Groups become one kernel with zeros, except depthwise floats."""
    window, inner, outputs = layer.kernel.shape
    geometry = [window, layer.stride, layer.dilation, _PADDINGS[layer.padding]]
    edges = [layer.input], [layer.output]
    if plan is not None:
        whole = dataclasses.replace(plan, product=_ungrouped(plan.product, layer))
        if plan.reading.bits == 8 and not packing.pairs_are_safe(whole.product.weights):
            _lower_groups(builder, layer, plan, geometry)
        else:
            arguments = linear_arguments(builder, layer, whole)
            builder.op(OpKind.QCONV, layer.name, *edges, [*arguments, *geometry])
        return
    is_depthwise = inner == 1 and outputs == layer.groups > 1
    if is_depthwise:
        kernel = packing.vector(as_float32(layer.kernel))
        bias = None if layer.bias is None else packing.vector(as_float32(layer.bias))
    else:
        kernel = packing.matrix(_rows(layer))
        bias = None if layer.bias is None else _padded_bias(layer.bias)
    builder.op(
        OpKind.DEPTHWISE if is_depthwise else OpKind.CONV,
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
    builder: Builder, layer: Conv1D, plan: LinearPlan, geometry: Sequence[int | float]
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
        builder.op(OpKind.QCONV, layer.name, [taken], [part], [*arguments, *geometry])
        parts.append(part)
    joined_in_order(builder, layer.name, OpKind.CONCAT_WIDTH, parts, layer.output)


def lower_pool(builder: Builder, layer: Pool1D) -> None:
    builder.op(
        OpKind.POOL,
        layer.name,
        [layer.input],
        [layer.output],
        [_POOLS[layer.kind], layer.window, layer.stride, _PADDINGS[layer.padding]],
    )


def lower_global_pool(builder: Builder, layer: GlobalPool1D) -> None:
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
