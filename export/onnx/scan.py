"""Runs a cell step by step in a Scan, for cells without an operator for sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from edgernn.export.onnx.builder import ABSENT, BOOL, FLOAT, INT64, Attribute, Value
from edgernn.export.onnx.cell import Call, Results
from edgernn.export.onnx.edges import Edges, int64
from edgernn.graph import Recurrent

#: (states [B, H], the step's part of each sequence) -> new states, of which the first is h.
Step: TypeAlias = Callable[[Sequence[Value], Sequence[Value]], Sequence[Value]]


def run_steps(
    layer: Recurrent, call: Call, sequences: Sequence[Value], step: Step, edges: Edges
) -> Results:
    """Runs `step` over sequences [T, B, ...]; a single step without a Scan.

    Constants and weights of the step must exist before; nodes that it adds belong to the step.
    """
    initial = [_zeros(layer, call.x, edges) if state == ABSENT else state for state in call.initial]
    if edges.spec(layer.input).shape[1] == 1 and call.lengths == ABSENT:
        op, first = edges.builder.op, int64([0])
        states = step(initial, [op("Squeeze", part, axes=first) for part in sequences])
        sequence = op("Unsqueeze", states[0], axes=first) if call.wants_sequence else ABSENT
        return Results(sequence=sequence, states=tuple(states))
    return _scan(layer, call, initial, sequences, step, edges)


def _zeros(layer: Recurrent, x: Value, edges: Edges) -> Value:
    """float [B, H]."""
    builder = edges.builder
    batch = edges.spec(layer.input).shape[0]
    if batch is not None:
        return builder.constant(np.zeros((batch, layer.units), np.float32))
    size = builder.op("Gather", builder.op("Shape", x), builder.constant(int64([1])), axis=0)
    shape = builder.op("Concat", size, builder.constant(int64([layer.units])), axis=0)
    return builder.op("ConstantOfShape", shape)


def _scan(
    layer: Recurrent,
    call: Call,
    initial: Sequence[Value],
    sequences: Sequence[Value],
    step: Step,
    edges: Edges,
) -> Results:
    builder, op = edges.builder, edges.builder.op
    masks = [] if call.lengths == ABSENT else [_valid_steps(call, edges)]
    zero = builder.constant(np.zeros((), np.float32))
    count = len(initial)

    def make(inputs: Sequence[Value]) -> list[tuple[Value, int]]:
        states, parts = inputs[:count], inputs[count : count + len(sequences)]
        new = step(states, parts)
        shown = new[0]
        if masks:
            valid = inputs[-1]
            shown = op("Where", valid, new[0], zero)
            new = [op("Where", valid, *pair) for pair in zip(new, states, strict=True)]
        if call.wants_sequence:
            # ONNX Runtime gives wrong results for a value that is listed twice.
            new = [*new, op("Identity", shown) if shown == new[0] else shown]
        return [(value, FLOAT) for value in new]

    elements = [FLOAT] * (count + len(sequences)) + [BOOL] * len(masks)
    scanned = [*sequences, *masks]
    attributes: dict[str, Attribute] = {
        "body": builder.body(elements, make),
        "num_scan_inputs": len(scanned),
    }
    if call.backward:
        attributes["scan_input_directions"] = [1] * len(scanned)
        if call.wants_sequence:
            attributes["scan_output_directions"] = [1]
    wanted = [True] * (count + call.wants_sequence)
    results = builder.ops(
        "Scan", *initial, *scanned, outputs=wanted, name=layer.name, attributes=attributes
    )
    finals = results[:count]
    return Results(sequence=results[-1] if call.wants_sequence else ABSENT, states=finals)


def _valid_steps(call: Call, edges: Edges) -> Value:
    """bool [T, B, 1]: the step is within the length of its row."""
    builder, op = edges.builder, edges.builder.op
    zero, one = (builder.constant(np.array(number, np.int64)) for number in (0, 1))
    steps = op("Gather", op("Shape", call.x), zero, axis=0)
    positions = op("Unsqueeze", op("Range", zero, steps, one), axes=int64([1, 2]))
    lengths = op("Unsqueeze", op("Cast", call.lengths, to=INT64), axes=int64([0, 2]))
    return op("Less", positions, lengths)
