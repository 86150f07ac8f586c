"""Several tensors into one: concatenation, element-wise merges, dot products, attention."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.graph import (
    AnyArray,
    Attention,
    Concatenate,
    Dot,
    FloatArray,
    HiddenScores,
    Merge,
    MergeKind,
    as_float32,
)
from edgernn.reference.activation import softmax

# Keras' Attention subtracts this from a masked score.  It is large but finite: if *every* score is
# masked, the result is the softmax of the scores and not NaN.
_FORBIDDEN = np.float32(1e9)

# Below this sum of squares, tf.nn.l2_normalize divides by its root instead.
_L2_EPSILON = np.float32(1e-12)


def concatenate(layer: Concatenate, inputs: Sequence[AnyArray]) -> AnyArray:
    return np.concatenate(inputs, axis=layer.axis)


def merge(layer: Merge, inputs: Sequence[AnyArray]) -> AnyArray:
    # Infinity times zero is NaN here as everywhere, often just where a Where chooses otherwise.
    with np.errstate(over="ignore", invalid="ignore"):
        return _merged(layer, inputs)


def _merged(layer: Merge, inputs: Sequence[AnyArray]) -> AnyArray:
    match layer.kind:
        case MergeKind.ADD:
            return reduce(np.add, inputs)
        case MergeKind.SUBTRACT:
            left, right = inputs
            return np.asarray(left - right)
        case MergeKind.MULTIPLY:
            return reduce(np.multiply, inputs)
        case MergeKind.AVERAGE:
            return np.asarray(reduce(np.add, inputs) / np.float32(len(inputs)))
        case MergeKind.MAXIMUM:
            return reduce(np.maximum, inputs)
        case MergeKind.MINIMUM:
            return reduce(np.minimum, inputs)
        case MergeKind.AND:
            return reduce(np.logical_and, inputs)
        case MergeKind.OR:
            return reduce(np.logical_or, inputs)
        case _:
            assert_never(layer.kind)


def dot(layer: Dot, left: FloatArray, right: FloatArray) -> FloatArray:
    if layer.normalize:
        left, right = _unit(left, layer.left_axis), _unit(right, layer.right_axis)
    batch = left.shape[0]
    rows = np.moveaxis(left, layer.left_axis, -1)  # [B, left..., K]
    columns = np.moveaxis(right, layer.right_axis, 1)  # [B, K, right...]
    shared = rows.shape[-1]
    product = rows.reshape(batch, -1, shared) @ columns.reshape(batch, shared, -1)
    kept = (*rows.shape[1:-1], *columns.shape[2:])
    return product.reshape(batch, *(kept or (1,)))


def attention(
    layer: Attention,
    query: FloatArray,  # [B, Tq, D]
    value: FloatArray,  # [B, Tk, V]
    key: FloatArray,  # [B, Tk, D]
    *,
    query_mask: npt.NDArray[np.bool_] | None,
    key_mask: npt.NDArray[np.bool_] | None,
) -> FloatArray:
    """[B, Tq, V]"""
    scores = _scores(layer, query, key)
    allowed = np.ones(scores.shape, np.bool_)
    if key_mask is not None:
        allowed &= key_mask[:, None, :]
    if layer.causal:
        allowed &= np.tri(query.shape[1], key.shape[1], dtype=np.bool_)
    if layer.hidden is HiddenScores.LOWERED:
        attended = softmax(np.where(allowed, scores, scores - _FORBIDDEN)) @ value
        if query_mask is not None:
            attended = np.where(query_mask[:, :, None], attended, np.float32(0))
        return np.asarray(attended)
    if query_mask is not None:
        allowed &= query_mask[:, :, None]
    attention = softmax(np.where(allowed, scores, -_FORBIDDEN))
    if layer.hidden is HiddenScores.ZEROED:
        attention = np.where(allowed, attention, np.float32(0))
    return np.asarray(attention @ value)


def _scores(layer: Attention, query: FloatArray, key: FloatArray) -> FloatArray:
    """[B, Tq, Tk]"""
    scale = np.float32(layer.scale)
    if layer.energy is None:
        return np.asarray(scale * (query @ key.transpose(0, 2, 1)))
    sums = np.tanh(scale * (query[:, :, None] + key[:, None]))  # [B, Tq, Tk, D]
    return np.asarray(sums @ as_float32(layer.energy))


def _unit(x: FloatArray, axis: int) -> FloatArray:
    squares = np.square(x).sum(axis=axis, keepdims=True)
    return np.asarray(x / np.sqrt(np.maximum(squares, _L2_EPSILON)))
