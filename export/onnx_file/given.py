"""What the core of the readers takes: operators of ONNX and arrays, whatever the file was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgernn.export.onnx_file.node import EXPORT_AGAIN, ONNX
from edgernn.export.onnx_file.values import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Operators of ONNX, from a file or spelled from another format, and their arrays by name.

    size: bytes of the file; where, again: what messages call the model, and their remedy.
    """

    model: onnx.ModelProto
    arrays: Mapping[str, Array]
    path: Path
    size: int
    opset: int
    where: str = ONNX
    again: str = EXPORT_AGAIN

    def sizes(self, entry: onnx.ValueInfoProto) -> list[int | None]:
        """Of an input; None where it is free."""
        dims = entry.type.tensor_type.shape.dim
        return [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
