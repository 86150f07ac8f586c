"""Cells with activations that ONNX's operators lack, computed step by step in float32.

This is slower than an operator: a Scan takes some 10 microseconds for each step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.activation import activate
from edgernn.export.onnx.builder import Builder, Value
from edgernn.export.onnx.cell import Call, Results
from edgernn.export.onnx.edges import Edges, int64
from edgernn.export.onnx.scan import Step, run_steps
from edgernn.export.onnx.weights import weight
from edgernn.graph import AnyArray, FloatArray, Gru, Lstm, Recurrent, SimpleRnn, as_float32


def stepwise(layer: Recurrent, call: Call, edges: Edges) -> Results:
    """Projects all of x at once, then runs the steps."""
    builder, op = edges.builder, edges.builder.op
    projected = op("MatMul", call.x, weight(builder, layer.kernel))
    if layer.bias is not None:
        projected = op("Add", projected, weight(builder, layer.bias))
    match layer:
        case SimpleRnn():
            step, parts = _rnn_step(layer, builder), [projected]
        case Gru():
            step = _gru_step(layer, builder)
            parts = split(builder, projected, [2 * layer.units, layer.units], axis=2)
        case Lstm():
            step, parts = _lstm_step(layer, builder), [projected]
        case _:
            assert_never(layer)
    return run_steps(layer, call, parts, step, edges)


def split(builder: Builder, value: Value, sizes: Sequence[int], *, axis: int) -> list[Value]:
    """The value cut along an axis."""
    parts = builder.ops(
        "Split",
        value,
        outputs=[True] * len(sizes),
        attributes={"axis": axis, "split": int64(sizes)},
    )
    return list(parts)


def _rnn_step(layer: SimpleRnn, builder: Builder) -> Step:
    kernel = weight(builder, layer.recurrent_kernel)

    def step(states: Sequence[Value], parts: Sequence[Value]) -> list[Value]:
        before = builder.op("Add", parts[0], builder.op("MatMul", states[0], kernel))
        return [activate(layer.activation, before, 2, builder)]

    return step


def _lstm_step(layer: Lstm, builder: Builder) -> Step:
    kernel, op = weight(builder, layer.recurrent_kernel), builder.op

    def step(states: Sequence[Value], parts: Sequence[Value]) -> list[Value]:
        h, c = states
        before = op("Add", parts[0], op("MatMul", h, kernel))
        i, f, n, o = split(builder, before, [layer.units] * 4, axis=1)
        i, f, o = (activate(layer.recurrent_activation, gate, 2, builder) for gate in (i, f, o))
        n = activate(layer.activation, n, 2, builder)
        new_c = op("Add", op("Mul", f, c), op("Mul", i, n))
        return [op("Mul", o, activate(layer.activation, new_c, 2, builder)), new_c]

    return step


def _gru_step(layer: Gru, builder: Builder) -> Step:
    """The recurrent bias is that of z and r, and of the candidate if it is reset afterwards."""
    op, units = builder.op, layer.units
    gates_only = slice(0, 2 * units)

    def columns(where: slice) -> Value:
        def cut(array: AnyArray) -> AnyArray:
            return array[..., where] if array.shape[-1] > 1 else array

        return weight(builder, layer.recurrent_kernel, cut, key=(where.start, where.stop))

    gates = columns(gates_only)
    candidate = columns(slice(2 * units, 3 * units))
    bias = recurrent_bias(layer)
    gates_bias = builder.constant(bias[gates_only])
    candidate_bias = builder.constant(bias[2 * units :])

    def step(states: Sequence[Value], parts: Sequence[Value]) -> list[Value]:
        (h,), (x_gates, x_candidate) = states, parts
        fed = op("Add", op("MatMul", h, gates), gates_bias)
        z, r = (
            activate(layer.recurrent_activation, gate, 2, builder)
            for gate in split(builder, op("Add", x_gates, fed), [units, units], axis=1)
        )
        if layer.reset_after:
            part = op("Mul", r, op("Add", op("MatMul", h, candidate), candidate_bias))
        else:
            part = op("MatMul", op("Mul", r, h), candidate)
        n = activate(layer.activation, op("Add", x_candidate, part), 2, builder)
        return [op("Add", n, op("Mul", z, op("Sub", h, n)))]

    return step


def recurrent_bias(layer: Gru) -> FloatArray:
    """float32 [3H], zeros where the layer has none."""
    if layer.recurrent_bias is None:
        return np.zeros(3 * layer.units, np.float32)
    return as_float32(layer.recurrent_bias).copy()
