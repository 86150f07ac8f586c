"""What weights a layer has, in the order in which Keras stores them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from edgernn.export.keras.config import LayerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One array of a layer.  A legacy file holds a model's trainable ones before the others."""

    name: str
    trainable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where one array belongs: the layer's path and the variable's name."""

    path: tuple[str, ...]
    name: str


_RECURRENT: Final = frozenset({
    "SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM", "SimpleRNNCell", "GRUCell", "LSTMCell",
})  # fmt: skip
_CUDNN: Final = frozenset({"CuDNNGRU", "CuDNNLSTM"})


def variables(layer: LayerConfig) -> tuple[Variable, ...]:
    """The layer's own arrays (not those of layers inside it), in Keras' order."""
    bias = layer.flag("use_bias", default=True)
    match layer.kind:
        case kind if kind in _RECURRENT:
            return _named("kernel", "recurrent_kernel", *_if(bias or kind in _CUDNN, "bias"))
        case "Dense" | "Conv1D":
            return _named("kernel", *_if(bias, "bias"))
        case "DepthwiseConv1D":
            return _named("depthwise_kernel", *_if(bias, "bias"))
        case "SeparableConv1D":
            return _named("depthwise_kernel", "pointwise_kernel", *_if(bias, "bias"))
        case "Embedding":
            return _named("embeddings")
        case "BatchNormalization":
            return (
                *_named(*_if(layer.flag("scale", default=True), "gamma")),
                *_named(*_if(layer.flag("center", default=True), "beta")),
                *_named("moving_mean", "moving_variance", trainable=False),
            )
        case "LayerNormalization":
            return (
                *_named(*_if(layer.flag("scale", default=True), "gamma")),
                *_named(*_if(layer.flag("center", default=True), "beta")),
            )
        case "RMSNormalization":
            return _named("scale")
        case "Normalization" if layer.options.get("mean") is None:
            return _named("mean", "variance", "count", trainable=False)
        case "PReLU":
            return _named("alpha")
        case "Attention" if layer.flag("use_scale"):
            return _named("scale")
        case _:
            return ()


def _named(*names: str, trainable: bool = True) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, trainable=trainable) for name in names)


def _if(present: bool, name: str) -> tuple[str, ...]:
    return (name,) if present else ()


def legacy_slots(layer: LayerConfig) -> list[Slot]:
    """The arrays of a layer and all inside it, as the legacy .h5 lists them."""
    trained, fixed = _split_slots(layer)
    return trained + fixed


def _split_slots(layer: LayerConfig) -> tuple[list[Slot], list[Slot]]:
    """Trainable and other arrays.  A frozen layer's are all "other", in their usual order."""
    own = variables(layer)
    trained = [Slot(path=layer.path, name=entry.name) for entry in own if entry.trainable]
    fixed = [Slot(path=layer.path, name=entry.name) for entry in own if not entry.trainable]
    for child in layer.children.values():
        child_trained, child_fixed = _split_slots(child)
        trained += child_trained
        fixed += child_fixed
    return (trained, fixed) if layer.trainable else ([], trained + fixed)


def store_paths(model: LayerConfig) -> dict[tuple[str, ...], str]:
    """The group of each layer inside `model.weights.h5` (.keras), by the layer's path.

    Keras names groups after classes and counts: layers/gru, layers/gru_1, ..., whatever the
    layers' own names are; the cell of a recurrent layer has a group of its own.
    """
    groups: dict[tuple[str, ...], str] = {}
    _add_store_paths(model, "", groups)
    return groups


def _add_store_paths(layer: LayerConfig, group: str, groups: dict[tuple[str, ...], str]) -> None:
    holds_cell = layer.kind in _RECURRENT and not layer.kind.endswith("Cell")
    groups[layer.path] = f"{group}/cell" if holds_cell else group
    counts: dict[str, int] = {}
    for name, child in layer.children.items():
        if child.is_operation:
            continue
        if layer.is_model:
            below = f"layers/{_counted(child.kind, counts)}"
        elif layer.kind == "StackedRNNCells":
            below = f"cells/{_counted(child.kind, counts)}"
        else:
            below = name
        _add_store_paths(child, f"{group}/{below}" if group else below, groups)


def _counted(kind: str, counts: dict[str, int]) -> str:
    name = snake_case(kind)
    number = counts.get(name, 0)
    counts[name] = number + 1
    return f"{name}_{number}" if number else name


def snake_case(class_name: str) -> str:
    """Keras' name for a class: PReLU -> p_re_lu, Conv1D -> conv1d."""
    word = re.sub(r"\W+", "", class_name)
    word = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", word)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", word).lower()
