"""Keras files written by hand: each test says in full what the file holds, and needs no Keras."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from edgernn.export.keras.config import model_tree, walk
from edgernn.export.keras.file import read_model
from edgernn.export.keras.variables import legacy_slots, store_paths, variables
from edgernn.export.source_model import SourceModel

Json = dict[str, Any]

GOLDEN: Final = Path(__file__).parents[2] / "golden"
LEGACY: Final = GOLDEN / "legacy"

KERAS_3: Final = "3.15.1"
KERAS_2: Final = "2.8.0"


def layer(kind: str, name: str, **options: Any) -> Json:
    """A layer as Keras 3 writes it into a Sequential model."""
    config = {"name": name, "trainable": True, **options}
    return {"module": "keras.layers", "class_name": kind, "config": config}


def operation(kind: str, name: str, **options: Any) -> Json:
    """An operation of Keras 3, such as what `x * 2` leaves behind."""
    module = "keras.src.ops.numpy"
    return {"module": module, "class_name": kind, "config": {"name": name, **options}}


def input_layer(name: str, shape: Sequence[int | None], dtype: str = "float32") -> Json:
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"name": name, "batch_shape": list(shape), "dtype": dtype},
    }


def sequential(*layers: Json, name: str = "m") -> Json:
    config = {"name": name, "trainable": True, "layers": list(layers)}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def tensor(source: str, node: int = 0, result: int = 0) -> Json:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [source, node, result]}}


def call(*args: Any, **kwargs: Any) -> Json:
    return {"args": list(args), "kwargs": kwargs}


def called(entry: Json, *calls: Any) -> Json:
    """`entry` inside a functional model."""
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": list(calls)}


def functional(layers: Sequence[Json], inputs: Any, outputs: Any, name: str = "m") -> Json:
    """A functional model; `inputs` and `outputs` name layers, or are [layer, node, tensor]."""
    config = {
        "name": name,
        "trainable": True,
        "layers": list(layers),
        "input_layers": [_reference(entry) for entry in inputs],
        "output_layers": [_reference(entry) for entry in outputs],
    }
    return {"module": "keras", "class_name": "Functional", "config": config}


def _reference(entry: Any) -> list[Any]:
    return [entry, 0, 0] if isinstance(entry, str) else list(entry)


#: Arrays of one layer by variable name; layers by path, "/" between the names.
Weights = Mapping[str, Mapping[str, Any]]


def write_keras(
    path: Path, config: Json, weights: Weights | None = None, version: str = KERAS_3
) -> Path:
    """A .keras archive."""
    tree = model_tree(config)
    places = store_paths(tree)
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for owner in walk(tree):
            given = (weights or {}).get("/".join(owner.path), {})
            for number, variable in enumerate(variables(owner)):
                if variable.name in given:
                    array = np.asarray(given[variable.name], np.float32)
                    file[f"{places[owner.path]}/vars/{number}"] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", stored.getvalue())
    return path


def write_h5(
    path: Path, config: Json, weights: Weights | None = None, version: str = KERAS_2
) -> Path:
    """A legacy .h5."""
    tree = model_tree(config)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(config)
        top = file.create_group("model_weights")
        for child in tree.children.values():
            group = top.create_group(child.name)
            names = []
            for slot in legacy_slots(child):
                name = f"{'.'.join(slot.path)}/{slot.name}:0"
                group[name] = np.asarray((weights or {})["/".join(slot.path)][slot.name], "f4")
                names.append(name.encode())
            group.attrs["weight_names"] = names
    return path


def ramp(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Weights that are all different and none of them zero."""
    count = int(np.prod(shape))
    return np.linspace(-0.4, 0.6, count + 1, dtype=np.float32)[1:].reshape(shape)


def gru_weights(features: int, units: int, *, reset_after: bool = True) -> dict[str, Any]:
    bias = ramp(2, 3 * units) if reset_after else ramp(3 * units)
    kernels = {"kernel": ramp(features, 3 * units), "recurrent_kernel": ramp(units, 3 * units)}
    return {**kernels, "bias": bias}


def dense(name: str = "dense", units: int = 3, **options: Any) -> Json:
    return layer("Dense", name, units=units, **options)


def gru(name: str = "gru", units: int = 3, **options: Any) -> Json:
    return layer("GRU", name, units=units, **options)


def small(*layers: Json, shape: tuple[int | None, ...] = (None, 5, 2)) -> Json:
    return sequential(input_layer("x", shape), *layers)


def read(tmp_path: Path, config: Json, weights: Any = None, version: str = KERAS_3) -> SourceModel:
    """The model as read from a .keras archive of this content."""
    return read_model(write_keras(tmp_path / "m.keras", config, weights, version))
