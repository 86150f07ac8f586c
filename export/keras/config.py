"""Reads a model's config (JSON) as a tree of layers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.keras.nodes import RESAVE, CallConfig, as_list, call_config, revive

JsonObject: TypeAlias = dict[str, Any]

#: Larger sizes count as damage: no layer of a device model has 2^24 units.
MAX_SIZE: Final = 1 << 24

MODEL_KINDS: Final = frozenset({"Sequential", "Functional", "Model"})

#: Layers whose config in Keras 3 has no entry `trainable`.
_SILENT_LAYERS: Final = frozenset({
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Discretization", "HashedCrossing",
    "Pipeline", "InputLayer",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerConfig:
    """One layer, wrapper or model.  The keys of `children` are attributes, or names in a model."""

    kind: str  # the class name: "GRU"
    module: str  # "keras.layers"; "" in legacy files
    name: str
    options: Mapping[str, Any]  # the layer's get_config()
    where: str  # "model 'm' > nested 'encoder'"
    path: tuple[str, ...]  # names from the model down to this layer: the path of its weights
    children: Mapping[str, LayerConfig]
    calls: tuple[CallConfig, ...] = ()
    is_operation: bool = False  # an operation of Keras 3 (`x + 1`), not a layer
    is_cell: bool = False  # what an RNN runs: a cell, a stack of them, or a cell of a stack
    is_custom: bool = False  # its class is not Keras' own, even if it has the name of one
    shared: int | None = None  # equal numbers: the same layer, shared by several models

    @property
    def is_model(self) -> bool:
        return "layers" in self.options

    @property
    def trainable(self) -> bool:
        return self.options.get("trainable", True) is not False

    def with_option(self, option: str, value: Any) -> LayerConfig:
        return replace(self, options={**self.options, option: value})

    def unsupported(self, reason: str, remedy: str) -> UnsupportedLayer:
        return UnsupportedLayer(
            layer=self.name, kind=self.kind, where=self.where, reason=reason, remedy=remedy
        )

    def damaged(self, what: str, *, remedy: str = RESAVE) -> ModelFileError:
        return ModelFileError(
            f"layer '{self.name}' ({self.kind}, in {self.where}) {what}", remedy=remedy
        )

    def flag(self, option: str, *, default: bool = False) -> bool:
        value = self.options.get(option, default)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.damaged(f"has {option} = {value!r}, which is not true or false")
        return value

    def size(self, option: str, *, default: int | None = None) -> int:
        """A positive integer, given as such or as a list of one (`kernel_size: [3]`)."""
        value = self.options.get(option, default)
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_SIZE:
            raise self.damaged(f"has {option} = {value!r}, which is not a size")
        return value

    def sizes(self, option: str, count: int) -> tuple[int, ...]:
        """`count` integers >= 0 from a list, or one integer for all of them."""
        value = self.options.get(option)
        listed = [value] * count if isinstance(value, int) else value
        if isinstance(listed, list | tuple) and len(listed) == 1 and isinstance(listed[0], list):
            listed = listed[0]
        if (
            not isinstance(listed, list | tuple)
            or len(listed) != count
            or not all(type(size) is int and 0 <= size <= MAX_SIZE for size in listed)
        ):
            raise self.damaged(f"has {option} = {value!r}, which is not {count} sizes")
        return tuple(listed)

    def number(self, option: str, *, default: float | None = None) -> float:
        value = scalar(self.options.get(option, default))
        if value is None:
            raise self.damaged(f"has {option} = {self.options.get(option)!r}, which is no number")
        return value

    def text(self, option: str, *, default: str) -> str:
        value = self.options.get(option, default)
        if not isinstance(value, str):
            raise self.damaged(f"has {option} = {value!r}, which is not a name")
        return value

    def axes(self, option: str, *, default: int = -1) -> tuple[int, ...]:
        """One axis or a list of them, as written."""
        value = self.options.get(option, default)
        listed = [value] if isinstance(value, int) else value
        if not isinstance(listed, list | tuple) or not all(type(axis) is int for axis in listed):
            raise self.damaged(f"has {option} = {value!r}, which is not a list of axes")
        return tuple(listed)


def walk(layer: LayerConfig) -> Iterator[LayerConfig]:
    """The layer and all layers inside it."""
    yield layer
    for child in layer.children.values():
        yield from walk(child)


def scalar(value: Any) -> float | None:
    """A finite number, also where Keras wrapped it as an array or tensor; otherwise None."""
    if isinstance(value, dict):
        revived = revive(value)
        if isinstance(revived, np.ndarray) and revived.size == 1:
            value = float(revived.reshape(()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def parse_json(text: str | bytes, what: str) -> JsonObject:
    """A JSON object.  Raises ModelFileError if `text` is anything else."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what} is not JSON ({error})", remedy=RESAVE) from error
    if not isinstance(decoded, dict):
        raise ModelFileError(f"{what} is not a JSON object", remedy=RESAVE)
    return decoded


def model_tree(config: JsonObject) -> LayerConfig:
    """The model's layer tree.

    Raises ModelFileError for a config that Keras does not write, UnsupportedLayer for a subclassed
    model, which has no description of its layers.
    """
    root = _layer(config, where="the file", path=(), name=None)
    if not root.is_model:
        raise ModelFileError(
            f"the model is of the class '{root.kind}', whose layers only its Python code knows",
            remedy="Build it with keras.Sequential or keras.Model(inputs, outputs), "
            "copy the weights, and save that",
        )
    return root


