"""Recurrent layers that skip masked steps, for any mask.

ONNX's operators take a length for each row, which only covers padding at the end.  So the valid
steps are moved to the front, the operator runs over them, and its outputs are moved back to their
positions.  As a side effect, nothing is computed for masked steps.

This relies on the behaviour of ONNX Runtime (1.16 to 1.31) for rows shorter than the longest:
outputs after the last valid step are zeros.  No operator gets a length of 0: DynamicQuantizeLSTM
then reads memory of an earlier call and corrupts other rows, and RNN runs a step anyway.  Such a
row runs one step, and `without_empty_rows` replaces its results by zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.export.onnx.builder import BOOL, INT32, INT64, Value
from edgernn.export.onnx.edges import TO_THE_END, Edges, Form, Layout, int64
from edgernn.graph import ApplyMask, Recurrent, producer

_ZERO: Final = np.zeros((), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order that moves the valid steps of each row to the front, and back."""

    steps: Value  # int64 [B, T, 1]: the valid ones first, each kind in its order
    counts: Value  # int64 [B, T]: valid steps up to and including this one
    ones: Value  # int64 [B, T]: 1 for a valid step


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """The values that are computed from a mask, for all layers with this mask."""

    edge: str
    reversed: bool  # the values below are those of the mask reversed in time
    mask: Value  # bool [B, T]
    lengths: Value  # int32 [B]: number of valid steps, at least 1: the operators' lengths
    ran: Value  # bool [B, 1]: the row has a valid step
    order: Order | None  # None for a single step, which is not moved


def compaction(edge: str, is_reversed: bool, edges: Edges) -> Compaction:
    """Computes it once for all layers under the same mask."""
    key = ("compaction", edge, is_reversed)
    mask = edges.read(edge, Form(reversed=is_reversed))
    if key not in edges.shared:
        single = edges.spec(edge).shape[1] == 1
        edges.shared[key] = _single_step(mask, edges) if single else _ordered(edge, mask, edges)
    lengths, ran, *order = edges.shared[key]
    return Compaction(
        edge=edge,
        reversed=is_reversed,
        mask=mask,
        lengths=lengths,
        ran=ran,
        order=Order(steps=order[0], counts=order[1], ones=order[2]) if order else None,
    )


def _single_step(mask: Value, edges: Edges) -> tuple[Value, ...]:
    ones = edges.builder.op("Cast", mask, to=INT32)
    return _lengths(edges.builder.op("Squeeze", ones, axes=int64([1])), edges)


def _lengths(valid: Value, edges: Edges) -> tuple[Value, Value]:
    """Lengths of at least 1 [B], and whether the row has a valid step [B, 1]."""
    builder = edges.builder
    ran = builder.op("Cast", valid, to=BOOL)
    empty = builder.op("Cast", builder.op("Not", ran), to=INT32)
    return builder.op("Add", valid, empty), builder.op("Unsqueeze", ran, axes=int64([1]))


def _ordered(edge: str, mask: Value, edges: Edges) -> tuple[Value, ...]:
    builder = edges.builder
    steps = edges.spec(edge).shape[1]
    ones = builder.op("Cast", mask, to=INT64)
    size = edges.sizes(edge, [1]) if steps is None else builder.constant(int64([steps]))
    keys = _distinct(ones, size, steps, edges)
    _, order = builder.ops("TopK", keys, size, outputs=(True, True), attributes={"axis": 1})
    counts = builder.op("CumSum", ones, builder.constant(int64([1])[0]))
    total = builder.op("Gather", counts, builder.constant(int64([-1])[0]), axis=1)
    lengths = _lengths(builder.op("Cast", total, to=INT32), edges)
    return *lengths, builder.op("Unsqueeze", order, axes=int64([2])), counts, ones


def _distinct(ones: Value, size: Value, steps: int | None, edges: Edges) -> Value:
    """Keys that sort valid steps first, each kind in its order: ones * T - position.

    Equal keys would be enough for ONNX Runtime, which orders ties by position; OpenVINO does not.
    """
    builder = edges.builder
    if steps is None:
        end = builder.op("Squeeze", size, axes=int64([0]))
        zero, one = builder.constant(int64([0])[0]), builder.constant(int64([1])[0])
        positions = builder.op("Range", zero, end, one)
    else:
        positions = builder.constant(int64(range(steps)))
    return builder.op("Sub", builder.op("Mul", ones, size), positions)


def compacted(layer: Recurrent, mask: Compaction, edges: Edges) -> Value:
    """The layer's input [T, B, F], valid steps first."""
    edge = layer.input
    writer = producer(edges.graph, edge)
    if isinstance(writer, ApplyMask) and writer.mask == mask.edge:
        edge = writer.input  # steps set to zero are skipped anyway
    if mask.order is None:
        return edges.read(edge, Form(Layout.TIME_BATCH, mask.reversed))
    key = ("compacted", edge, mask.edge, mask.reversed)
    if key not in edges.shared:
        x = edges.read(edge, Form(reversed=mask.reversed))
        gathered = edges.builder.op("GatherND", x, mask.order.steps, batch_dims=1)
        edges.shared[key] = (edges.builder.op("Transpose", gathered, perm=[1, 0, 2]),)
    return edges.shared[key][0]


def without_empty_rows(mask: Compaction, result: Value, edges: Edges) -> Value:
    """A result of the operator, [T, B, H] or [B, H], with zeros in rows without a valid step."""
    return edges.builder.op("Where", mask.ran, result, edges.builder.constant(_ZERO))


def expanded(
    layer: Recurrent, mask: Compaction, sequence: Value, edges: Edges, *, backward: bool
) -> tuple[Value, Form]:
    """The operator's outputs [T, B, H] at their original steps, and their form.

    A masked step takes the output of the last step processed before it.  Before the first valid
    step that is the position -1, or the number of valid steps if time runs backward: both are
    positions after the last valid one, where the operator's outputs are zeros, as required.
    """
    if mask.order is None:
        return sequence, Form(Layout.TIME_BATCH, backward)
    builder = edges.builder
    batch_first = builder.op("Transpose", sequence, perm=[1, 0, 2])
    # Steps processed before this one, and this one too unless it is masked, less one.
    taken = mask.order.ones if backward else builder.constant(int64([1])[0])
    position = builder.op("Sub", mask.order.counts, taken)
    indices = builder.op("Unsqueeze", position, axes=int64([2]))
    result = builder.op("GatherND", batch_first, indices, batch_dims=1)
    if layer.zero_output_for_mask:
        kept = builder.op("Unsqueeze", mask.mask, axes=int64([2]))
        result = builder.op("Where", kept, result, builder.constant(_ZERO))
    return result, Form(Layout.BATCH_TIME, backward)


def last_output(
    layer: Recurrent, mask: Compaction, final: Value, edges: Edges, *, backward: bool
) -> Value:
    """The output [B, H] of the step processed last; zeros for a row without a valid step."""
    if not layer.zero_output_for_mask:
        return final
    builder = edges.builder
    if backward:
        kept = builder.op("Slice", mask.mask, starts=int64([0]), ends=int64([1]), axes=int64([1]))
    else:
        to_the_end = int64([TO_THE_END])
        kept = builder.op("Slice", mask.mask, starts=int64([-1]), ends=to_the_end, axes=int64([1]))
    return builder.op("Where", kept, final, builder.constant(_ZERO))


def final_state(mask: Compaction, final: Value, initial: Value, edges: Edges) -> Value:
    """The final state [B, H]; a row without a valid step keeps its initial one."""
    return edges.builder.op("Where", mask.ran, final, initial)
