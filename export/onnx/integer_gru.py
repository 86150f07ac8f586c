"""A GRU of int8 weights, of which ONNX Runtime has none: products of integers in a Scan.

A step costs some 10 microseconds more than one of the GRU operator (a Scan has its own executor),
and its product a fraction.  Below a few hundred units the operator wins; then int8 weights only
make the file small ("storage"): they become float32 when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.activation import activate
from edgernn.export.onnx.builder import (
    ABSENT,
    BOOL,
    FLOAT,
    INT64,
    Attribute,
    Builder,
    Value,
)
from edgernn.export.onnx.cell import Call, Results
from edgernn.export.onnx.edges import Edges, int64
from edgernn.export.onnx.integer import (
    BOUNDED_ACTIVATIONS,
    IntegerWeight,
    dynamic_product,
    integer_weight,
    is_bounded,
    is_safe_signed,
    scaled_product,
)
from edgernn.export.onnx.options import GruForm
from edgernn.export.onnx.weights import as_is
from edgernn.graph import (
    AnyArray,
    FloatArray,
    Gru,
    QTensor,
    as_float32,
)

# From this many units on, products of integers pay for the operators around them.  Measured with
# ONNX Runtime 1.31 on x86-64, batch 1: over a sequence 256 units take 0.86 ms against 0.67 ms with
# the GRU operator, 320 take 0.99 against 1.44; one step of 256 takes 40 us against 42.
SCAN_PAYS_FROM_UNITS: Final = 288
STEP_PAYS_FROM_UNITS: Final = 256

# h lies in [-1, 1]: tanh and sigmoid never leave it.
_STATE_SCALE: Final = np.array(1 / 128, np.float32)
_STATE_ZERO: Final = np.array(128, np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenForm:
    is_integer: bool
    reason: str


def gru_form(layer: Gru, edges: Edges) -> ChosenForm:
    """The form for this layer, and a sentence about why."""
    obstacle = _obstacle(layer, edges)
    single = edges.spec(layer.input).shape[1] == 1
    match edges.options.gru:
        case GruForm.STORAGE:
            return _stored("")
        case GruForm.SCAN:
            return _stored(f": {obstacle}") if obstacle else _integer("", single=single)
        case GruForm.AUTO:
            pays_from = STEP_PAYS_FROM_UNITS if single else SCAN_PAYS_FROM_UNITS
            if layer.units < pays_from:
                return _stored(f": with {layer.units} units products of integers do not pay yet")
            if obstacle:
                return _stored(f": {obstacle}")
            why = f": with {layer.units} units they are faster (from {pays_from} on)"
            return _integer(why, single=single)
        case _:
            assert_never(edges.options.gru)


def _stored(why: str) -> ChosenForm:
    return ChosenForm(is_integer=False, reason=f"GRU operator, int8 in the file only{why}")


def _integer(why: str, *, single: bool) -> ChosenForm:
    where = "" if single else ", step by step in a Scan"
    return ChosenForm(is_integer=True, reason=f"products of integers{where}{why}")


def _obstacle(layer: Gru, edges: Edges) -> str:
    """Why the state cannot be read as bytes of 1/128; empty if it can."""
    if layer.activation.kind not in BOUNDED_ACTIVATIONS:
        return f"the activation {layer.activation.kind.value} has no bound"
    states = {state.input for state in edges.graph.states}
    if layer.initial_h is not None and layer.initial_h not in states:
        return "it starts from a state that may lie outside of -1 and 1"
    return ""


def integer_gru(
    layer: Gru, kernel: QTensor, recurrent_kernel: QTensor, call: Call, edges: Edges
) -> Results:
    """Projects all of x at once, then runs the steps, a single one without a Scan."""
    builder, op = edges.builder, edges.builder.op
    parts = builder.constant(int64([2 * layer.units, layer.units]))
    builder.needs(13)  # Split with sizes as an input
    projected = _projection(layer, kernel, call.x, edges)
    gates, candidate = builder.ops(
        "Split", projected, parts, outputs=(True, True), attributes={"axis": 2}
    )
    step = _Step.of(layer, recurrent_kernel, parts, edges)
    (initial,) = call.initial
    if initial == ABSENT:
        initial = _zeros(layer, call.x, edges)
    if edges.spec(layer.input).shape[1] == 1 and call.lengths == ABSENT:
        first = int64([0])
        h = step.next_state(
            initial, op("Squeeze", gates, axes=first), op("Squeeze", candidate, axes=first)
        )
        return Results(sequence=op("Unsqueeze", h, axes=first), states=(h,))
    return _scan(layer, call, initial, gates, candidate, step, edges)


def _projection(layer: Gru, kernel: QTensor, x: Value, edges: Edges) -> Value:
    """x W + b [T, B, 3H], with the biases of both sides where they simply add up."""
    signed = is_safe_signed(kernel)
    weight = integer_weight(edges.builder, kernel, as_is, key="columns", signed=signed)
    product = dynamic_product(
        edges.builder, x, weight, fine=not is_bounded(layer.input, edges.graph)
    )
    moved = _recurrent_bias(layer)
    moved[2 * layer.units if layer.reset_after else 0 :] = 0
    bias = moved if layer.bias is None else moved + as_float32(layer.bias)
    return edges.builder.op("Add", product, edges.builder.constant(bias))


def _recurrent_bias(layer: Gru) -> FloatArray:
    if layer.recurrent_bias is None:
        return np.zeros(3 * layer.units, np.float32)
    return as_float32(layer.recurrent_bias).copy()


def _zeros(layer: Gru, x: Value, edges: Edges) -> Value:
    """float [B, H]."""
    builder = edges.builder
    batch = edges.spec(layer.input).shape[0]
    if batch is not None:
        return builder.constant(np.zeros((batch, layer.units), np.float32))
    size = builder.op("Gather", builder.op("Shape", x), builder.constant(int64([1])), axis=0)
    shape = builder.op("Concat", size, builder.constant(int64([layer.units])), axis=0)
    return builder.op("ConstantOfShape", shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """The part of a GRU that depends on the state; constants are made before, outside."""

    layer: Gru
    builder: Builder
    parts: Value  # int64 [2]: sizes of z and r together, and of the candidate
    gates: IntegerWeight  # [H, 2H], or [H, 3H] if the candidate is reset after its product
    candidate: IntegerWeight | None  # [H, H]
    bias: Value  # [3H], zero but for the candidate's
    scale: Value
    zero: Value

    @classmethod
    def of(cls, layer: Gru, recurrent_kernel: QTensor, parts: Value, edges: Edges) -> _Step:
        builder, units = edges.builder, layer.units
        signed = is_safe_signed(recurrent_kernel)

        def columns(start: int, stop: int, key: str) -> IntegerWeight:
            def cut(array: AnyArray) -> AnyArray:
                return array[:, start:stop]

            return integer_weight(builder, recurrent_kernel, cut, key=key, signed=signed)

        bias = _recurrent_bias(layer)
        bias[: 2 * units] = 0
        return cls(
            layer=layer,
            builder=builder,
            parts=parts,
            gates=columns(0, (3 if layer.reset_after else 2) * units, f"gates {layer.reset_after}"),
            candidate=None if layer.reset_after else columns(2 * units, 3 * units, "candidate"),
            bias=builder.constant(bias),
            scale=builder.constant(_STATE_SCALE),
            zero=builder.constant(_STATE_ZERO),
        )

    def next_state(self, h: Value, x_gates: Value, x_candidate: Value) -> Value:
        """h' [B, H] = n + z (h - n)."""
        op, ops, layer = self.builder.op, self.builder.ops, self.layer
        fed = self._product(h, self.gates)
        h_candidate = ""
        if layer.reset_after:
            biased = op("Add", fed, self.bias)
            fed, h_candidate = ops(
                "Split", biased, self.parts, outputs=(True, True), attributes={"axis": 1}
            )
        before = op("Add", x_gates, fed)
        opened = activate(layer.recurrent_activation, before, 2, self.builder)
        z, r = ops("Split", opened, outputs=(True, True), attributes={"axis": 1})
        if self.candidate is None:
            part = op("Mul", r, h_candidate)
        else:
            part = self._product(op("Mul", r, h), self.candidate)
        n = activate(layer.activation, op("Add", x_candidate, part), 2, self.builder)
        return op("Add", n, op("Mul", z, op("Sub", h, n)))

    def _product(self, h: Value, weight: IntegerWeight) -> Value:
        read = self.builder.op("QuantizeLinear", h, self.scale, self.zero)
        return scaled_product(self.builder, read, self.scale, self.zero, weight)


