"""The call of a cell and its results, for all of its forms, and the order of gates and biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from edgernn.export.onnx.builder import Value
from edgernn.graph import AnyArray, FloatArray, Gru, Lstm, Recurrent, SimpleRnn, Weight

#: The order in which ONNX stores the gates.
ONNX_GATES: Final = {SimpleRnn: ("h",), Gru: ("z", "r", "h"), Lstm: ("i", "o", "f", "c")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The arguments of a cell, and which of its results are wanted."""

    x: Value  # [T, B, F]
    lengths: Value  # int32 [B], at least 1, or absent
    last: Value  # int64 [B, 1]: the last step of each row, or absent like the lengths
    initial: tuple[Value, ...]  # h (and c) [B, H], or absent
    backward: bool
    wants_sequence: bool
    wants_states: tuple[bool, ...]

    @property
    def is_wanted(self) -> bool:
        return self.wants_sequence or any(self.wants_states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The wanted results; others may be absent.

    Rows shorter than the longest have zeros behind their last step; rows of length 0 have zeros
    as final states too.
    """

    sequence: Value  # [T, B, H], at the steps of x
    states: tuple[Value, ...]  # final h (and c) [B, H]
    initial: tuple[Value, ...] = ()  # as the cell rounds them; None if it takes them unchanged


def state_edges(layer: Recurrent) -> tuple[str, ...]:
    return (layer.state_h, layer.state_c) if isinstance(layer, Lstm) else (layer.state_h,)


def gate_order(layer: Recurrent) -> list[int]:
    """Positions of the gates in the layer, in ONNX's order."""
    return [layer.GATES.index(name) for name in ONNX_GATES[type(layer)]]


def in_order(array: AnyArray, order: Sequence[int]) -> AnyArray:
    """The blocks of gates along the last axis in a new order; an axis of size 1 is not changed."""
    if array.shape[-1] == 1 and len(order) > 1:
        return array
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[position] for position in order], axis=-1)


def biases_of(layer: Recurrent) -> tuple[Weight, ...]:
    """The input's and the recurrent bias, [gates * H] each; empty if the layer has neither."""
    recurrent_bias = layer.recurrent_bias if isinstance(layer, Gru) else None
    if layer.bias is None and recurrent_bias is None:
        return ()
    nothing = _zeros(len(layer.GATES) * layer.units)
    return (
        nothing if layer.bias is None else layer.bias,
        nothing if recurrent_bias is None else recurrent_bias,
    )


@cache
def _zeros(size: int) -> FloatArray:
    """Always the same array of a size: weights are stored once for each array."""
    return np.zeros(size, np.float32)
