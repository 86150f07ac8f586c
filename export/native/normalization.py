"""Affine maps, normalization and PReLU: a few numbers for each feature."""

from __future__ import annotations

from math import prod

import numpy as np

from edgernn.export.native import packing
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import OpKind
from edgernn.graph import Affine, FloatArray, Layer, LayerNorm, PRelu, TensorSpec, as_float32


def lower_affine(builder: Builder, layer: Affine) -> None:
    width = builder.forms[layer.output].width
    scale = _row(layer, as_float32(layer.scale), width)
    offset = _row(layer, as_float32(layer.offset), width)
    _lower_elements(builder, layer, OpKind.AFFINE, scale, offset)


def lower_prelu(builder: Builder, layer: PRelu) -> None:
    width = builder.forms[layer.output].width
    _lower_elements(builder, layer, OpKind.PRELU, _row(layer, as_float32(layer.alpha), width))


def _lower_elements(
    builder: Builder, layer: Affine | PRelu, kind: OpKind, *rows: FloatArray
) -> None:
    """y = f(x, row, ...), element by element."""
    if builder.forms[layer.input].width != builder.forms[layer.output].width:
        raise refused(layer.name, type(layer).__name__, "widens its input by broadcasting")
    numbers = [builder.constant(packing.vector(row)) for row in rows]
    builder.op(kind, layer.name, [layer.input], [layer.output], numbers)


def _row(layer: Layer, weight: FloatArray, width: int) -> FloatArray:
    """One number for each feature, from weights that broadcast against [B, ..., F]."""
    if prod(weight.shape[:-1]) != 1:
        raise refused(
            layer.name, type(layer).__name__, f"has weights {weight.shape} that differ by step"
        )
    return np.broadcast_to(weight.reshape(-1), width)


def lower_norm(builder: Builder, layer: LayerNorm, spec: TensorSpec) -> None:
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
