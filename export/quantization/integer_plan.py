"""Chooses the integer parameters of a layer: docs/integer-arithmetic.md, section 9.

All is computed in float64.  The results are integers and float32 numbers, which all formats store
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.grid import INT8_GRID, Grid
from edgernn.export.quantization.int8_weights import Float64Array, as_qtensor
from edgernn.export.quantization.integer_matrix import (
    MARGIN,
    NARROW,
    STATE_UNIT,
    WIDE,
    FittedMatrix,
    NoIntegerForm,
    fits_eight_bits,
    state_reading,
)
from edgernn.export.quantization.rounding import Part, input_parts, linear_parts, state_parts
from edgernn.export.quantization.trained_matrix import byte_scales, trained_matrix
from edgernn.graph import (
    Accumulation,
    ActivationKind,
    Conv1D,
    Conv2D,
    Dense,
    FloatArray,
    Gru,
    LinearPlan,
    Lstm,
    Moments,
    Product,
    Range,
    Reading,
    Recurrent,
    RecurrentPlan,
    Weight,
    WeightGrid,
    as_float32,
)

_UNTRAINED: Final[Mapping[str, WeightGrid]] = MappingProxyType({})

_LEAST_EXPONENT: Final = 3
_MOST_EXPONENT: Final = 12

#: Beyond these the integer sigmoid and tanh are constant.
_SIGMOID_END: Final = 12.0
_TANH_END: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """A plan, and the weights that it changes, in the layer's own layout and signs."""

    plan: RecurrentPlan | LinearPlan
    weights: Mapping[str, Weight]


def recurrent_plan(
    layer: Recurrent,
    reading: Reading,
    cell: Mapping[str, Range],
    *,
    state_bits: int,
    initial_state: Range | None = None,
    initial_cell: Range | None = None,
    seen: Moments | None = None,
    candidate: Moments | None = None,
    grid: Grid = INT8_GRID,
    trained: Mapping[str, WeightGrid] = _UNTRAINED,
) -> Planned:
    """`cell` has the ranges inside the layer; the others are the ranges of its initial h and c.

    Without ranges, all values are assumed to be small; without moments (`seen`), weights are
    rounded to nearest.  `trained` has grids that kernels keep, by name.

    Raises NoIntegerForm for activations or magnitudes that the integer arithmetic lacks.
    """
    hard = _hard_sigmoid(layer)
    if initial_state is not None and initial_state.channel_magnitude.max(initial=0.0) > 1:
        raise NoIntegerForm(
            f"it starts from a state of up to {initial_state.channel_magnitude.max():.2g}, "
            "beyond 1, the limit of its own states"
        )
    signs = _gate_signs(layer)
    input_bias, recurrent_bias, moved = _biases(layer)
    kernel, recurrent_kernel = as_float32(layer.kernel), as_float32(layer.recurrent_kernel)
    held = trained.get("recurrent_kernel")
    if state_bits == NARROW and not fits_eight_bits(
        *(recurrent_kernel, STATE_UNIT, grid), trained=byte_scales(held, grid)
    ):
        state_bits = WIDE
    read = _fitted(
        kernel,
        input_bias,
        reading,
        seen=_part(layer, cell, "x", moved),
        parts=input_parts(layer, seen, candidate),
        grid=grid,
        trained=trained.get("kernel"),
    )
    if len(read.made.rest) and held is None:  # what h can make up for of the errors in x
        recurrent_kernel = (recurrent_kernel + read.made.rest).astype(np.float32)
    fed = _fitted(
        recurrent_kernel,
        recurrent_bias,
        state_reading(state_bits),
        seen=_part(layer, cell, "h", -moved),
        parts=state_parts(layer, seen, candidate),
        grid=grid,
        trained=held,
    )
    return Planned(
        plan=RecurrentPlan(
            reading=read.reading,
            input=read.product(signs),
            recurrent=fed.product(signs),
            state_bits=state_bits,
            hard_sigmoid=hard,
            cell_exponent=_cell_exponents(layer, [cell.get("c"), initial_cell]),
        ),
        weights={
            "kernel": as_qtensor(kernel, read.weights, read.scales, read.grid.bits),
            "recurrent_kernel": as_qtensor(
                recurrent_kernel, fed.weights, fed.scales, fed.grid.bits
            ),
            **_moved_biases(layer, read.made.bias, fed.made.bias),
        },
    )


