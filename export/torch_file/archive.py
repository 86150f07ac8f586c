"""The members of a .pt2 file: a program as JSON, and arrays as raw bytes.

Nothing is unpickled: example inputs are left alone, and pickled weights are refused.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import IO, Any, Final

import numpy as np

from edgernn.errors import ModelFileError
from edgernn.export.onnx_file.folding import MAX_RANK
from edgernn.export.onnx_file.values import Array
from edgernn.regular_file import parsed_json

EXPORT_AGAIN: Final = "Export the model again with torch.export.export and torch.export.save"

MAX_MEMBERS: Final = 20_000
JSON_BYTES: Final = 64 << 20

_PROGRAM: Final = "models/model.json"
_OLD_PROGRAM: Final = "serialized_exported_program.json"
_TABLES: Final = (
    ("data/weights/", "data/weights/model_weights_config.json"),
    ("data/constants/", "data/constants/model_constants_config.json"),
)
_CONTIGUOUS_LIKE: Final = 7  # torch.strided, as the file numbers layouts

#: The file's numbers for types of elements.
DTYPES: Final[Mapping[int, np.dtype[Any]]] = {
    1: np.dtype(np.uint8), 2: np.dtype(np.int8), 3: np.dtype("<i2"), 4: np.dtype("<i4"),
    5: np.dtype("<i8"), 6: np.dtype("<f2"), 7: np.dtype("<f4"), 8: np.dtype("<f8"),
    12: np.dtype(np.bool_),
}  # fmt: skip
BFLOAT16: Final = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """program: the JSON document; arrays: parameters, buffers and constants by their own names."""

    program: Mapping[str, Any]
    arrays: Mapping[str, Array]


def read_archive(file: IO[bytes], name: str) -> Archive:
    """What `name`, a .pt2 file, contains.  Raises ModelFileError."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _Members(archive, name, file.seek(0, io.SEEK_END)).read()
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ModelFileError(
            f"{name} is not a whole .pt2 file ({error})",
            remedy="Copy the file again, or write it with torch.export.save",
        ) from error


class _Members:
    def __init__(self, archive: zipfile.ZipFile, name: str, file_bytes: int) -> None:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise ModelFileError(
                f"{name} has {len(infos):,} members (at most {MAX_MEMBERS:,})",
                remedy="Export a smaller part of the model",
            )
        stored = sum(info.file_size for info in infos)
        if stored > file_bytes:  # many members may lie over the same bytes
            raise ModelFileError(
                f"{name} says that it holds {stored:,} bytes and has {file_bytes:,}",
                remedy="Give the file as PyTorch wrote it: nothing in it is compressed",
            )
        self._archive, self._name = archive, name
        # Everything lies in one folder, named after the file that was saved.
        self._infos = {info.filename.partition("/")[2]: info for info in infos}
        self._infos |= {info.filename: info for info in infos if "/" not in info.filename}
        self._cache: dict[str, bytes] = {}

    def read(self) -> Archive:
        if _PROGRAM not in self._infos:
            old = any(key.endswith(_OLD_PROGRAM) for key in self._infos)
            what = (
                "was written by an old PyTorch, with pickled weights" if old else "has no program"
            )
            raise ModelFileError(
                f"{self._name} {what}: it lacks {_PROGRAM}",
                remedy="Save the model again with torch.export.save of PyTorch 2.13 or newer",
            )
        if "byteorder" in self._infos and self._bytes("byteorder", 16).strip() != b"little":
            raise self._damaged("was written by a machine of the other byte order")
        arrays: dict[str, Array] = {}
        for folder, table in _TABLES:
            entries = self._json(table).get("config", {}) if table in self._infos else {}
            for name, entry in entries.items():
                arrays[name] = self._array(folder, name, entry)
        return Archive(program=self._json(_PROGRAM), arrays=arrays)

    def _bytes(self, member: str, at_most: int | None = None) -> bytes:
        info = self._infos.get(member)
        if info is None:
            raise self._damaged(f"lacks its member '{member}'")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ModelFileError(
                f"the member '{member}' of {self._name} is compressed, which torch.export.save "
                "never does",
                remedy="Give the file as PyTorch wrote it",
            )
        if at_most is not None and info.file_size > at_most:
            raise self._damaged(f"has a member '{member}' of {info.file_size:,} bytes")
        return self._archive.read(info)

    def _json(self, member: str) -> dict[str, Any]:
        document = parsed_json(self._bytes(member, JSON_BYTES))
        if not isinstance(document, dict):
            raise self._damaged(f"has no object in '{member}'")
        return document

    def _array(self, folder: str, name: str, entry: Mapping[str, Any]) -> Array:
        if entry.get("use_pickle"):
            raise ModelFileError(
                f"{self._name} has the weights '{name}' pickled (use_pickle): reading them could "
                "run code of the file",
                remedy="Make them plain tensors (no subclasses, no quantized ones), and save again",
            )
        meta, member = entry["tensor_meta"], f"{folder}{entry['path_name']}"
        shape, strides = _integers(meta["sizes"]), _integers(meta["strides"])
        (offset,) = _integers([meta["storage_offset"]])
        number = int(meta["dtype"])
        dtype = np.dtype("<u2") if number == BFLOAT16 else DTYPES.get(number)
        if dtype is None or int(meta["layout"]) != _CONTIGUOUS_LIKE:
            raise ModelFileError(
                f"the weights '{name}' of {self._name} have a type or a layout that edgernn does "
                "not read",
                remedy="Convert the model with model.float() and export it again",
            )
        if member not in self._cache:
            self._cache[member] = self._bytes(member)
        content = self._cache[member]
        reach = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=False)) + 1
        fits = (
            len(shape) == len(strides) <= MAX_RANK
            and min((*shape, *strides, offset, 0)) >= 0
            and (prod(shape) == 0 or reach * dtype.itemsize <= len(content))
            and prod(shape) * dtype.itemsize <= max(len(content), 1)
        )
        if not fits:
            raise self._damaged(
                f"has the weights '{name}' of shape {shape}, which it does not hold"
            )
        stored = np.frombuffer(content, dtype, count=len(content) // dtype.itemsize)
        array = np.lib.stride_tricks.as_strided(
            stored[offset:], shape, [s * dtype.itemsize for s in strides], writeable=False
        )
        if number == BFLOAT16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array

    def _damaged(self, reason: str) -> ModelFileError:
        return ModelFileError(f"{self._name} {reason}", remedy=EXPORT_AGAIN)


def _integers(entries: Any) -> list[int]:
    """Sizes of the file: {"as_int": 3}."""
    return [int(entry["as_int"]) for entry in entries]
