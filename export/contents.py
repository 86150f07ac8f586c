"""What is inside a written model file, read from the file itself: for `edgernn inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgernn.errors import ModelFileError
from edgernn.export import backend_named
from edgernn.formats import format_of, suffixes
from edgernn.regular_file import read_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorLine:
    """An input or output as the file declares it; free dimensions are '?'."""

    name: str
    dtype: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The facts of one file."""

    format: str  # "ONNX, opset 11, IR 6"
    bytes: int
    inputs: tuple[TensorLine, ...]
    outputs: tuple[TensorLine, ...]
    operators: Mapping[str, int]  # name -> how often, subgraphs included
    weight_bytes: Mapping[str, int]  # element type -> bytes
    metadata: Mapping[str, str]


class Damaged(Exception):
    """The bytes are not a whole file of their format; the text says what is wrong."""


def read_contents(path: Path) -> Contents:
    """The contents of an .onnx, .tflite or .ernn file.

    Raises ModelFileError when the file is missing, damaged or of another kind.
    """
    found = format_of(path)
    if found is None:
        raise ModelFileError(
            f"{path} is neither a Keras model nor an artefact",
            remedy=f"Give a .keras, .h5, {', '.join(suffixes())} file",
        )
    try:
        return backend_named(found.name).read_contents(read_bytes(path))
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path}: {error.strerror}", remedy="Check the path"
        ) from error
    except Damaged as error:
        raise ModelFileError(
            f"{path} is not a whole {path.suffix} file ({error})", remedy="Export it again"
        ) from error
