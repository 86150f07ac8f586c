"""Reads the contents of a TFLite file."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tflite.BuiltinOperator import BuiltinOperator
from tflite.Model import Model
from tflite.TensorType import TensorType

from edgernn.export.contents import Contents, Damaged, TensorLine

_T = TypeVar("_T")

#: The exceptions of the generated accessors if an offset points outside the file.
_OUT_OF_BOUNDS = (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError)

_OPERATOR_NAMES = {
    code: name for name, code in vars(BuiltinOperator).items() if not name.startswith("_")
}
_TYPE_NAMES: dict[int, str] = {
    code: name.lower() for name, code in vars(TensorType).items() if not name.startswith("_")
}


def read_contents(content: bytes) -> Contents:
    """Signature, operators, weights and metadata of the model in `content`.

    Raises Damaged if it is no TFLite model, or if its offsets point outside the file.
    """
    if content[4:8] != b"TFL3":
        raise Damaged("the identifier TFL3 is missing")
    try:
        return _Reader(content).contents()
    except _OUT_OF_BOUNDS as error:
        raise Damaged(f"an offset points outside the file: {error}") from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = Model.GetRootAs(content, 0)

    def contents(self) -> Contents:
        model = self._model
        codes = [
            max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            for code in self._items(model.OperatorCodesLength(), model.OperatorCodes)
        ]
        operators: Counter[str] = Counter()
        constants: dict[int, Any] = {}  # several tensors may share a buffer: it is counted once
        for graph in self._items(model.SubgraphsLength(), model.Subgraphs):
            for operator in self._items(graph.OperatorsLength(), graph.Operators):
                operators[_OPERATOR_NAMES.get(codes[operator.OpcodeIndex()], "custom")] += 1
            for tensor in self._items(graph.TensorsLength(), graph.Tensors):
                constants[tensor.Buffer()] = tensor
        weight_bytes: Counter[str] = Counter()
        for buffer, tensor in constants.items():
            weight_bytes[_type_name(tensor)] += self._model.Buffers(buffer).DataLength()
        inputs, outputs = self._signature()
        return Contents(
            format=f"TFLite, schema {model.Version()}, {model.SubgraphsLength()} subgraphs",
            bytes=len(self._content),
            inputs=inputs,
            outputs=outputs,
            operators=dict(operators),
            weight_bytes=dict(+weight_bytes),
            metadata=dict(self._metadata()),
        )

    def _items(self, count: int, get: Callable[[int], _T]) -> Iterator[_T]:
        # Each item takes at least four bytes; a larger count is damage and would take hours to
        # read.
        if count * 4 > len(self._content):
            raise Damaged(f"a table claims {count} entries")
        return map(get, range(count))

    def _signature(self) -> tuple[tuple[TensorLine, ...], tuple[TensorLine, ...]]:
        model = self._model
        if model.SignatureDefsLength():
            signature = model.SignatureDefs(0)
            graph = model.Subgraphs(signature.SubgraphIndex())
            inputs = list(self._items(signature.InputsLength(), signature.Inputs))
            outputs = list(self._items(signature.OutputsLength(), signature.Outputs))
            return tuple(
                tuple(_line(entry.Name(), graph.Tensors(entry.TensorIndex())) for entry in side)
                for side in (inputs, outputs)
            )  # type: ignore[return-value]
        graph = model.Subgraphs(0)
        return tuple(
            tuple(_line(graph.Tensors(index).Name(), graph.Tensors(index)) for index in side)
            for side in (
                list(self._items(graph.InputsLength(), graph.Inputs)),
                list(self._items(graph.OutputsLength(), graph.Outputs)),
            )
        )  # type: ignore[return-value]

    def _metadata(self) -> Iterator[tuple[str, str]]:
        model = self._model
        for entry in self._items(model.MetadataLength(), model.Metadata):
            data = model.Buffers(entry.Buffer())
            raw = bytes(data.DataAsNumpy()) if data.DataLength() else b""
            yield entry.Name().decode(errors="replace"), raw.decode(errors="replace").rstrip("\0")


def _line(name: bytes | None, tensor: Any) -> TensorLine:
    shape = [tensor.Shape(axis) for axis in range(min(tensor.ShapeLength(), 16))]
    for axis in range(min(tensor.ShapeSignatureLength(), len(shape))):
        if tensor.ShapeSignature(axis) < 0:
            shape[axis] = "?"
    return TensorLine(
        name=(name or b"").decode(errors="replace"),
        dtype=_type_name(tensor),
        shape=f"[{', '.join(map(str, shape))}]",
    )


def _type_name(tensor: Any) -> str:
    code: int = tensor.Type()
    return _TYPE_NAMES.get(code, f"type {code}")
