"""Gru, Lstm and SimpleRnn as ops: float, or with the integer parameters of their plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.native import packing
from edgernn.export.native.activation import activation_arguments
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import NONE, Constant, OpKind, RnnFlag
from edgernn.graph import (
    ActivationKind,
    Gru,
    Lstm,
    QTensor,
    Recurrent,
    SimpleRnn,
    Weight,
    as_float32,
)
from edgernn.graph.quantized import RecurrentPlan

#: Largest L of hard(p) for which 4 L is a 16-bit number (docs/integer-arithmetic.md, 5).
_LARGEST_HARD_LIMIT: Final = 8191

#: Activations whose results are at most 1.
_BOUNDED: Final = (
    ActivationKind.TANH,
    ActivationKind.SIGMOID,
    ActivationKind.HARD_SIGMOID,
    ActivationKind.SOFTSIGN,
)

_OVER_AXIS: Final = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def lower_recurrent(builder: Builder, layer: Recurrent, plan: RecurrentPlan | None) -> None:
    """One op.  Raises UnsupportedLayer for softmax as a gate's activation."""
    inputs: list[str | None] = [layer.input, layer.mask, layer.initial_h]
    outputs: list[str | None] = [layer.output, layer.state_h]
    if isinstance(layer, Lstm):
        inputs.append(layer.initial_c)
        outputs.append(layer.state_c)
    kind = _kind(layer, is_integer=plan is not None)
    if plan is None:
        arguments = _float_arguments(builder, layer)
    else:
        arguments = _integer_arguments(builder, layer, plan)
    builder.op(kind, layer.name, inputs, outputs, arguments)


def _kind(layer: Recurrent, *, is_integer: bool) -> OpKind:
    match layer:
        case Gru():
            return OpKind.QGRU if is_integer else OpKind.GRU
        case Lstm():
            return OpKind.QLSTM if is_integer else OpKind.LSTM
        case SimpleRnn():
            return OpKind.QRNN if is_integer else OpKind.RNN
        case _:
            assert_never(layer)


def _flags(layer: Recurrent) -> int:
    flags = RnnFlag(0)
    if layer.return_sequences:
        flags |= RnnFlag.SEQUENCES
    if layer.go_backwards:
        flags |= RnnFlag.BACKWARDS
    if layer.zero_output_for_mask:
        flags |= RnnFlag.ZERO_MASKED
    return int(flags)


def _resets_before(layer: Recurrent) -> bool:
    return isinstance(layer, Gru) and not layer.reset_after


def states_are_bounded(layer: Recurrent) -> bool:
    """Whether states of float gates, at most 1, are multiplied as bytes of a fixed scale."""
    return layer.activation.kind in _BOUNDED


def _float_arguments(builder: Builder, layer: Recurrent) -> list[int | float]:
    on_gates = layer.activation if isinstance(layer, SimpleRnn) else layer.recurrent_activation
    if layer.activation.kind in _OVER_AXIS or on_gates.kind in _OVER_AXIS:
        raise refused(layer.name, type(layer).__name__, "has softmax as an activation of its gates")
    gates = len(layer.GATES)
    candidate = NONE
    in_integers = not builder.stays_in_float(layer)
    is_bounded = in_integers and states_are_bounded(layer)
    if _resets_before(layer):
        gates_kernel, candidate_kernel = _columns_split(layer.recurrent_kernel, 2 * layer.units)
        recurrent = builder.matrix(gates_kernel, gates=2, in_integers=is_bounded)
        candidate = builder.matrix(candidate_kernel, in_integers=is_bounded)
    else:
        recurrent = builder.matrix(layer.recurrent_kernel, gates=gates, in_integers=is_bounded)
    recurrent_bias = layer.recurrent_bias if isinstance(layer, Gru) else None
    return [
        builder.matrix(layer.kernel, gates=gates, in_integers=in_integers),
        recurrent,
        candidate,
        builder.optional(_bias(layer.bias, gates)),
        builder.optional(_bias(recurrent_bias, gates)),
        *activation_arguments(layer.activation),
        *activation_arguments(on_gates),
        _flags(layer),
    ]


def _bias(bias: Weight | None, gates: int) -> Constant | None:
    return None if bias is None else packing.vector(packing.by_tile(as_float32(bias), gates))


def _columns_split(weight: Weight, column: int) -> tuple[Weight, Weight]:
    if not isinstance(weight, QTensor):
        return weight[:, :column], weight[:, column:]
    parts = []
    for columns in (slice(column), slice(column, None)):
        scale = weight.scale[columns] if weight.axis == 1 else weight.scale
        parts.append(replace(weight, values=weight.values[:, columns], scale=scale))
    return parts[0], parts[1]


def _integer_arguments(
    builder: Builder, layer: Recurrent, plan: RecurrentPlan
) -> list[int | float]:
    gates = len(layer.GATES)
    candidate = NONE
    if _resets_before(layer):
        gate_part = packing.product_columns(plan.recurrent, slice(2 * layer.units))
        candidate_part = packing.product_columns(plan.recurrent, slice(2 * layer.units, None))
        recurrent = builder.constant(packing.product(gate_part, gates=2))
        candidate = builder.constant(packing.product(candidate_part))
    else:
        recurrent = builder.constant(packing.product(plan.recurrent, gates=gates))
    cell = None if plan.cell_exponent is None else packing.cell(plan.cell_exponent)
    reading = plan.reading
    builder.multiplies_bytes(layer.name, plan.input, reading.bits)
    builder.multiplies_bytes(layer.name, plan.recurrent, plan.state_bits)
    return [
        builder.constant(packing.product(plan.input, gates=gates)),
        recurrent,
        candidate,
        builder.optional(cell),
        reading.bits,
        float(reading.reciprocal),
        reading.limit,
        int(reading.from_state),
        plan.state_bits,
        *_hard_sigmoid(layer, plan),
        _flags(layer),
    ]


def _hard_sigmoid(layer: Recurrent, plan: RecurrentPlan) -> tuple[int, int]:
    """L and m of hard(p), zeros for sigmoid."""
    alpha = plan.hard_sigmoid
    if alpha is None:
        return 0, 0
    limit, factor = int(np.floor(1024 / alpha + 0.5)), int(np.rint(131072 * alpha))
    if limit > _LARGEST_HARD_LIMIT:
        raise refused(layer.name, type(layer).__name__, f"has a hard_sigmoid of slope {alpha}")
    return limit, factor
