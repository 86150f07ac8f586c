"""The bytes of an .onnx file: parsed, its arrays read, external data kept inside the folder."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from edgernn.errors import ModelFileError
from edgernn.export.onnx_file.folding import MAX_RANK
from edgernn.export.onnx_file.values import Array
from edgernn.regular_file import opened, read_bytes

#: ONNX files end at 2 GiB by their own format.
FILE_BYTES: Final = 2 << 30
MAX_NODES: Final = 20_000
OLDEST_OPSET: Final = 7

_WIDTHS: Final[dict[int, type[np.generic]]] = {
    onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.FLOAT16: np.float16, onnx.TensorProto.INT64: np.int64,
    onnx.TensorProto.INT32: np.int32, onnx.TensorProto.INT8: np.int8,
    onnx.TensorProto.UINT8: np.uint8, onnx.TensorProto.BOOL: np.bool_,
}  # fmt: skip


def parsed(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """The model and the bytes of its file.

    Raises ModelFileError for what is missing, damaged, or no ONNX model.
    """
    try:
        content = read_bytes(path, at_most=FILE_BYTES)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror or error})", remedy="Check the path"
        ) from error
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise ModelFileError(
            f"{path.name} is not a whole .onnx file ({error})",
            remedy="Copy the file again, or export the model again",
        ) from error
    if not model.graph.node:
        raise ModelFileError(
            f"{path.name} contains no operators", remedy="Give a model that torch.onnx.export wrote"
        )
    if len(model.graph.node) > MAX_NODES:
        raise ModelFileError(
            f"{path.name} has {len(model.graph.node):,} operators (at most {MAX_NODES:,})",
            remedy="Use torch.nn.GRU or LSTM instead of loops over cells, which are unrolled",
        )
    return model, content


def opset_of(model: onnx.ModelProto, path: Path) -> int:
    """The version of the standard operators.  Raises ModelFileError for one that is too old."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions or versions[0] < OLDEST_OPSET:
        raise ModelFileError(
            f"{path.name} is of ONNX opset {versions[0] if versions else 'none'}; edgernn reads "
            f"{OLDEST_OPSET} and newer",
            remedy="Export the model again with opset_version=17",
        )
    return int(versions[0])


def array_of(tensor: onnx.TensorProto, folder: Path) -> Array:
    """A stored array.

    External data is read from files inside `folder` only: never from an absolute path, through
    `..`, or over a link that leads out.  Raises ModelFileError.
    """
    wanted = _WIDTHS.get(tensor.data_type)
    if wanted is None:
        raise _damaged(tensor, f"is of ONNX's type {tensor.data_type}, which edgernn does not read")
    if len(tensor.dims) > MAX_RANK or any(size < 0 for size in tensor.dims):
        raise _damaged(tensor, f"has the shape {list(tensor.dims)}")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, folder, np.dtype(wanted))
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(tensor, f"does not fill its shape {list(tensor.dims)}") from error


def _external(tensor: onnx.TensorProto, folder: Path, dtype: np.dtype[np.generic]) -> Array:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    size = prod(tensor.dims) * dtype.itemsize
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
    except ValueError as error:
        raise _damaged(tensor, "says where it is stored with words, not numbers") from error
    path = _inside(tensor, folder, location)
    if length != size or offset < 0:
        raise _damaged(tensor, f"needs {size:,} bytes and points at {length:,}")
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size < offset + size:
                raise _damaged(tensor, f"reaches beyond the end of '{location}'")
            file.seek(offset)
            content = file.read(size)
    except OSError as error:
        raise _damaged(
            tensor, f"is stored in '{location}', which cannot be read ({error.strerror})"
        ) from error
    return np.frombuffer(content, dtype.newbyteorder("<")).reshape(tuple(tensor.dims))


def _inside(tensor: onnx.TensorProto, folder: Path, location: str) -> Path:
    home = folder.resolve()
    path = (home / location).resolve() if location and "\0" not in location else home
    if path == home or Path(location).is_absolute() or not path.is_relative_to(home):
        raise ModelFileError(
            f"the weights '{tensor.name}' are stored outside of the model's folder "
            f"('{location}'), where edgernn does not read",
            remedy="Put the .onnx file and its data files into one folder, without links",
        )
    return path


def _damaged(tensor: onnx.TensorProto, reason: str) -> ModelFileError:
    return ModelFileError(
        f"the weights '{tensor.name}' of the file cannot be used: the array {reason}",
        remedy="Copy the .onnx file and its data files again, or export the model again",
    )
