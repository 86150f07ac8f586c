"""HDF5 files of strangers: opening, sizes before memory, the two layouts of Keras' weights.

Links to other files, virtual and external data sets are not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import h5py
import numpy as np

from edgernn.errors import ModelFileError
from edgernn.export.keras_call import LayerWeights
from edgernn.export.keras_config import RESAVE, LayerConfig
from edgernn.export.keras_variables import legacy_slots, store_paths, variables
from edgernn.graph import FloatArray

#: Arrays may claim this many times the bytes of the file that holds them (HDF5 can compress).
_MAX_EXPANSION: Final = 20
_ALWAYS_ALLOWED_BYTES: Final = 64 << 20

#: What h5py raises for damage, depending on where libhdf5 meets it.
_DAMAGE: Final = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


@contextmanager
def opened(file: Path | BinaryIO, what: str) -> Iterator[h5py.File]:
    """The HDF5 file, open for reading.  Raises ModelFileError where it cannot be read."""
    try:
        opening = h5py.File(file, "r")
    except _DAMAGE as error:
        raise ModelFileError(
            f"{what} is not HDF5, or is damaged ({error})", remedy=RESAVE
        ) from error
    with opening:
        yield opening


def attribute_text(group: h5py.Group, name: str) -> str | None:
    """A text attribute; None where there is none."""
    try:
        value = group.attrs.get(name)
    except _DAMAGE as error:
        raise ModelFileError(f"the attribute {name} is damaged ({error})", remedy=RESAVE) from error
    if value is None:
        return None
    if isinstance(value, bytes | np.bytes_):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _attribute_names(group: h5py.Group, name: str) -> list[str]:
    """A list of texts, which Keras splits into name0, name1, ... where it is long."""
    try:
        attributes = group.attrs
        if name in attributes:
            parts = [attributes[name]]
        else:
            parts = []
            while f"{name}{len(parts)}" in attributes:
                parts.append(attributes[f"{name}{len(parts)}"])
        texts = [text for part in parts for text in np.asarray(part).ravel().tolist()]
    except _DAMAGE as error:
        raise ModelFileError(f"the attribute {name} is damaged ({error})", remedy=RESAVE) from error
    return [
        text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in texts
    ]


class ArrayReader:
    """Reads data sets, keeping count of the memory they take."""

    def __init__(self, file_bytes: int) -> None:
        self._left = max(_ALWAYS_ALLOWED_BYTES, _MAX_EXPANSION * file_bytes)

    def read(self, group: h5py.Group, name: str) -> FloatArray:
        """The data set as float32.  Raises ModelFileError where it is no array of numbers."""
        try:
            dataset = _member(group, name)
            if not isinstance(dataset, h5py.Dataset):
                raise ModelFileError(f"the weights lack '{name}'", remedy=RESAVE)
            if dataset.is_virtual or dataset.external:
                raise ModelFileError(f"the array '{name}' lies in another file", remedy=RESAVE)
            if dataset.dtype.kind not in "fiu" and dataset.attrs.get("dtype") != "bfloat16":
                raise ModelFileError(f"the array '{name}' does not hold numbers", remedy=RESAVE)
            self._left -= dataset.size * max(dataset.dtype.itemsize, 4)
            if self._left < 0:
                raise ModelFileError(
                    f"the array '{name}' claims {dataset.shape} elements, "
                    "more than the file can hold",
                    remedy=RESAVE,
                )
            stored = dataset[()]
            if dataset.attrs.get("dtype") == "bfloat16":
                return _from_bfloat16(np.asarray(stored))
            return np.asarray(stored, np.float32)
        except _DAMAGE as error:
            raise ModelFileError(
                f"the array '{name}' is damaged ({error})", remedy=RESAVE
            ) from error


def _from_bfloat16(stored: np.ndarray[Any, np.dtype[Any]]) -> FloatArray:
    """Keras 3 stores bfloat16 as two opaque bytes: the upper half of a float32."""
    halves = np.ascontiguousarray(stored).view(np.uint16).reshape(stored.shape)
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _member(group: h5py.Group, name: str) -> Any:
    """group[name], following hard links only; None where it is missing."""
    found: Any = group
    for part in name.split("/"):
        if not isinstance(found, h5py.Group) or not part:
            return None
        link = found.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            return None
        found = found[part]
    return found


def _subgroup(group: h5py.Group, name: str) -> h5py.Group | None:
    try:
        found = _member(group, name)
    except _DAMAGE as error:
        raise ModelFileError(
            f"the weights are damaged at '{name}' ({error})", remedy=RESAVE
        ) from error
    return found if isinstance(found, h5py.Group) else None


def legacy_weights(
    file: h5py.File, model: LayerConfig, reader: ArrayReader
) -> Mapping[tuple[str, ...], LayerWeights]:
    """Weights of every layer by path from a .h5: one flat list for each layer of the top model.

    Raises ModelFileError where the arrays are not those of the config.
    """
    top = _subgroup(file, "model_weights")
    if top is None:
        raise ModelFileError("the file holds a model's config but not its weights", remedy=RESAVE)
    weights: dict[tuple[str, ...], dict[str, FloatArray]] = {}
    for layer in model.children.values():
        slots = legacy_slots(layer)
        group = _subgroup(top, layer.name) or top
        names = _attribute_names(group, "weight_names")
        if len(names) < len(slots):
            raise layer.damaged(f"has {len(slots)} weights, but the file holds {len(names)}")
        if len(names) > len(slots):
            raise layer.unsupported(
                f"stores {len(names)} arrays where its config asks for {len(slots)}",
                "Save it with a newer Keras",
            )
        for slot, name in zip(slots, names, strict=True):
            weights.setdefault(slot.path, {})[slot.name] = reader.read(group, name)
    return weights


def store_weights(
    file: h5py.File, model: LayerConfig, reader: ArrayReader
) -> Mapping[tuple[str, ...], LayerWeights]:
    """Weights of every layer by path from the `model.weights.h5` inside a .keras archive.

    Raises ModelFileError where the arrays are not those of the config.
    """
    weights: dict[tuple[str, ...], LayerWeights] = {}
    root = _renamed_root(file)
    groups = store_paths(model)
    for layer in _walk(model):
        expected = variables(layer)
        if not expected:
            continue
        place = _replaced_root(groups[layer.path], root)
        group = _subgroup(file, f"{place}/vars")
        stored = set(group) if group is not None else set()
        missing = [str(number) for number in range(len(expected)) if str(number) not in stored]
        if group is None or missing:
            raise layer.damaged(
                f"has {len(expected)} weights, but the file holds {len(stored)} (in {place})"
            )
        own_name = attribute_text(group, "name")
        if (
            own_name is not None
            and layer.path
            and own_name not in (layer.name, "", None)
            and (_is_plain(layer))
        ):
            raise layer.damaged(f"has its weights under the name '{own_name}'")
        weights[layer.path] = {
            variable.name: reader.read(group, str(number))
            for number, variable in enumerate(expected)
        }
    return weights


def _is_plain(layer: LayerConfig) -> bool:
    """Whether the layer's own group, not that of a cell in it, carries its name."""
    return not layer.path[-1].startswith("cells/") and layer.kind not in (
        "GRU", "LSTM", "SimpleRNN", "GRUCell", "LSTMCell", "SimpleRNNCell",
    )  # fmt: skip


def _renamed_root(file: h5py.File) -> str:
    """Keras 2.12 called the group of a model's layers _layer_checkpoint_dependencies."""
    old = "_layer_checkpoint_dependencies"
    return old if old in file and "layers" not in file else "layers"


def _replaced_root(place: str, root: str) -> str:
    return "/".join(root if part == "layers" else part for part in place.split("/"))


def _walk(layer: LayerConfig) -> Iterator[LayerConfig]:
    yield layer
    for child in layer.children.values():
        yield from _walk(child)