def linear_plan(
    layer: Dense | Conv1D | Conv2D,
    reading: Reading,
    seen: Moments | None = None,
    grid: Grid = INT8_GRID,
    trained: WeightGrid | None = None,
) -> Planned:
    """Without moments (`seen`), weights are rounded to nearest; `trained` is a grid that they keep.

    Raises NoIntegerForm for magnitudes that the integer arithmetic lacks.
    """
    kernel = as_float32(layer.kernel)
    matrix = kernel.reshape(-1, kernel.shape[-1])
    bias = np.zeros(matrix.shape[1])
    if layer.bias is not None:
        bias = as_float32(layer.bias).astype(np.float64)
    ends = {ActivationKind.SIGMOID: _SIGMOID_END, ActivationKind.TANH: _TANH_END}
    end = ends.get(layer.activation.kind)
    parts = linear_parts(layer, seen)
    # Sigmoid and tanh are constant beyond their ends, so saturation there is exact for any range.
    seen_sums = None if end is None else np.full(bias.shape, end / MARGIN)
    fitted = _fitted(matrix, bias, reading, seen=seen_sums, parts=parts, grid=grid, trained=trained)
    product: Product | Accumulation = (
        fitted.accumulation() if end is None else fitted.product(np.ones(bias.shape))
    )
    return Planned(
        plan=LinearPlan(reading=fitted.reading, product=product),
        weights={
            "kernel": as_qtensor(kernel, fitted.weights, fitted.scales, fitted.grid.bits),
            **_moved("bias", layer.bias, fitted.made.bias),
        },
    )


def _fitted(
    matrix: FloatArray,
    bias: Float64Array,
    reading: Reading,
    *,
    seen: Float64Array | None,
    parts: Sequence[Part],
    grid: Grid,
    trained: WeightGrid | None,
) -> FittedMatrix:
    """On the grid of its training, where it has one that the scheme can hold."""
    if trained is not None:
        fitted = trained_matrix(matrix, bias, reading, trained, seen=seen, grid=grid)
        if fitted is not None:
            return fitted
    return FittedMatrix.make(matrix, bias, reading, seen=seen, parts=parts, grid=grid)


def _moved_biases(layer: Recurrent, x: Float64Array, h: Float64Array) -> dict[str, Weight]:
    """The biases after the roundings of both kernels."""
    if isinstance(layer, Gru) and layer.reset_after:
        return {
            **_moved("bias", layer.bias, x),
            **_moved("recurrent_bias", layer.recurrent_bias, h),
        }
    return _moved("bias", layer.bias, x + h)


def _moved(name: str, bias: Weight | None, change: Float64Array) -> dict[str, Weight]:
    """Nothing where nothing changed: layers go on sharing the array."""
    if not change.any():
        return {}
    given = np.zeros(change.shape) if bias is None else as_float32(bias)
    return {name: (given + change).astype(np.float32)}


def _hard_sigmoid(layer: Recurrent) -> float | None:
    """alpha of a hard sigmoid, None for a sigmoid (or no gates at all)."""
    if layer.activation.kind is not ActivationKind.TANH:
        raise NoIntegerForm(f"its activation is {layer.activation.kind.value}, not tanh")
    if not isinstance(layer, Gru | Lstm):
        return None
    gate = layer.recurrent_activation
    if gate.kind is ActivationKind.SIGMOID:
        return None
    if (
        gate.kind is ActivationKind.HARD_SIGMOID
        and gate.beta == 0.5
        and 1 / 8 <= gate.alpha < 1 / 4
    ):
        return gate.alpha
    raise NoIntegerForm(f"its recurrent activation is {gate.kind.value}")


def _gate_signs(layer: Recurrent) -> Float64Array:
    """-1 for the columns of z (Gru) and f (Lstm), which are stored negated."""
    negated = {"z"} if isinstance(layer, Gru) else {"f"}
    return np.repeat([-1.0 if gate in negated else 1.0 for gate in layer.GATES], layer.units)


def _biases(layer: Recurrent) -> tuple[Float64Array, Float64Array, Float64Array]:
    """(input bias, recurrent bias, the part moved from the second to the first)."""
    size = len(layer.GATES) * layer.units
    given = np.zeros(size) if layer.bias is None else as_float32(layer.bias).astype(np.float64)
    recurrent, moved = np.zeros(size), np.zeros(size)
    if isinstance(layer, Gru) and layer.recurrent_bias is not None:
        recurrent = as_float32(layer.recurrent_bias).astype(np.float64)
        moved[: 2 * layer.units] = recurrent[: 2 * layer.units]
    return given + moved, recurrent - moved, moved


def _part(
    layer: Recurrent, cell: Mapping[str, Range], side: str, shift: Float64Array
) -> Float64Array:
    """The largest |pre-activation part| seen in each column, after biases have been moved."""
    low, high = (
        np.concatenate(
            [
                getattr(cell[f"{side}.{gate}"], end).astype(np.float64)
                if f"{side}.{gate}" in cell
                else np.zeros(layer.units)
                for gate in layer.GATES
            ]
        )
        for end in ("channel_low", "channel_high")
    )
    return np.maximum(np.abs(low + shift), np.abs(high + shift))


def _cell_exponents(layer: Recurrent, seen: Iterable[Range | None]) -> npt.NDArray[np.int8] | None:
    if not isinstance(layer, Lstm):
        return None
    largest = np.zeros(layer.units)
    for entry in seen:
        if entry is not None:
            largest = np.maximum(largest, entry.channel_magnitude)
    needed = np.ceil(np.log2(np.maximum(MARGIN * largest, 1.0)))
    return np.clip(needed, _LEAST_EXPONENT, _MOST_EXPONENT).astype(np.int8)
