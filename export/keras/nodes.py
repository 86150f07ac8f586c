"""Reads from a model's config how layers are called.

Two dialects are read: Keras 2 writes a call as `[["layer", node, tensor, kwargs], ...]`, Keras 3 as
`{"args": [...], "kwargs": {...}}` with tensors as `__keras_tensor__`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.errors import ModelFileError
from edgernn.export.keras.whole_numbers import of_type

RESAVE: Final = "Save the whole model again with model.save('model.keras')"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRef:
    """Result `tensor` of call number `node` of a layer, by the layer's name."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallConfig:
    """One call of a layer; `args` and `kwargs` hold TensorRefs in nested lists and dicts."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def call_config(node: Any) -> CallConfig:
    if isinstance(node, dict) and "args" in node:  # Keras 3
        args = revive(node["args"])
        kwargs = revive(node.get("kwargs") or {})
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ModelFileError("a layer's call has no list of arguments", remedy=RESAVE)
        return CallConfig(args=tuple(args), kwargs=kwargs)
    if isinstance(node, dict):  # Keras 2, inputs given by name
        named = {key: _legacy_tensor(leaf) for key, leaf in node.items()}
        return CallConfig(args=({key: ref for key, (ref, _) in named.items()},), kwargs={})
    entries = [node] if _is_legacy_leaf(node) else [*_legacy_leaves(as_list(node))]
    tensors = [_legacy_tensor(entry) for entry in entries]
    kwargs = {key: value for _, given in tensors for key, value in given.items()}
    references = [tensor for tensor, _ in tensors]
    return CallConfig(args=(references[0] if len(references) == 1 else references,), kwargs=kwargs)


def _is_legacy_leaf(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str)


def _legacy_leaves(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if _is_legacy_leaf(value):
            yield value
        else:
            yield from _legacy_leaves(as_list(value))


def _legacy_tensor(entry: Any) -> tuple[Any, dict[str, Any]]:
    """["layer", node, tensor] or ["layer", node, tensor, kwargs]."""
    if not _is_legacy_leaf(entry):
        raise ModelFileError("a layer's call names no input", remedy=RESAVE)
    kwargs = entry[3] if len(entry) == 4 else {}
    if not isinstance(kwargs, dict):
        raise ModelFileError("a layer's call has unreadable arguments", remedy=RESAVE)
    given = {key: _legacy_value(value) for key, value in kwargs.items()}
    if entry[0] == "_CONSTANT_VALUE":
        return revive(entry[2]), given
    return _reference(entry[:3]), given


def _legacy_value(value: Any) -> Any:
    """Keras 2 writes a tensor among the keyword arguments as a plain ["layer", 0, 0]."""
    if _is_tensor_triple(value):
        return _reference(value)
    if isinstance(value, list):
        return [_legacy_value(item) for item in value]
    return revive(value)


def _is_tensor_triple(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(type(index) is int for index in value[1:])
    )


def _reference(value: Any) -> TensorRef:
    if not _is_tensor_triple(value):
        raise ModelFileError(f"{value!r} does not name a tensor of the model", remedy=RESAVE)
    return TensorRef(layer=value[0], node=value[1], tensor=value[2])


def references(value: Any) -> list[tuple[str, TensorRef]]:
    """`input_layers` or `output_layers`: the tensors in order, with a dict's keys as names ("")."""
    if _is_tensor_triple(value):
        return [("", _reference(value))]
    if isinstance(value, dict):
        # Keras flattens a dict in the order of its keys.
        return [(key, ref) for key in sorted(value) for _, ref in references(value[key])]
    if isinstance(value, list | tuple):
        return [pair for item in value for pair in references(item)]
    raise ModelFileError("the model does not list its inputs and outputs", remedy=RESAVE)


def revive(value: Any) -> Any:
    """Plain Python for the objects that Keras writes as {"class_name": "__...__"}."""
    if isinstance(value, list):
        return [revive(item) for item in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    match value.get("class_name"):
        case "__keras_tensor__" if isinstance(config, dict):
            return _reference(list(config.get("keras_history") or ()))
        case "__slice__" if isinstance(config, dict):
            return slice(*(revive(config.get(part)) for part in ("start", "stop", "step")))
        case "__ellipsis__":
            return Ellipsis
        case "__tuple__" | "TensorShape":
            return revive(list(value.get("items") or ()))
        case "__tensor__" | "__numpy__" if isinstance(config, dict):
            return _array(config.get("value"), str(config.get("dtype")))
        case _:
            return {key: revive(item) for key, item in value.items()}


def _array(value: Any, dtype: str) -> np.ndarray[Any, Any]:
    """Whole numbers keep their type: Keras computes with them in integers."""
    try:
        return np.array(value, np.float32 if of_type(dtype) is None else dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(
            "a constant in the model is not an array of numbers", remedy=RESAVE
        ) from error


def as_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ModelFileError(
            f"found {type(value).__name__} where a list of layers belongs", remedy=RESAVE
        )
    return value
