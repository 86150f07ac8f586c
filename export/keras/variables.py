"""The weights of a layer, in the order in which Keras stores them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import Variable
from edgernn.export.keras.recurrent import CELL_KINDS, CELLS
from edgernn.export.keras.translations import CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where one array belongs: the layer's path and the variable's name."""

    path: tuple[str, ...]
    name: str


def variables(layer: LayerConfig) -> tuple[Variable, ...]:
    """The layer's own arrays (not those of layers inside it), in Keras' order."""
    running = CELLS.get(layer.kind)  # a cell has the arrays of the layer that runs it
    known = CLASSES.get(running or layer.kind)
    return known.variables(layer) if known is not None else ()


def legacy_slots(layer: LayerConfig) -> list[Slot]:
    """The arrays of a layer and all layers inside it, in the order of the legacy .h5."""
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
    groups[layer.path] = f"{group}/cell" if layer.kind in CELL_KINDS else group
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
