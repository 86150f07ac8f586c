"""LSTM as TFLite's own operator, in integers throughout: for NPUs and microcontrollers.

The operator fixes what may vary elsewhere: batch 1, one scale a weight matrix, gates in Q3.12, the
cell in int16 with a power-of-two scale.  Its states are variables of the interpreter and live on
from call to call: a program resets them before each sequence (`reset_all_variables`).
"""

from __future__ import annotations

from math import ceil, log2
from typing import Final

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite import schema
from edgernn.export.tflite.arithmetic import cell_ranges, plan_of, quantization_of
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.int8_product import bias_constant
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.schema import Op, TensorType
from edgernn.export.tflite.values import Lowering
from edgernn.export.tflite.weights import Matrix, columns_of, matrix
from edgernn.graph import Layer, Lstm, as_float32, consumers

#: The operator's own order of gates: input, forget, cell, output.
_GATES: Final = "ifco"

#: The cell's range without calibration, and the room beyond what calibration saw.
_UNKNOWN_CELL: Final = 64.0
_CELL_MARGIN: Final = 1.25


def is_fused(low: Lowering, layer: Layer) -> bool:
    """Whether the layer becomes this operator."""
    wanted = low.options.profile is not Profile.DEFAULT and isinstance(layer, Lstm)
    return wanted and plan_of(low, layer) is not None


def lower_fused_lstm(low: Lowering, layer: Lstm) -> None:
    """Raises UnsupportedLayer for what the operator lacks: masks, outside states, hard sigmoid."""
    _refuse_what_it_lacks(low, layer)
    graph = low.main
    x = low.tensors.int8(layer.input, _input_quantization(low, layer))
    if layer.go_backwards:
        x = ops.reverse(graph, x, axis=1)
    batch, steps, _ = x.shape
    kernels = _matrices(layer, Matrix.of(layer.kernel))
    recurrent_kernels = _matrices(layer, Matrix.of(layer.recurrent_kernel))
    bias = np.zeros(4 * layer.units, np.float32)
    if layer.bias is not None:
        bias = as_float32(layer.bias)
    biases = [
        bias_constant(graph, x, kernel, bias[columns_of(layer.GATES, gate, layer.units)])
        for gate, kernel in zip(_GATES, kernels, strict=True)
    ]
    h = graph.tensor((batch, layer.units), TensorType.INT8, quantization=quant.STATE, variable=True)
    c = graph.tensor(
        (batch, layer.units),
        TensorType.INT16,
        quantization=_cell_quantization(low, layer),
        variable=True,
    )
    output = graph.tensor((batch, steps, layer.units), TensorType.INT8, quantization=quant.STATE)
    no_peepholes, no_projection, no_norm = [None] * 3, [None] * 2, [None] * 4
    graph.add(
        Op.UNIDIRECTIONAL_SEQUENCE_LSTM,
        [
            x,
            *(matrix(graph, kernel) for kernel in kernels),
            *(matrix(graph, kernel) for kernel in recurrent_kernels),
            *no_peepholes,
            *biases,
            *no_projection,
            h,
            c,
            *no_norm,
        ],
        [output],
        options=schema.unidirectional_sequence_lstm(time_major=False),
        intermediates=[
            *(graph.tensor((0,), TensorType.FLOAT32) for _ in _GATES),
            graph.tensor((0,), TensorType.INT8, quantization=quant.STATE),
        ],
    )
    low.tensors[layer.state_h] = ops.strided_slice(
        graph, output, axis=1, start=-1, squeeze_axis=True
    )
    low.tensors[layer.output] = (
        output if layer.return_sequences else low.tensors.stored(layer.state_h)
    )


def _matrices(layer: Lstm, kernel: Matrix) -> list[Matrix]:
    return [
        kernel.rows(columns_of(layer.GATES, gate, layer.units)).with_one_scale() for gate in _GATES
    ]


def _input_quantization(low: Lowering, layer: Lstm) -> Quantization:
    found = quantization_of(low, layer.input)
    if found is None:
        raise AssertionError("a layer with an integer plan has a calibrated input")
    return found


def _cell_quantization(low: Lowering, layer: Lstm) -> Quantization:
    ranges = cell_ranges(low, layer)
    largest = _CELL_MARGIN * ranges["c"].magnitude if "c" in ranges else _UNKNOWN_CELL
    exponent = max(0, ceil(log2(max(largest, 1.0))))
    return Quantization.per_tensor(2.0 ** (exponent - 15))


def _refuse_what_it_lacks(low: Lowering, layer: Lstm) -> None:
    read = {output.edge for output in low.graph.outputs}
    lacking = {
        "has a mask": layer.mask is not None,
        "starts from a given state": layer.initial_h is not None or layer.initial_c is not None,
        "hands out its cell": layer.state_c in read or bool(consumers(low.graph, layer.state_c)),
        "uses a hard sigmoid": layer.recurrent_activation.kind.value != "sigmoid",
        "has a batch of more than 1": low.shape(layer.input)[0] != 1,
    }
    for reason, found in lacking.items():
        if found:
            raise low.refuse(
                layer,
                f"{reason}, which TFLite's integer LSTM operator cannot do",
                "Use the TFLite profile 'default', or a GRU",
            )
