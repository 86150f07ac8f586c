"""The rounding of activations that ONNX Runtime does in an int8 file, in numpy, layer by layer.

Only products of integers round: those of LSTM, of wide GRU and of large Dense layers.  Each draws
its scale from the numbers that it meets; other layers compute in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgernn.export.backend import Arithmetic
from edgernn.export.onnx.builder import Builder
from edgernn.export.onnx.dense import is_integer
from edgernn.export.onnx.edges import Edges
from edgernn.export.onnx.integer_gru import gru_form
from edgernn.export.onnx.integer_product import BOUNDED_ACTIVATIONS, is_bounded
from edgernn.export.onnx.options import GruForm, LstmForm, Options, Profile
from edgernn.export.onnx.options import options as options_named
from edgernn.export.onnx.qdq import Grid, Pairs
from edgernn.export.simulation import on_grid, unrolled
from edgernn.graph import (
    AnyArray,
    Dense,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Lstm,
    QTensor,
    Recurrent,
    RecurrentPlan,
    as_float32,
    with_weights,
)
from edgernn.reference import apply, integer
from edgernn.reference.recurrent import Read, step_function

#: What a Scan reads h with.
_STATE_UNIT: Final = 1 / 128


def arithmetic(**chosen: str) -> Arithmetic:
    """By the options of `lower`.  The NPU of the profile qnn has 8 or 16 bits in a whole file.

    A float32 LSTM takes up to 4 times as long as one of integers, so only loud ones become float.
    """
    by_name = {"gru": "auto", "lstm": "auto", "dense": "auto", "profile": "default", **chosen}
    options = options_named(**by_name)

    def simulated(
        graph: Graph, layer: Layer, values: Mapping[str, AnyArray]
    ) -> tuple[AnyArray, ...]:
        return _simulated(
            Edges(Builder(reserved=frozenset()), graph, options), options, layer, values
        )

    is_qnn = options.profile is Profile.QNN
    return Arithmetic(
        simulate=simulated,
        quiet=3e-4,
        has_sixteen=is_qnn,
        coarse_by="the profile qnn" if is_qnn else "",
    )


def _simulated(
    edges: Edges, options: Options, layer: Layer, values: Mapping[str, AnyArray]
) -> tuple[AnyArray, ...]:
    plan = edges.graph.quantization.plans.get(layer.name) if edges.graph.quantization else None
    if edges.pairs is not None:
        return apply(layer, values) if plan is None else _paired(edges.pairs, layer, values)
    if options.gru is GruForm.CUSTOMOP and isinstance(plan, RecurrentPlan):
        return integer.apply(layer, plan, values)
    match layer:
        case Lstm(kernel=QTensor()) if (
            options.lstm is LstmForm.AUTO and layer.activation.kind in BOUNDED_ACTIVATIONS
        ):
            read = _on_own_grid(values[layer.input], axes=(1, 2))
            return _recurrent(layer, {**values, layer.input: read}, _row_on_own_grid)
        case Gru(kernel=QTensor()) if gru_form(layer, edges).is_integer:
            x = _read(edges, layer.input, values)
            return _recurrent(layer, {**values, layer.input: x}, _state_on_grid)
        case Dense(kernel=QTensor()) if is_integer(layer, edges):
            return apply(layer, {**values, layer.input: _read(edges, layer.input, values)})
        case _:
            return apply(layer, values)


def _paired(pairs: Pairs, layer: Layer, values: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
    """Between quantize/dequantize pairs, with one scale for each matrix."""
    source, weight_bits = layer.reads[0], pairs.weight_bits(layer)
    read = {**values, source: _as_paired(values[source], pairs.grid(source))}
    coarse = {
        name: _as_paired(
            as_float32(weight), Grid.covering(*_ends(as_float32(weight)), bits=weight_bits)
        )
        for name, weight in layer.weights.items()
        if weight.shape and isinstance(weight, QTensor)
    }
    written = apply(with_weights(layer, coarse), read)
    edges = layer.writes
    return tuple(
        _as_paired(value, pairs.grid(edge)) for edge, value in zip(edges, written, strict=True)
    )


def _ends(weight: AnyArray) -> tuple[float, float]:
    return float(weight.min(initial=0)), float(weight.max(initial=0))


def _as_paired(x: AnyArray, grid: Grid | None) -> AnyArray:
    if grid is None:
        return x
    return on_grid(x, grid.scale, grid.zero_point, ends=(0, grid.largest))


def _read(edges: Edges, edge: str, values: Mapping[str, AnyArray]) -> FloatArray:
    """An input without bound is read with 16 bits in all, which round next to nothing."""
    x: FloatArray = values[edge]
    return _on_own_grid(x, axes=tuple(range(1, x.ndim))) if is_bounded(edge, edges.graph) else x


def _on_own_grid(x: AnyArray, *, axes: tuple[int, ...]) -> FloatArray:
    """Unsigned bytes from the smallest to the largest number of a row, 0 among them."""
    low = np.minimum(x.min(axis=axes, keepdims=True), 0)
    high = np.maximum(x.max(axis=axes, keepdims=True), 0)
    scale = (high - low) / 255
    scale[scale == 0] = 1
    return on_grid(x, scale, np.rint(-low / scale), ends=(0, 255))


def _recurrent(
    layer: Recurrent, values: Mapping[str, AnyArray], read: Read
) -> tuple[AnyArray, ...]:
    projected = (values[layer.input] @ as_float32(layer.kernel)).transpose(1, 0, 2)
    if layer.bias is not None:
        projected = projected + as_float32(layer.bias)
    return unrolled(layer, projected, values, step_function(layer, read))


def _row_on_own_grid(h: AnyArray) -> FloatArray:
    return _on_own_grid(h, axes=(1,))


def _state_on_grid(h: AnyArray) -> FloatArray:
    return on_grid(h, _STATE_UNIT, ends=(-128, 127))