def _scan(
    layer: Gru,
    call: Call,
    initial: Value,
    gates: Value,
    candidate: Value,
    step: _Step,
    edges: Edges,
) -> Results:
    builder, op = edges.builder, edges.builder.op
    sequences = [gates, candidate]
    if call.lengths != ABSENT:
        sequences.append(_valid_steps(call, edges))
    zero = builder.constant(np.zeros((), np.float32))

    def make(inputs: Sequence[Value]) -> list[tuple[Value, int]]:
        h, x_gates, x_candidate, *valid = inputs
        new = step.next_state(h, x_gates, x_candidate)
        kept, shown = new, new
        if valid:
            kept, shown = op("Where", valid[0], new, h), op("Where", valid[0], new, zero)
        outputs = [(kept, FLOAT)]
        if call.wants_sequence:
            # ONNX Runtime gives wrong results for a value that is listed twice.
            outputs.append((op("Identity", shown) if shown == kept else shown, FLOAT))
        return outputs

    elements = [FLOAT, FLOAT, FLOAT, *([BOOL] if call.lengths != ABSENT else [])]
    body = builder.body(elements, make)
    attributes: dict[str, Attribute] = {"body": body, "num_scan_inputs": len(sequences)}
    if call.backward:
        attributes["scan_input_directions"] = [1] * len(sequences)
        if call.wants_sequence:
            attributes["scan_output_directions"] = [1]
    wanted = (True, True) if call.wants_sequence else (True,)
    final, *sequence = builder.ops(
        "Scan", initial, *sequences, outputs=wanted, name=layer.name, attributes=attributes
    )
    if call.lengths != ABSENT and call.wants_states[0]:
        final = _without_empty_rows(final, call, edges)
    return Results(sequence=sequence[0] if sequence else ABSENT, states=(final,))


def _valid_steps(call: Call, edges: Edges) -> Value:
    """bool [T, B, 1]: the step is one of its row's."""
    builder, op = edges.builder, edges.builder.op
    zero, one = (builder.constant(np.array(number, np.int64)) for number in (0, 1))
    steps = op("Gather", op("Shape", call.x), zero, axis=0)
    positions = op("Unsqueeze", op("Range", zero, steps, one), axes=int64([1, 2]))
    lengths = op("Unsqueeze", op("Cast", call.lengths, to=INT64), axes=int64([0, 2]))
    return op("Less", positions, lengths)


def _without_empty_rows(final: Value, call: Call, edges: Edges) -> Value:
    """Zeros for rows of length 0, as the operators give; they would have kept the initial state."""
    op = edges.builder.op
    ran = op("Cast", op("Unsqueeze", call.lengths, axes=int64([1])), to=BOOL)
    return op("Where", ran, final, edges.builder.constant(np.zeros((), np.float32)))
