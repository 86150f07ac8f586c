"""Attention: each step of one sequence as a mean over the steps of another."""

from __future__ import annotations

from functools import reduce

import numpy as np

from edgernn.export.onnx import weights
from edgernn.export.onnx.builder import FLOAT, Value
from edgernn.export.onnx.edges import Edges, int64
from edgernn.graph import Attention, HiddenScores

# Keras' Attention subtracts this from a hidden score; it is finite, so that a row in which every
# score is hidden is the softmax of the scores and not NaN.
_HIDDEN = 1e9


def attention(layer: Attention, edges: Edges) -> None:
    builder, op = edges.builder, edges.builder.op
    scores, hidden = _scores(layer, edges), _hidden_pairs(layer, edges)
    if hidden is None:
        probabilities = op("Softmax", scores, axis=2)
    elif layer.hidden is HiddenScores.LOWERED:
        much = builder.constant(np.array(_HIDDEN, np.float32))
        scores = op("Sub", scores, op("Mul", op("Cast", hidden, to=FLOAT), much))
        probabilities = op("Softmax", scores, axis=2)
    else:
        builder.needs(9)
        least = builder.constant(np.array(-_HIDDEN, np.float32))
        probabilities = op("Softmax", op("Where", hidden, least, scores), axis=2)
        if layer.hidden is HiddenScores.ZEROED:
            zero = builder.constant(np.zeros((), np.float32))
            probabilities = op("Where", hidden, zero, probabilities)
    result = op("MatMul", probabilities, edges.read(layer.value))
    if layer.query_mask is not None and layer.hidden is HiddenScores.LOWERED:
        kept = op("Unsqueeze", edges.read(layer.query_mask), axes=int64([2]))
        result = op("Where", kept, result, builder.constant(np.zeros((), np.float32)))
    edges.define(layer.output, result)


def _scores(layer: Attention, edges: Edges) -> Value:
    """[B, Tq, Tk]"""
    builder, op = edges.builder, edges.builder.op
    scale = builder.constant(np.array(layer.scale, np.float32))
    if layer.energy is None:
        key = op("Transpose", edges.read(layer.key), perm=[0, 2, 1])
        scores = op("MatMul", edges.read(layer.query), key, name=layer.name)
        return scores if layer.scale == 1 else op("Mul", scores, scale)
    query = op("Unsqueeze", edges.read(layer.query), axes=int64([2]))
    key = op("Unsqueeze", edges.read(layer.key), axes=int64([1]))
    sums = op("Add", query, key, name=layer.name)  # [B, Tq, Tk, D]
    sums = sums if layer.scale == 1 else op("Mul", sums, scale)
    energy = weights.weight(builder, layer.energy, lambda array: array[:, None], key="column")
    return op("Squeeze", op("MatMul", op("Tanh", sums), energy), axes=int64([3]))


def _hidden_pairs(layer: Attention, edges: Edges) -> Value | None:
    """bool, broadcasting against [B, Tq, Tk]: pairs whose scores a mask hides."""
    op = edges.builder.op
    reasons: list[Value] = []
    if layer.key_mask is not None:
        allowed = op("Unsqueeze", edges.read(layer.key_mask), axes=int64([1]))
        reasons.append(op("Not", allowed))
    if layer.query_mask is not None and layer.hidden is not HiddenScores.LOWERED:
        allowed = op("Unsqueeze", edges.read(layer.query_mask), axes=int64([2]))
        reasons.append(op("Not", allowed))
    if layer.causal:
        reasons.append(_later(layer, edges))
    return reduce(lambda one, other: op("Or", one, other), reasons) if reasons else None


def _later(layer: Attention, edges: Edges) -> Value:
    """bool [Tq, Tk]: the key's step is later than the query's."""
    builder = edges.builder
    rows, columns = edges.spec(layer.query).shape[1], edges.spec(layer.key).shape[1]
    if rows is not None and columns is not None:
        return builder.constant(~np.tri(rows, columns, dtype=np.bool_))
    row, column = _positions(layer.query, edges), _positions(layer.key, edges)
    return builder.op("Less", builder.op("Unsqueeze", row, axes=int64([1])), column)


def _positions(edge: str, edges: Edges) -> Value:
    """int64 [T]: 0, 1, ... for the steps of the edge."""
    builder = edges.builder
    steps = builder.op("Squeeze", edges.sizes(edge, [1]), axes=int64([0]))
    zero, one = (builder.constant(np.array(number, np.int64)) for number in (0, 1))
    return builder.op("Range", zero, steps, one)
