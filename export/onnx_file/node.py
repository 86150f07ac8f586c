"""One operator of an ONNX file: its attributes, and the errors that name it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import onnx

from edgernn.errors import ModelFileError, UnsupportedLayer

EXPORT_AGAIN: Final = "Export the model again with torch.onnx.export"
ONNX: Final = "the ONNX graph"

_NUMBERED: Final = re.compile(r"(node_)?_*[A-Za-z]*_?\d+|\d*")


class Node:
    """An operator, read from protobuf once."""

    def __init__(
        self, proto: onnx.NodeProto, *, opset: int, torch: bool, where: str = ONNX,
        again: str = EXPORT_AGAIN,
    ) -> None:  # fmt: skip
        self.kind: str = proto.op_type
        self.domain: str = proto.domain
        self.inputs: tuple[str, ...] = tuple(proto.input)
        self.outputs: tuple[str, ...] = tuple(proto.output)
        self.opset = opset
        self.torch = torch
        self.path: str = proto.name
        self._where, self._again = where, again
        #: What the user's program calls it, where that was another format: (operator, layer).
        self._original: tuple[str, str] = _split(proto.doc_string) if where != ONNX else ("", "")
        self._attributes = {entry.name: entry for entry in proto.attribute}

    @property
    def role(self) -> str:
        """A name for the layer: the module's path where the exporter kept it, else its kind.

        >>> Node(make_node("GRU", ..., name="/encoder/gru/GRU")).role
        'encoder.gru'
        """
        parts = [part for part in self.path.split("/") if part]
        if self.path.startswith("/") and len(parts) > 1:
            # /head/head.1/Gemm: the parent's name is said again in its child's.
            kept = [part for part, inner in pairwise(parts) if not inner.startswith(f"{part}.")]
            return re.sub(r"[^A-Za-z0-9_.]", "_", ".".join(kept)) or self.kind.lower()
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", self.path)
        return self.kind.lower() if _NUMBERED.fullmatch(plain) else plain

    def has(self, name: str) -> bool:
        return name in self._attributes

    def attribute(self, name: str, default: Any = None) -> Any:
        """A number, text or list; `default` where the file does not say."""
        entry = self._attributes.get(name)
        if entry is None:
            return default
        value = onnx.helper.get_attribute_value(entry)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, list) and value and isinstance(value[0], bytes):
            return [item.decode("utf-8", "replace") for item in value]
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise self.damaged(f"has {name}={value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self.attribute(name, default)
        if not isinstance(value, int | float):
            raise self.damaged(f"has {name}={value!r}")
        return float(value)

    def integers(self, name: str, default: Sequence[int]) -> list[int]:
        value = self.attribute(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise self.damaged(f"has {name}={value!r}")
        return value

    def unsupported(self, reason: str, remedy: str) -> UnsupportedLayer:
        """To be raised."""
        kind, layer = self._original
        name = layer or self.path or (self.outputs[0] if self.outputs else "")
        return UnsupportedLayer(
            layer=name, kind=kind or self.kind, where=self._where, reason=reason, remedy=remedy
        )

    def damaged(self, reason: str) -> ModelFileError:
        """To be raised."""
        kind, layer = self._original
        return ModelFileError(
            f"the operator {kind or self.kind} '{layer or self.path}' {reason}", remedy=self._again
        )


def _split(text: str) -> tuple[str, str]:
    kind, _, layer = text.partition(" ")
    return kind, layer
