"""The inputs and outputs of an ONNX or TFLite file, read from the file.

A target without Python cannot report the names of a TFLite signature and its free axes: the C
interface of common versions does not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgernn.devices.runners.payload.sessions import Tensor
from edgernn.errors import DeviceError
from edgernn.interrupts import uninterrupted

#: Number of an element type -> numpy's name, for the types in edgernn-library-run (engine.h).
_ONNX_DTYPES: Final = {
    1: "float32",
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
_TFLITE_DTYPES: Final = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
#: The exceptions of the generated accessors if an offset points outside the file.
_OUT_OF_BOUNDS = (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilePorts:
    """Inputs and outputs in the order of the file; runtimes number them in the same order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def file_ports(path: Path, backend: str) -> FilePorts:
    """Raises DeviceError if the file is not a model of this format."""
    return _onnx_ports(path) if backend == "onnx" else _tflite_ports(path)


def _onnx_ports(path: Path) -> FilePorts:
    with uninterrupted():  # Ctrl-C in the import of its C++ code would end the process
        import onnx
        from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError as error:
        raise DeviceError(f"{path.name} is no ONNX model: {error}") from error
    if not graph.output:
        raise DeviceError(f"{path.name} is no ONNX model: it has no outputs")
    constants = {tensor.name for tensor in graph.initializer}

    def tensor(entry: Any) -> Tensor:
        if not entry.type.HasField("tensor_type"):
            raise DeviceError(f"{path.name}: '{entry.name}' is no tensor")
        kind = entry.type.tensor_type
        shape = [axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim]
        return Tensor(entry.name, shape, _dtype(_ONNX_DTYPES, kind.elem_type, entry.name))

    return FilePorts(
        inputs=tuple(tensor(entry) for entry in graph.input if entry.name not in constants),
        outputs=tuple(map(tensor, graph.output)),
    )


def _tflite_ports(path: Path) -> FilePorts:
    from tflite.Model import Model

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise DeviceError(f"{path.name} is no TFLite model: the identifier TFL3 is missing")
    try:
        model = Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        names: dict[int, str] = {}
        if model.SignatureDefsLength() == 1 and model.SignatureDefs(0).SubgraphIndex() == 0:
            names = dict(_signature_names(model.SignatureDefs(0)))
        inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
        outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
        return FilePorts(
            inputs=tuple(_tflite_tensor(graph.Tensors(i), names.get(i)) for i in inputs),
            outputs=tuple(_tflite_tensor(graph.Tensors(i), names.get(i)) for i in outputs),
        )
    except _OUT_OF_BOUNDS as error:
        raise DeviceError(f"{path.name} is damaged: {error}") from error


def _signature_names(signature: Any) -> Iterator[tuple[int, str]]:
    for count, entry in (
        (signature.InputsLength(), signature.Inputs),
        (signature.OutputsLength(), signature.Outputs),
    ):
        for i in range(count):
            yield entry(i).TensorIndex(), entry(i).Name().decode()


def _tflite_tensor(tensor: Any, name: str | None) -> Tensor:
    name = name or (tensor.Name() or b"").decode()
    shape: list[int | None] = [tensor.Shape(i) for i in range(tensor.ShapeLength())]
    for i in range(min(tensor.ShapeSignatureLength(), len(shape))):
        if tensor.ShapeSignature(i) < 0:
            shape[i] = None
    dtype = _dtype(_TFLITE_DTYPES, tensor.Type(), name)
    quantization = tensor.Quantization()
    scale, zero_point = 0.0, 0
    if "int" in dtype and quantization is not None and quantization.ScaleLength() == 1:
        scale, zero_point = float(quantization.Scale(0)), int(quantization.ZeroPoint(0))
    return Tensor(name, shape, dtype, (scale, zero_point))


def _dtype(known: Mapping[int, str], number: int, name: str) -> str:
    if number not in known:
        raise DeviceError(f"'{name}' is of a type that is not supported (number {number})")
    return known[number]