def _layer(
    entry: Any, *, where: str, path: tuple[str, ...], name: str | None, calls: Any = None
) -> LayerConfig:
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise ModelFileError(f"a layer in {where} has no class name", remedy=RESAVE)
    kind: str = entry["class_name"].rsplit(">", 1)[-1]  # "Custom>MyLayer"
    options = entry.get("config", {})
    if isinstance(options, list) and kind in MODEL_KINDS:  # Sequential of Keras < 2.2.3
        options = {"layers": options, "name": kind.lower()}
    if not isinstance(options, dict):
        raise ModelFileError(f"a {kind} in {where} has no config", remedy=RESAVE)
    name = name or str(options.get("name") or entry.get("name") or kind.lower())
    if "layers" in options:
        inside = f"{where} > nested '{name}'" if path else f"model '{name}'"
    else:
        inside = where
    module = str(entry.get("module") or "")
    shared = entry.get("shared_object_id")
    return LayerConfig(
        kind=kind,
        module=module,
        name=name,
        options=options,
        where=where if path else inside,  # a model at the top is its own place
        path=path,
        children=dict(_children(kind, name, options, inside, path)),
        calls=tuple(call_config(node) for node in as_list(calls if calls is not None else [])),
        is_operation=_is_operation(kind, module, options, calls),
        is_custom=_is_custom(entry, module, options),
        shared=shared if type(shared) is int else None,
    )


_PACKAGES: Final = ("keras", "tf_keras", "tensorflow")


def _is_custom(entry: JsonObject, module: str, options: JsonObject) -> bool:
    """Whether the class is Keras' own: many people call their own layer `Attention`, too."""
    package = str(entry["class_name"]).rpartition(">")[0]
    if package not in ("", "Keras"):
        return True
    if module:
        return module.partition(".")[0] not in _PACKAGES
    if entry.get("registered_name"):
        return True
    # A .h5 does not name the module, but Keras' own class has always written this option.
    return entry["class_name"] == "Attention" and "use_scale" not in options


def _is_operation(kind: str, module: str, options: JsonObject, calls: Any) -> bool:
    if module:
        return module.startswith(("keras.src.ops", "keras.ops"))
    # The .h5 of Keras 3 writes no module, and some operations (Add) are called like layers; but
    # nearly every layer that can be called says whether it is trainable.
    called_by_keras_3 = bool(calls) and isinstance(calls[0], dict) and "args" in calls[0]
    says_so = "trainable" in options or "layers" in options or kind in _SILENT_LAYERS
    return called_by_keras_3 and not says_so


def _children(
    kind: str, name: str, options: JsonObject, inside: str, path: tuple[str, ...]
) -> Iterator[tuple[str, LayerConfig]]:
    if "layers" in options:
        seen: set[str] = set()
        for entry in as_list(options["layers"]):
            child_name = _name_of(entry)
            if child_name in seen:
                raise ModelFileError(
                    f"two layers in {inside} are named '{child_name}'", remedy=RESAVE
                )
            seen.add(child_name)
            calls = entry.get("inbound_nodes")
            yield (
                child_name,
                _layer(entry, where=inside, path=(*path, child_name), name=child_name, calls=calls),
            )
        return
    for attribute, entry in _wrapped(kind, options):
        inner = _layer(entry, where=f"{inside} > '{name}'", path=(*path, attribute), name=None)
        yield attribute, replace(inner, is_cell=kind in ("RNN", "StackedRNNCells"))


def _wrapped(kind: str, options: JsonObject) -> Iterator[tuple[str, Any]]:
    """The layers inside a wrapper, by their attribute in Keras."""
    match kind:
        case "Bidirectional":
            forward = options.get("layer")
            yield "forward_layer", forward
            yield "backward_layer", options.get("backward_layer") or _turned(forward)
        case "TimeDistributed":
            yield "layer", options.get("layer")
        case "MultiHeadAttention":
            yield from _projections(options)
        case "RNN":
            yield "cell", options.get("cell")
        case "StackedRNNCells":
            for position, cell in enumerate(as_list(options.get("cells"))):
                yield f"cells/{position}", cell
        case _:
            return


def _projections(options: JsonObject) -> Iterator[tuple[str, Any]]:
    """The layers that MultiHeadAttention makes itself: its config does not list them."""
    private = "query_shape" in options  # in Keras 2 all of these attributes are
    has_gate = options.get("use_gate", False)
    bias = "z" if options.get("use_bias", True) else None
    for name in ("query", "key", *(["gate"] if has_gate else []), "value", "output"):
        config = {"name": name, "bias_axes": bias}
        underscore = "_" if private or name == "gate" else ""
        yield f"{underscore}{name}_dense", {"class_name": "EinsumDense", "config": config}


def _turned(entry: Any) -> Any:
    """The config of Bidirectional's backward layer, derived from its forward layer."""
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return entry
    config = entry["config"]
    return {**entry, "config": {**config, "go_backwards": not config.get("go_backwards", False)}}


def _name_of(entry: Any) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict | list):
        raise ModelFileError("a layer has no config", remedy=RESAVE)
    config = entry["config"]
    inner = config.get("name") if isinstance(config, dict) else None
    name = entry.get("name") or inner
    if not isinstance(name, str):
        raise ModelFileError("a layer has no name", remedy=RESAVE)
    return name
