"""LSTM as TFLite's own operator, in integers throughout: for NPUs and microcontrollers.

The operator requires batch 1, one scale for each weight matrix, gates in Q3.12 and the cell in
int16 with a power-of-two scale.  Its states are variables of the interpreter and are kept from call
to call: a program resets them before each sequence (`reset_all_variables`).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.int8_product import bias_constant
from edgernn.export.tflite.precision import cell_quantization, plan_of, quantization_of
from edgernn.export.tflite.schema import Op, TensorType
from edgernn.export.tflite.shaping import reversed_steps
from edgernn.export.tflite.weights import Matrix, columns_of, matrix
from edgernn.graph import ActivationKind, Layer, Lstm, as_float32, consumers

#: The operator's own order of gates: input, forget, cell, output.
_GATES: Final = "ifco"


def is_fused(low: Lowering, layer: Layer) -> bool:
    """Whether the layer becomes this operator; others become a loop with an int16 cell."""
    if not isinstance(layer, Lstm) or not low.integers_only or plan_of(low, layer) is None:
        return False
    return _is_expressible(low, layer)


def lower_fused_lstm(low: Lowering, layer: Lstm) -> None:
    graph = low.main
    x = low.tensors.int8(layer.input, _input_quantization(low, layer))
    if layer.go_backwards:
        x = reversed_steps(low, x)
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
        quantization=cell_quantization(low, layer),
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


def _is_expressible(low: Lowering, layer: Lstm) -> bool:
    """The operator supports no masks, no initial states, no hard sigmoid and only one sequence."""
    read = {output.edge for output in low.graph.outputs}
    hands_out_cell = layer.state_c in read or bool(consumers(low.graph, layer.state_c))
    return (
        layer.mask is None
        and layer.initial_h is None
        and layer.initial_c is None
        and not hands_out_cell
        and layer.recurrent_activation.kind is ActivationKind.SIGMOID
        and low.graph.specs[layer.input].shape[0] == 1
    )
