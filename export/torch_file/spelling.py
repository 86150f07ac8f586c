"""Collects a program's operators in the spelling of ONNX, which the core of the readers knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx

from edgernn.export.onnx_file.values import Array
from edgernn.export.torch_file.program import Call, Program, Ref, Size

OPSET: Final = 20


class Spelling:
    """Operators of ONNX under construction, beside the program that they come from."""

    def __init__(self, program: Program, arrays: Mapping[str, Array]) -> None:
        self.program = program
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, Array] = {
            name: arrays[stored] for name, stored in program.stored.items() if stored in arrays
        }
        #: The shape of each value that is one number everywhere.
        self.filled: dict[str, str] = {}
        self._made = 0

    def sizes(self, name: str) -> tuple[Size, ...]:
        return self.program.sizes.get(name, ())

    def rank(self, value: Ref) -> int:
        if value.name in self.arrays:
            return self.arrays[value.name].ndim
        return len(self.sizes(value.name))

    def array(self, call: Call, value: Any, what: str) -> Array:
        """A parameter of the model.  Raises UnsupportedLayer where the model computes it."""
        if isinstance(value, Ref) and value.name in self.arrays:
            return self.arrays[value.name]
        raise call.unsupported(
            f"has {what} that the model computes", "Make it a parameter of the model"
        )

    def fresh(self) -> str:
        self._made += 1
        return f"~{self._made}"  # no name of Python

    def constant(self, value: Any, dtype: Any = None) -> str:
        name = self.fresh()
        self.arrays[name] = np.asarray(value, dtype)
        return name

    def emit(
        self, call: Call, kind: str, inputs: Sequence[str], output: str | None = None,
        *, outputs: Sequence[str] = (), **attributes: Any,
    ) -> str:  # fmt: skip
        """Adds an operator; returns the name of its first result."""
        names = list(outputs) or [output or self.fresh()]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = onnx.helper.make_node(kind, list(inputs), names, **attributes)
        path = call.module.replace(".", "/")
        node.name = f"/{path}/{kind}" if path else call.outputs[0] if call.outputs else ""
        node.doc_string = f"{call.target} {call.label}"
        self.nodes.append(node)
        return names[0]

    def dims(self, call: Call, entries: Sequence[Any]) -> str:
        """The name of a shape: numbers, and sizes that the program computes."""
        if all(isinstance(entry, int) for entry in entries):
            return self.constant(list(entries), np.int64)
        parts = [
            entry.name if isinstance(entry, Ref) else self.constant([entry], np.int64)
            for entry in entries
        ]
        return self.emit(call, "Concat", parts, axis=0)

    def sizes_like(self, call: Call, result: str, source: Ref) -> str:
        """The shape of `result`, its free sizes taken from the axes of `source` that have them."""
        given = self.sizes(source.name)
        entries: list[Any] = []
        for size in self.sizes(result):
            if isinstance(size, str) and size in given:
                at = given.index(size)
                shape = self.emit(call, "Shape", [source.name], start=at, end=at + 1)
                entries.append(Ref(shape))
            else:
                entries.append(size if isinstance(size, int) else -1)
        return self.dims(call, entries)
