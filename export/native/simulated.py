"""What an int8 file computes in a layer: the integers of docs/integer-arithmetic.md.

A layer with a plan computes the integers of sections 1 to 9.  One that has int8 weights and no plan
multiplies them with integers whose scale the runtime draws from each row (section 11), unless it
stays in float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgernn.export.native.packing import is_dynamic
from edgernn.export.native.records import INT32_MAX
from edgernn.export.native.recurrent import states_are_bounded
from edgernn.export.simulation import on_grid, unrolled
from edgernn.graph import (
    AnyArray,
    Dense,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Lstm,
    Recurrent,
    SimpleRnn,
    as_float32,
)
from edgernn.reference import apply, integer
from edgernn.reference.recurrent import step_function

_STATE_LIMIT: Final = 127
_STATE_UNIT: Final = np.float32(1 / 128)


def simulated(graph: Graph, layer: Layer, values: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
    """A layer of float weights computes in float."""
    if graph.quantization is not None:
        plan = graph.quantization.plans.get(layer.name)
        if plan is not None:
            return integer.apply(layer, plan, values)
        if layer.name in graph.quantization.in_float:
            return apply(layer, values)
    match layer:
        case Dense() if is_dynamic(layer.kernel):
            return apply(layer, {**values, layer.input: _read(values[layer.input])})
        case SimpleRnn() | Gru() | Lstm() if is_dynamic(layer.kernel):
            return _recurrent(layer, values)
        case _:
            return apply(layer, values)


def _recurrent(layer: Recurrent, values: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
    projected = (_read(values[layer.input]) @ as_float32(layer.kernel)).transpose(1, 0, 2)
    if layer.bias is not None:
        projected = projected + as_float32(layer.bias)
    in_bytes = is_dynamic(layer.recurrent_kernel) and states_are_bounded(layer)
    step = step_function(layer, _state_in_bytes) if in_bytes else step_function(layer)
    return unrolled(layer, projected, values, step)


def _read(x: AnyArray) -> FloatArray:
    """Rows [..., K] with 16 bits, or as few less as keep sums of K products within 32."""
    limit = min(32767, INT32_MAX // 127 // x.shape[-1])
    return _of_row(x, np.abs(x).max(axis=-1, keepdims=True, initial=0) / limit, limit)


def _state_in_bytes(h: AnyArray) -> FloatArray:
    peak = np.abs(h).max(axis=-1, keepdims=True, initial=0)
    return _of_row(h, np.where(peak <= 1, _STATE_UNIT, peak / _STATE_LIMIT), _STATE_LIMIT)


def _of_row(x: AnyArray, scale: AnyArray, limit: int) -> FloatArray:
    return on_grid(x, np.where(scale > 0, scale, np.float32(1)), ends=(-limit, limit))
