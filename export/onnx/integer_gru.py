"""A GRU with int8 weights, which ONNX Runtime lacks: integer products in a Scan.

A step takes some 10 microseconds more than one of the GRU operator (a Scan has its own executor),
and its product a fraction of the time.  Below a few hundred units the operator is faster; then int8
weights only make the file small ("storage"): they become float32 when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.activation import activate
from edgernn.export.onnx.builder import ABSENT, Builder, Value
from edgernn.export.onnx.cell import Call, Results
from edgernn.export.onnx.edges import Edges
from edgernn.export.onnx.integer_product import (
    BOUNDED_ACTIVATIONS,
    IntegerWeight,
    dynamic_product,
    integer_weight,
    is_bounded,
    is_safe_signed,
    scaled_product,
)
from edgernn.export.onnx.options import GruForm
from edgernn.export.onnx.scan import Step, run_steps
from edgernn.export.onnx.stepwise import recurrent_bias, split
from edgernn.export.onnx.weights import as_is
from edgernn.graph import AnyArray, Gru, QTensor, Recurrent, as_float32

# From this many units on, integer products save more time than the operators around them take.
# Measured with ONNX Runtime 1.31 on x86-64, batch 1: a sequence with 256 units takes 0.86 ms, with
# the GRU operator 0.67 ms; with 320 units 0.99 and 1.44 ms; one step of 256 units 40 and 42 us.
SCAN_PAYS_FROM_UNITS: Final = 288
STEP_PAYS_FROM_UNITS: Final = 256

# h is in [-1, 1], as are tanh and sigmoid.
_STATE_SCALE: Final = np.array(1 / 128, np.float32)
_STATE_ZERO: Final = np.array(128, np.uint8)


#: What is said of weights in the storage form.
STORED: Final = "int8 in the file, float32 when loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenForm:
    is_integer: bool
    reason: str


def gru_form(layer: Gru, edges: Edges) -> ChosenForm:
    """The form for this layer, and the reason as a sentence."""
    obstacle = _obstacle(layer, edges)
    single = edges.spec(layer.input).shape[1] == 1
    match edges.options.gru:
        case GruForm.STORAGE:
            return _stored("")
        case GruForm.CUSTOMOP:  # for layers that have no integers to compute with
            return _stored("")
        case GruForm.SCAN:
            return _stored(f": {obstacle}") if obstacle else _integer("", single=single)
        case GruForm.AUTO:
            pays_from = STEP_PAYS_FROM_UNITS if single else SCAN_PAYS_FROM_UNITS
            if layer.units < pays_from:
                return _stored(f": with {layer.units} units integer products are not faster")
            if obstacle:
                return _stored(f": {obstacle}")
            why = f": with {layer.units} units they are faster (from {pays_from} on)"
            return _integer(why, single=single)
        case _:
            assert_never(edges.options.gru)


def _stored(why: str) -> ChosenForm:
    return ChosenForm(is_integer=False, reason=f"{STORED}{why}")


def _integer(why: str, *, single: bool) -> ChosenForm:
    where = "" if single else ", step by step in a Scan"
    return ChosenForm(is_integer=True, reason=f"integer products{where}{why}")


def _obstacle(layer: Gru, edges: Edges) -> str:
    """Why the state cannot be read as bytes of 1/128; empty if it can."""
    if edges.stays_in_float(layer):
        return "bytes of its states are too coarse"
    if layer.activation.kind not in BOUNDED_ACTIVATIONS:
        return unbounded(layer)
    states = {state.input for state in edges.graph.states}
    if layer.initial_h is not None and layer.initial_h not in states:
        return "it starts from a state that may be outside of [-1, 1]"
    return ""


def unbounded(layer: Recurrent) -> str:
    """Why states of this layer are not read as bytes."""
    return f"the activation {layer.activation.kind.value} has no bound"


def integer_gru(
    layer: Gru, kernel: QTensor, recurrent_kernel: QTensor, call: Call, edges: Edges
) -> Results:
    """Projects all of x at once, then runs the steps."""
    projected = _projection(layer, kernel, call.x, edges)
    parts = split(edges.builder, projected, [2 * layer.units, layer.units], axis=2)
    step = _step(layer, recurrent_kernel, edges.builder)
    return run_steps(layer, call, parts, step, edges)


def _projection(layer: Gru, kernel: QTensor, x: Value, edges: Edges) -> Value:
    """x W + b [T, B, 3H], with both biases if they are simply added."""
    signed = is_safe_signed(kernel)
    weight = integer_weight(edges.builder, kernel, as_is, key="columns", signed=signed)
    product = dynamic_product(
        edges.builder, x, weight, fine=not is_bounded(layer.input, edges.graph)
    )
    moved = recurrent_bias(layer)
    moved[2 * layer.units if layer.reset_after else 0 :] = 0
    bias = moved if layer.bias is None else moved + as_float32(layer.bias)
    return edges.builder.op("Add", product, edges.builder.constant(bias))


def _step(layer: Gru, recurrent_kernel: QTensor, builder: Builder) -> Step:
    """h' [B, H] = n + z (h - n), with h read as bytes; constants are made here, outside."""
    op, units = builder.op, layer.units
    signed = is_safe_signed(recurrent_kernel)

    def columns(start: int, stop: int, key: str) -> IntegerWeight:
        def cut(array: AnyArray) -> AnyArray:
            return array[:, start:stop]

        return integer_weight(builder, recurrent_kernel, cut, key=key, signed=signed)

    # Reset after the product, the candidate's columns are part of it.
    fed_at_once = columns(0, 3 * units, "all") if layer.reset_after else columns(0, 2 * units, "zr")
    candidate = None if layer.reset_after else columns(2 * units, 3 * units, "h")
    bias = recurrent_bias(layer)
    bias[: 2 * units] = 0  # added to the projection
    candidate_bias = builder.constant(bias)
    scale, zero = builder.constant(_STATE_SCALE), builder.constant(_STATE_ZERO)

    def product(h: Value, weight: IntegerWeight) -> Value:
        read = op("QuantizeLinear", h, scale, zero)
        return scaled_product(builder, read, scale, zero, weight)

    def step(states: Sequence[Value], parts: Sequence[Value]) -> list[Value]:
        (h,), (x_gates, x_candidate) = states, parts
        fed = product(h, fed_at_once)
        h_candidate = ABSENT
        if candidate is None:
            biased = op("Add", fed, candidate_bias)
            fed, h_candidate = split(builder, biased, [2 * units, units], axis=1)
        opened = activate(layer.recurrent_activation, op("Add", x_gates, fed), 2, builder)
        z, r = split(builder, opened, [units, units], axis=1)
        if candidate is None:
            part = op("Mul", r, h_candidate)
        else:
            part = product(op("Mul", r, h), candidate)
        n = activate(layer.activation, op("Add", x_candidate, part), 2, builder)
        return [op("Add", n, op("Mul", z, op("Sub", h, n)))]

    return step
