"""Inputs and outputs of the model as tensors: float32, or integers with scales in the file."""

from __future__ import annotations

from edgernn.errors import UnsupportedLayer
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.builder import Quantization, Tensor
from edgernn.export.tflite.edges import TYPE_OF, Lowering
from edgernn.export.tflite.options import Io
from edgernn.export.tflite.precision import quantization_of
from edgernn.export.tflite.schema import TensorType
from edgernn.graph import ActivationKind, DType, Recurrent, producer

_SHIFT = 128  # uint8 = int8 + 128
_TYPES = {Io.INT8: TensorType.INT8, Io.UINT8: TensorType.UINT8}


def add_inputs(low: Lowering) -> dict[str, Tensor]:
    """The tensors that an app fills, by name."""
    states, inputs = _states(low), {}
    for entry in low.graph.inputs:
        shape, name = low.shape(entry.name), entry.name
        is_number = entry.spec.dtype is DType.FLOAT32 and name not in states
        if not (is_number and _is_integer(low)):
            inputs[name] = low.main.input(shape, TYPE_OF[entry.spec.dtype], name=name)
            low.tensors[name] = inputs[name]
            continue
        found = quantization_of(low, name)
        if found is None:
            raise _unknown(low, name, "input")
        stored = _as_stored(low, found)
        type_ = _TYPES[low.options.io]
        inputs[name] = low.main.input(shape, type_, quantization=stored, name=name)
        read = inputs[name]
        if type_ is TensorType.UINT8:
            read = ops.quantize(low.main, read, found)
        low.tensors[name] = read
    return inputs


def as_outputs(low: Lowering) -> dict[str, Tensor]:
    """One tensor for each output, none of them an input, a constant or another output."""
    outputs: dict[str, Tensor] = {}
    fed_back = {state.output for state in low.graph.states}
    for output in low.graph.outputs:
        is_number = low.graph.specs[output.edge].dtype is DType.FLOAT32
        if is_number and _is_integer(low) and output.name not in fed_back:
            tensor = _integers(low, output.edge)
        else:
            tensor = low.tensors[output.edge]
        if tensor in low.main.inputs or tensor in outputs.values() or tensor.buffer:
            tensor = ops.strided_slice(low.main, tensor, axis=0)
        outputs[output.name] = tensor
    low.main.outputs.extend(outputs.values())
    return outputs


def _integers(low: Lowering, edge: str) -> Tensor:
    """The edge in the type that the app reads."""
    found = low.tensors.quantization(edge) or _of_output(low, edge)
    if found is None:
        raise _unknown(low, edge, "output")
    tensor = low.tensors.int8(edge, found)
    if low.options.io is Io.INT8:
        return tensor
    return ops.quantize(low.main, tensor, _as_stored(low, found), TensorType.UINT8)


def _of_output(low: Lowering, edge: str) -> Quantization | None:
    """Of probabilities all of them, whatever calibration has seen."""
    writer = producer(low.graph, edge)
    activation = None if isinstance(writer, Recurrent) else getattr(writer, "activation", None)
    if activation is not None:
        if activation.kind in (ActivationKind.SOFTMAX, ActivationKind.SIGMOID):
            return quant.PROBABILITY
        if activation.kind is ActivationKind.TANH:
            return quant.STATE
    return quantization_of(low, edge)


def _as_stored(low: Lowering, int8: Quantization) -> Quantization:
    """The same numbers in the type of the app."""
    shift = _SHIFT if low.options.io is Io.UINT8 else 0
    return Quantization(scale=int8.scale, zero_point=int8.zero_point + shift)


def _is_integer(low: Lowering) -> bool:
    """A float model has no ranges: its inputs and outputs stay as they are."""
    return low.options.io is not Io.FLOAT32 and low.graph.quantization is not None


def _states(low: Lowering) -> set[str]:
    """Edges that hold a state, which stays exact."""
    recurrent = [layer for layer in low.graph.layers if isinstance(layer, Recurrent)]
    initial = {edge for layer in recurrent for edge in layer.reads[1:]}
    return initial | {state.input for state in low.graph.states}


def _unknown(low: Lowering, edge: str, what: str) -> UnsupportedLayer:
    return UnsupportedLayer(
        layer=edge,
        kind=what,
        where=low.graph.name,
        reason=f"has no known range, which --io {low.options.io.value} needs",
        remedy="Leave --io out, or calibrate the model with data for all inputs",
    )
