"""Attention: each step of one sequence as a mean over the steps of another."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import FreeSize, Subgraph, Tensor
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import floats, scalar
from edgernn.graph import Attention, HiddenScores

# As Keras' Attention: large, yet finite, so that a row in which every score is hidden gives the
# softmax of the scores and not NaN.
_HIDDEN = 1e9


def attention(low: Lowering, layer: Attention) -> Tensor:
    graph, value = low.main, low.tensors[layer.value]
    scores, allowed = _scores(low, layer), _allowed_pairs(low, layer)
    if layer.hidden is HiddenScores.LOWERED:
        if allowed is not None:
            lowered = ops.subtract(graph, scores, scalar(graph, _HIDDEN))
            scores = ops.select(graph, allowed, scores, lowered)
        attended = ops.batch_matmul(graph, ops.softmax(graph, scores), value)
        if layer.query_mask is not None:
            valid = ops.expand_dims(graph, low.tensors[layer.query_mask], axis=2)
            attended = ops.select(graph, valid, attended, scalar(graph, 0.0))
        return attended
    if allowed is not None:
        scores = ops.select(graph, allowed, scores, scalar(graph, -_HIDDEN))
    probabilities = ops.softmax(graph, scores)
    if allowed is not None and layer.hidden is HiddenScores.ZEROED:
        probabilities = ops.select(graph, allowed, probabilities, scalar(graph, 0.0))
    return ops.batch_matmul(graph, probabilities, value)


def _scores(low: Lowering, layer: Attention) -> Tensor:
    """[B, Tq, Tk]"""
    graph, query, key = low.main, low.tensors[layer.query], low.tensors[layer.key]
    if layer.energy is None:
        scores = ops.batch_matmul(graph, query, key, transpose_right=True)
        return _scaled(graph, scores, layer.scale)
    rows = ops.expand_dims(graph, query, axis=2)
    columns = ops.expand_dims(graph, key, axis=1)
    sums = _scaled(graph, ops.add(graph, rows, columns), layer.scale)  # [B, Tq, Tk, D]
    energy = graph.constant(floats(layer.energy).astype(np.float32))
    weighted = ops.multiply(graph, ops.unary(graph, Op.TANH, sums), energy)
    return ops.reduce(graph, Op.SUM, weighted, axes=[3], keep_dims=False)


def _scaled(graph: Subgraph, x: Tensor, scale: float) -> Tensor:
    return x if scale == 1.0 else ops.multiply(graph, x, scalar(graph, scale))


def _allowed_pairs(low: Lowering, layer: Attention) -> Tensor | None:
    """bool, broadcasting against [B, Tq, Tk]: pairs whose scores no mask hides; None: all."""
    graph, tensors = low.main, low.tensors
    allowed: list[Tensor] = []
    if layer.key_mask is not None:
        allowed.append(ops.expand_dims(graph, tensors[layer.key_mask], axis=1))
    if layer.query_mask is not None and layer.hidden is not HiddenScores.LOWERED:
        allowed.append(ops.expand_dims(graph, tensors[layer.query_mask], axis=2))
    if layer.causal:
        allowed.append(_past(graph, tensors[layer.query], tensors[layer.key]))
    if not allowed:
        return None
    pairs = allowed[0]
    for reason in allowed[1:]:
        pairs = ops.logical_and(graph, pairs, reason)
    return pairs


def _past(graph: Subgraph, query: Tensor, key: Tensor) -> Tensor:
    """bool [1, Tq, Tk]: the key's step is not later than the query's."""
    sizes = query.shape[1], key.shape[1]
    if not any(isinstance(size, FreeSize) for size in sizes):
        return graph.constant(np.tri(*sizes, dtype=np.bool_)[None])
    steps = [
        ops.number_range(graph, ops.size_of(graph, tensor, axis=1), tensor.shape[1])
        for tensor in (query, key)
    ]
    rows = ops.expand_dims(graph, ops.expand_dims(graph, steps[0], axis=1), axis=0)
    columns = ops.expand_dims(graph, ops.expand_dims(graph, steps[1], axis=0), axis=0)
    return ops.greater_equal(graph, rows, columns)
