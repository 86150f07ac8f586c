"""Recurrent layers that skip masked steps, for any mask.

ONNX's operators know a length for each row, which is right for padding at the end only.  So the
valid steps are moved to the front, in the order in which the layer takes them; the operator runs
over all steps, and its outputs are put back to where they belong.

ONNX Runtime receives the lengths, and computes nothing behind them.  Other runtimes ignore them
(OpenVINO 2026.4, ONNX's reference evaluator), so that nothing but the final c of an LSTM depends on
them: h is taken from the outputs, and no layer runs from the end.  No operator is given a length of
0: DynamicQuantizeLSTM then reads memory of an earlier call and spoils other rows, and RNN runs a
step all the same.  Such a row runs one step, and zeros take the place of its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.export.onnx.builder import BOOL, INT32, INT64, Value
from edgernn.export.onnx.edges import TO_THE_END, Edges, Form, Layout, int64
from edgernn.graph import ApplyMask, Embedding, QTensor, Recurrent, producer

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
    lengths: Value  # int32 [B]: valid steps, and 1 where there are none: what operators take
    last: Value  # int64 [B, 1]: lengths - 1
    ran: Value  # bool [B, 1]: the row has a valid step
    order: Order | None  # None for a single step, which is not moved


def compaction(edge: str, is_reversed: bool, edges: Edges) -> Compaction:
    """Computes it once for all layers under the same mask."""
    key = ("compaction", edge, is_reversed)
    mask = edges.read(edge, Form(reversed=is_reversed))
    if key not in edges.shared:
        single = edges.spec(edge).shape[1] == 1
        edges.shared[key] = _single_step(mask, edges) if single else _ordered(edge, mask, edges)
    lengths, last, ran, *order = edges.shared[key]
    return Compaction(
        edge=edge,
        reversed=is_reversed,
        mask=mask,
        lengths=lengths,
        last=last,
        ran=ran,
        order=Order(steps=order[0], counts=order[1], ones=order[2]) if order else None,
    )


def _single_step(mask: Value, edges: Edges) -> tuple[Value, ...]:
    ones = edges.builder.op("Cast", mask, to=INT32)
    return _lengths(edges.builder.op("Squeeze", ones, axes=int64([1])), edges)


def _lengths(valid: Value, edges: Edges) -> tuple[Value, Value, Value]:
    """Lengths of at least 1 [B], the last steps [B, 1], whether the row has any [B, 1]."""
    builder = edges.builder
    ran = builder.op("Cast", valid, to=BOOL)
    empty = builder.op("Cast", builder.op("Not", ran), to=INT32)
    lengths = builder.op("Add", valid, empty)
    columns = builder.op("Unsqueeze", builder.op("Cast", lengths, to=INT64), axes=int64([1]))
    last = builder.op("Sub", columns, builder.constant(int64([1])))
    return lengths, last, builder.op("Unsqueeze", ran, axes=int64([1]))


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
    """The layer's input [T, B, F], valid steps first.

    Integer products draw one scale around a whole call, hidden steps and all: what stands there, a
    padding of -999 say, must not reach them.
    """
    edge = layer.input
    writer = producer(edges.graph, edge)
    is_zeroed = isinstance(writer, ApplyMask) and writer.mask == mask.edge
    is_integer = isinstance(layer.kernel, QTensor)
    if isinstance(writer, ApplyMask) and is_zeroed and not is_integer:
        edge = writer.input  # steps set to zero are skipped anyway
    hides = is_integer and not is_zeroed and not isinstance(writer, Embedding | Recurrent)
    key = ("compacted", edge, mask.edge, mask.reversed, hides)
    if mask.order is None:
        if not hides:
            return edges.read(edge, Form(Layout.TIME_BATCH, mask.reversed))
        if key not in edges.shared:
            x = _hidden(edges.read(edge, Form(reversed=mask.reversed)), mask, edges)
            edges.shared[key] = (edges.builder.op("Transpose", x, perm=[1, 0, 2]),)
    elif key not in edges.shared:
        x = edges.read(edge, Form(reversed=mask.reversed))
        if hides:
            x = _hidden(x, mask, edges)
        gathered = edges.builder.op("GatherND", x, mask.order.steps, batch_dims=1)
        edges.shared[key] = (edges.builder.op("Transpose", gathered, perm=[1, 0, 2]),)
    return edges.shared[key][0]


def _hidden(x: Value, mask: Compaction, edges: Edges) -> Value:
    """x [B, T, F] with zeros in the steps that the mask hides."""
    shown = edges.builder.op("Unsqueeze", mask.mask, axes=int64([2]))
    return edges.builder.op("Where", shown, x, edges.builder.constant(_ZERO))


def without_empty_rows(mask: Compaction, result: Value, edges: Edges) -> Value:
    """A state of the operator [B, H], with zeros in rows without a valid step."""
    return edges.builder.op("Where", mask.ran, result, edges.builder.constant(_ZERO))


def expanded(layer: Recurrent, mask: Compaction, sequence: Value, edges: Edges) -> Value:
    """The operator's outputs [T, B, H] at the steps they belong to: [B, T, H], in the mask's order.

    A masked step takes the output of the last step processed before it, zeros if there is none.
    """
    builder = edges.builder
    batch_first = builder.op("Transpose", sequence, perm=[1, 0, 2])
    if mask.order is None:
        result, kept = batch_first, mask.mask
    else:
        position = builder.op("Sub", mask.order.counts, builder.constant(int64([1])[0]))
        indices = builder.op("Unsqueeze", position, axes=int64([2]))
        result = builder.op("GatherND", batch_first, indices, batch_dims=1)
        reached = builder.op("Cast", mask.order.counts, to=BOOL)
        kept = mask.mask if layer.zero_output_for_mask else reached
    shown = builder.op("Unsqueeze", kept, axes=int64([2]))
    return builder.op("Where", shown, result, builder.constant(_ZERO))


def last_output(layer: Recurrent, mask: Compaction, final: Value, edges: Edges) -> Value:
    """The output [B, H] of the step processed last; zeros for a row without a valid step."""
    if not layer.zero_output_for_mask:
        return final
    builder = edges.builder
    to_the_end = int64([TO_THE_END])
    kept = builder.op("Slice", mask.mask, starts=int64([-1]), ends=to_the_end, axes=int64([1]))
    return builder.op("Where", kept, final, builder.constant(_ZERO))


def final_state(mask: Compaction, final: Value, initial: Value, edges: Edges) -> Value:
    """The final state [B, H]; a row without a valid step keeps its initial one."""
    return edges.builder.op("Where", mask.ran, final, initial)
