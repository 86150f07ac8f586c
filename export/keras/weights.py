"""The two layouts in which Keras stores weights in HDF5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import numpy as np

from edgernn.errors import ModelFileError
from edgernn.export.keras.call import LayerWeights
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.hdf5 import Group
from edgernn.export.keras.nodes import RESAVE
from edgernn.export.keras.variables import legacy_slots, store_paths, variables
from edgernn.graph import FloatArray

#: Arrays may take this many times the file's bytes: float16 doubles in memory.
_MAX_EXPANSION: Final = 3
_ALWAYS_ALLOWED_BYTES: Final = 16 << 20

#: A shared layer's number and the names below it.
_Shared: TypeAlias = tuple[int, tuple[str, ...]]


class ArrayReader:
    """Reads arrays and limits their memory: many may refer to the same bytes of a file."""

    def __init__(self, file_bytes: int) -> None:
        self._left = max(_ALWAYS_ALLOWED_BYTES, _MAX_EXPANSION * file_bytes)

    def read(self, group: Group, name: str, layer: LayerConfig, weight: str) -> FloatArray:
        """The array, a weight of `layer`, as float32.

        Raises ModelFileError if it is missing, too large or not finite.
        """
        dataset = group.dataset(name)
        if dataset is None:
            raise layer.damaged(f"lacks its {weight} ('{name}') in the file")
        self._left -= dataset.float32_bytes
        if self._left < 0:
            raise layer.damaged(
                f"has a {weight} ('{name}') that claims the shape {dataset.shape}, more than the "
                "file can hold"
            )
        array = dataset.read()
        require_finite(array, layer, weight)
        return array


def require_finite(array: FloatArray, layer: LayerConfig, weight: str) -> None:
    """Raises ModelFileError for NaN and infinity: all formats would agree on useless outputs."""
    if not np.isfinite(array).all():
        raise layer.damaged(
            f"has NaN or infinity in its {weight}",
            remedy="Train the model again, with a smaller learning rate or clipped gradients",
        )


def legacy_weights(
    file: Group, model: LayerConfig, reader: ArrayReader
) -> Mapping[tuple[str, ...], LayerWeights]:
    """Weights of every layer by path from a .h5: one flat list for each layer of the top model.

    Raises ModelFileError where the arrays are not those of the config.
    """
    top = file.group("model_weights")
    if top is None:
        raise ModelFileError("the file holds a model's config but not its weights", remedy=RESAVE)
    weights: dict[tuple[str, ...], dict[str, FloatArray]] = {}
    for layer in model.children.values():
        slots = legacy_slots(layer)
        if not slots:
            continue
        group = top.group(layer.name)
        names = [] if group is None else _weight_names(group)
        if group is None or len(names) != len(slots):
            raise layer.damaged(f"has {len(slots)} weights, but the file holds {len(names)}")
        for slot, name in zip(slots, names, strict=True):
            weights.setdefault(slot.path, {})[slot.name] = reader.read(
                group, name, layer, slot.name
            )
    return weights


def _weight_names(group: Group) -> list[str]:
    """Keras splits a list that is too long for one attribute: weight_names0, weight_names1, ..."""
    names = group.texts("weight_names")
    part = 0
    while more := group.texts(f"weight_names{part}"):
        names = [*names, *more]
        part += 1
    return names


def store_weights(
    file: Group, model: LayerConfig, reader: ArrayReader
) -> Mapping[tuple[str, ...], LayerWeights]:
    """Weights of every layer by path from the `model.weights.h5` inside a .keras archive.

    Raises ModelFileError where the arrays are not those of the config.
    """
    weights: dict[tuple[str, ...], LayerWeights] = {}
    elsewhere: list[tuple[LayerConfig, _Shared]] = []
    owners: dict[_Shared, LayerWeights] = {}
    root = _root(file)
    groups = store_paths(model)
    for layer, shared in _with_shared(model):
        expected = variables(layer)
        if not expected:
            continue
        place = groups[layer.path].replace("layers/", f"{root}/")
        group = file.group(f"{place}/vars")
        stored = 0 if group is None else len(group.names())
        if stored == 0 and shared is not None:
            elsewhere.append((layer, shared))
            continue
        if group is None or stored < len(expected):
            raise layer.damaged(
                f"has {len(expected)} weights, but the file holds {stored} in '{place}'"
            )
        weights[layer.path] = {
            variable.name: reader.read(group, str(number), layer, variable.name)
            for number, variable in enumerate(expected)
        }
        if shared is not None:
            owners[shared] = weights[layer.path]
    # A layer that a nested model shares with the one around it is stored with one of them.
    for layer, shared in elsewhere:
        if shared not in owners:
            raise layer.damaged(f"has {len(variables(layer))} weights, but the file holds none")
        weights[layer.path] = owners[shared]
    return weights


def _with_shared(
    layer: LayerConfig, shared: _Shared | None = None
) -> Iterator[tuple[LayerConfig, _Shared | None]]:
    """Every layer, with a key that is the same at all places of a shared layer.

    Layers inside a shared wrapper are shared by their path below it.
    """
    if layer.shared is not None:
        shared = (layer.shared, ())
    yield layer, shared
    for name, child in layer.children.items():
        yield from _with_shared(child, shared and (shared[0], (*shared[1], name)))


def _root(file: Group) -> str:
    """The group of a model's layers; it has another name in Keras 2.12."""
    old = "_layer_checkpoint_dependencies"
    names = {name.partition("\\")[0] for name in file.names()}  # on Windows with more behind it
    return old if old in names and "layers" not in names else "layers"
