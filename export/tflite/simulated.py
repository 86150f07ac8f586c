"""The rounding of activations that an int8 file does, in numpy, a layer at a time.

It says how much noise a layer adds, before a file is written and without LiteRT.  Each tensor that
the file holds in int8 is rounded to the same steps here; single roundings of the kernels differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.backend import Arithmetic
from edgernn.export.simulation import on_grid, unrolled
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.activation import fusable
from edgernn.export.tflite.builder import Model, Quantization
from edgernn.export.tflite.dense import ends_wide, result_quantization
from edgernn.export.tflite.edges import Edges, Lowering, sized
from edgernn.export.tflite.int8_cells import Int8Cell
from edgernn.export.tflite.options import Options, Profile
from edgernn.export.tflite.precision import cell_for, is_wide, quantization_of
from edgernn.export.tflite.wide_cells import WideCell, widened
from edgernn.export.tflite.wide_simulated import recurrent, rounded16
from edgernn.graph import (
    Activation,
    ActivationKind,
    AnyArray,
    Conv1D,
    Conv2D,
    Dense,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Lstm,
    Recurrent,
    SimpleRnn,
    producer,
)
from edgernn.reference import apply
from edgernn.reference.activation import activate
from edgernn.reference.recurrent import Step

_LARGEST: Final = 127


def arithmetic(*, profile: str = "default", **_options: str) -> Arithmetic:
    """Files of integers only have 16 bits in recurrent and dense layers, and nothing finer.

    Float gates take 5 to 21 % more time than int8 gates (GRU and LSTM of 32 to 256 units).
    """
    options = Options(profile=Profile(profile))
    is_mixed = options.profile is Profile.DEFAULT
    return Arithmetic(
        simulate=partial(_simulated, options),
        quiet=1e-5,
        has_sixteen=not is_mixed,
        coarse_by="" if is_mixed else f"the profile {profile}",
    )


def _simulated(
    options: Options, graph: Graph, layer: Layer, values: Mapping[str, AnyArray]
) -> tuple[AnyArray, ...]:
    main = Model().subgraph()
    low = Lowering(
        graph=graph, sized=sized(graph), main=main, tensors=Edges(main=main), options=options
    )
    if isinstance(layer, Recurrent):
        cell = cell_for(low, layer)
        if isinstance(cell, Int8Cell):
            return _recurrent(layer, cell, values)
        if isinstance(cell, WideCell):
            return recurrent(cell, _read_wide(low, layer.input, values, cell.reads), values)
    if isinstance(layer, Dense | Conv1D | Conv2D):
        return (_linear(low, layer, values),)
    return apply(layer, values)


def _linear(
    low: Lowering, layer: Dense | Conv1D | Conv2D, values: Mapping[str, AnyArray]
) -> FloatArray:
    x: FloatArray = values[layer.input]
    to, reads = result_quantization(low, layer), quantization_of(low, layer.input)
    if to is None or reads is None:
        rows = (-1,) if isinstance(layer, Dense) else tuple(range(1, x.ndim))
        (made,) = apply(layer, {**values, layer.input: _by_row(x, rows)})
        return np.asarray(made, np.float32)
    read = {**values, layer.input: _rounded(x, reads)}
    if isinstance(layer, Dense) and is_wide(low, layer):
        read[layer.input] = _read_wide(low, layer.input, values, reads)
        if ends_wide(low, layer):
            return rounded16(apply(layer, read)[0], widened(to))
    if fusable(layer.activation) is not None:
        return _rounded(apply(layer, read)[0], to)
    result = activate(layer.activation, _rounded(apply(_linear_part(layer), read)[0], to))
    match layer.activation.kind:
        case ActivationKind.TANH:
            return _rounded(result, quant.STATE)
        case ActivationKind.SIGMOID:
            return _rounded(result, quant.PROBABILITY)
        case _:
            final = quantization_of(low, layer.output)
            return result if final is None else _rounded(result, final)


def _read_wide(
    low: Lowering, edge: str, values: Mapping[str, AnyArray], reads: Quantization
) -> FloatArray:
    """An int16 layer before it hands int16 on; another one has bytes, which int16 can be."""
    writer = producer(low.graph, edge)
    is_sequence = (
        isinstance(writer, Recurrent) and edge == writer.output and writer.return_sequences
    )
    if (
        isinstance(writer, Recurrent)
        and not is_sequence
        and isinstance(cell_for(low, writer), WideCell)
    ):
        return rounded16(values[edge], quant.WIDE_UNIT)
    return _rounded(values[edge], reads)


def _linear_part(layer: Dense | Conv1D | Conv2D) -> Layer:
    return replace(layer, activation=Activation(kind=ActivationKind.LINEAR))


def _by_row(x: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """8 bits with a scale that the kernel draws from the numbers of each row."""
    scale = np.abs(x).max(axis=axes, keepdims=True) / _LARGEST
    scale[scale == 0] = 1.0
    return on_grid(x, scale, ends=(-_LARGEST, _LARGEST))


def _rounded(x: AnyArray, quantization: Quantization) -> FloatArray:
    """The nearest of the numbers that int8 can be in this quantization."""
    (scale,) = quantization.scale
    return on_grid(x, scale, quantization.zero_point, ends=(-128, 127))


def _recurrent(
    layer: Recurrent, cell: Int8Cell, values: Mapping[str, AnyArray]
) -> tuple[AnyArray, ...]:
    x = _rounded(values[layer.input], cell.reads)
    projected = np.concatenate(
        [_rounded(x @ block.kernel.real().T + block.bias, block.x_part) for block in cell.blocks],
        axis=-1,
    ).transpose(1, 0, 2)
    output, *final = unrolled(layer, projected, values, _step(layer, cell))
    if isinstance(layer, Gru) and not layer.return_sequences:
        return (output, *final)  # its h is kept in float32
    return (_rounded(output, quant.STATE), *final)


def _step(layer: Recurrent, cell: Int8Cell) -> Step:
    first = cell.blocks[0].kernel.values.shape[0]
    matrices = [block.recurrent_kernel.real().T for block in cell.blocks]

    def part(x: AnyArray, at: int) -> AnyArray:
        return x[:, :first] if at == 0 else x[:, first:]

    def fed(at: int, h: FloatArray) -> FloatArray:
        block, product = cell.blocks[at], h @ matrices[at]
        if block.recurrent_bias is not None:
            product = product + block.recurrent_bias
        return _rounded(product, block.h_part)

    def total(x: AnyArray, at: int, h: FloatArray) -> FloatArray:
        return _rounded(part(x, at) + fed(at, h), cell.blocks[at].total)

    def gates(x: AnyArray, h: FloatArray) -> FloatArray:
        argument = total(x, 0, h)
        if cell.hard_sigmoid is not None:
            return argument
        sigmoid = activate(Activation(kind=ActivationKind.SIGMOID), argument)
        return _rounded(sigmoid, quant.PROBABILITY)

    def wide_gates(argument: AnyArray) -> FloatArray:
        if cell.hard_sigmoid is not None:
            return np.asarray(argument, np.float32)
        return activate(Activation(kind=ActivationKind.SIGMOID), argument)

    def candidate(argument: AnyArray) -> FloatArray:
        return _rounded(np.tanh(argument), quant.STATE)

    def gru(
        x: AnyArray, states: Sequence[AnyArray], _observed: bool
    ) -> tuple[tuple[AnyArray, ...], dict[str, FloatArray]]:
        real_h = states[0]
        h = _rounded(real_h, quant.STATE)
        not_z, r = np.split(gates(x, h), 2, axis=1)
        block = cell.blocks[1]
        if isinstance(layer, Gru) and layer.reset_after:
            gated = _rounded(r * fed(1, h), quant.gated(block.h_part))
        else:
            gated = fed(1, _rounded(r * h, quant.gated(quant.STATE)))
        n = candidate(_rounded(part(x, 1) + gated, block.total))
        if cell.difference is None:
            return (real_h + not_z * (n - real_h),), {}
        change = not_z * _rounded(n - h, cell.difference)  # a state of 8 bits
        return (_rounded(h + _rounded(change, quant.gated(cell.difference)), quant.STATE),), {}

    def lstm(
        x: AnyArray, states: Sequence[AnyArray], _observed: bool
    ) -> tuple[tuple[AnyArray, ...], dict[str, FloatArray]]:
        h, c = _rounded(states[0], quant.STATE), states[1]
        if cell.cell is not None:  # 16 bits behind the products
            i, not_f, o = np.split(wide_gates(total(x, 0, h)), 3, axis=1)
            n = np.tanh(total(x, 1, h))
            new_c = rounded16(c + i * n - not_f * c, cell.cell)
            return (_rounded(o * np.tanh(new_c), quant.STATE), new_c), {}
        i, not_f, o = np.split(gates(x, h), 3, axis=1)
        new_c = c + i * candidate(total(x, 1, h)) - not_f * c
        return (_rounded(o * np.tanh(new_c), quant.STATE), new_c), {}

    def simple(
        x: AnyArray, states: Sequence[AnyArray], _observed: bool
    ) -> tuple[tuple[AnyArray, ...], dict[str, FloatArray]]:
        return (candidate(total(x, 0, _rounded(states[0], quant.STATE))),), {}

    match layer:
        case Gru():
            return gru
        case Lstm():
            return lstm
        case SimpleRnn():
            return simple
        case _:
            assert_never(layer)
