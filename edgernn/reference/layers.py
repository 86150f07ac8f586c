"""Computes one layer: chooses the function that defines it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np
from typing_extensions import assert_never

from edgernn.graph import AnyArray, FloatArray, Gru, Lstm, Recurrent, SimpleRnn, as_float32
from edgernn.graph import layers as ly
from edgernn.reference import convolution, dense, images, merging, normalization, shaping
from edgernn.reference.activation import activate
from edgernn.reference.recurrent import recurrent

#: Receives, at each step of a recurrent layer, values that are no edges (see recurrent.GRU_TAPS).
ObserveCell: TypeAlias = Callable[[Recurrent, Mapping[str, FloatArray]], None]

_Values: TypeAlias = Mapping[str, AnyArray]


_COMPARISONS: Final = {
    ly.CompareKind.GREATER: np.greater,
    ly.CompareKind.GREATER_EQUAL: np.greater_equal,
    ly.CompareKind.LESS: np.less,
    ly.CompareKind.LESS_EQUAL: np.less_equal,
}


def apply(
    layer: ly.Layer, values: _Values, observe: ObserveCell | None = None
) -> tuple[AnyArray, ...]:
    """The layer's results (in the order of `layer.writes`) for the edges that it reads."""
    match layer:
        case SimpleRnn() | Gru() | Lstm():
            return _recurrent(layer, values, observe)
        case ly.Embedding():
            result: AnyArray = dense.embedding(layer, values[layer.input])
        case ly.Dense():
            result = dense.dense(layer, values[layer.input])
        case ly.Conv1D():
            result = convolution.conv1d(layer, values[layer.input])
        case ly.Conv2D():
            result = images.conv2d(layer, values[layer.input])
        case ly.Pool2D():
            result = images.pool2d(layer, values[layer.input])
        case ly.Pool1D():
            result = convolution.pool1d(layer, values[layer.input])
        case ly.GlobalPool1D():
            mask = _optional(values, layer.mask)
            result = convolution.global_pool1d(layer, values[layer.input], mask)
        case ly.Affine():
            result = normalization.affine(layer, values[layer.input])
        case ly.LayerNorm():
            result = normalization.layer_norm(layer, values[layer.input])
        case ly.Activate():
            result = activate(layer.activation, values[layer.input])
        case ly.PRelu():
            x = values[layer.input]
            result = np.where(x >= 0, x, as_float32(layer.alpha) * x)
        case ly.Reshape():
            result = shaping.reshape(layer, values[layer.input])
        case ly.Transpose():
            result = shaping.transpose(layer, values[layer.input])
        case ly.Reverse():
            result = shaping.reverse(values[layer.input])
        case ly.Repeat():
            result = shaping.repeat(layer, values[layer.input])
        case ly.Upsample1D():
            result = shaping.upsample1d(layer, values[layer.input])
        case ly.ZeroPad1D():
            result = shaping.zero_pad1d(layer, values[layer.input])
        case ly.Slice():
            result = shaping.sliced(layer, values[layer.input])
        case ly.FoldTime():
            result = shaping.fold_time(values[layer.input])
        case ly.UnfoldTime():
            result = shaping.unfold_time(values[layer.input], values[layer.like])
        case ly.Concatenate():
            result = merging.concatenate(layer, [values[edge] for edge in layer.inputs])
        case ly.Merge():
            result = merging.merge(layer, [values[edge] for edge in layer.inputs])
        case ly.Dot():
            result = merging.dot(layer, values[layer.left], values[layer.right])
        case ly.Attention():
            result = merging.attention(
                layer,
                values[layer.query],
                values[layer.value],
                values[layer.key],
                query_mask=_optional(values, layer.query_mask),
                key_mask=_optional(values, layer.key_mask),
            )
        case ly.NotEqual():
            result = values[layer.input] != layer.value
        case ly.AnyNotEqual():
            result = np.any(values[layer.input] != np.float32(layer.value), axis=-1)
        case ly.Cast():
            result = values[layer.input].astype(np.float32)
        case ly.Compare():
            result = _COMPARISONS[layer.kind](values[layer.input], np.float32(layer.value))
        case ly.Where():
            parts = values[layer.then], values[layer.otherwise]
            result = np.where(values[layer.condition], *parts)
        case ly.ApplyMask():
            kept = values[layer.mask][:, :, None]
            result = np.where(kept, values[layer.input], np.float32(0))
        case _:
            assert_never(layer)
    return (result,)


def _recurrent(
    layer: Recurrent, values: _Values, observe: ObserveCell | None
) -> tuple[AnyArray, ...]:
    initial = [_optional(values, layer.initial_h)]
    if isinstance(layer, Lstm):
        initial.append(_optional(values, layer.initial_c))
    output, states = recurrent(
        layer,
        values[layer.input],
        mask=_optional(values, layer.mask),
        initial=initial,
        observe=None if observe is None else lambda taps: observe(layer, taps),
    )
    return (output, *states)


def _optional(values: _Values, edge: str | None) -> AnyArray | None:
    return None if edge is None else values[edge]
