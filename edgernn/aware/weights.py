"""Which variables of a Keras model are trained on a grid, and on which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.aware.ends import givers_of_answers, readers_of_inputs
from edgernn.errors import WrongOption
from edgernn.export.keras.object import from_keras
from edgernn.export.quantization.trained_grid import LEVELS, THREE_BITS, kept_grid, trained_grid
from edgernn.graph import (
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Lstm,
    SimpleRnn,
    WeightGrid,
    content_key,
)

#: Numbers on each side of 0, in what keeps 8 bits whatever the scheme.
_BYTES: Final = LEVELS["int8"]
#: At least, at the two ends of a model (docs/int4.md).  A file has 4 bits for fewer, too.
_AT_ENDS: Final = LEVELS["int4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnGrid:
    """A weight that is trained on a grid: its place in the model, and its numbers."""

    variable: str  # Keras' path of it
    position: int  # in keras.Model.weights
    most: int
    by_row: bool
    #: The grid of the weight as it was at first.  That of int3 stays (docs/int4.md).
    kept: WeightGrid | None = None

    def grid(self, weight: FloatArray) -> WeightGrid:
        if self.kept is not None:
            return kept_grid(self.kept, weight)
        return trained_grid(weight, self.most, by_row=self.by_row)

    def rounded(self, weight: FloatArray) -> FloatArray:
        grid = self.grid(weight)
        return grid.values(grid.numbers(weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is trained on a grid, and the matrices that stay float."""

    weights: tuple[OnGrid, ...]
    left: tuple[str, ...]  # paths of variables


def levels_of(scheme: str) -> int:
    """Raises WrongOption."""
    if scheme not in LEVELS:
        raise WrongOption(
            f"there is no training for '{scheme}'", remedy=f"Choose {', '.join(LEVELS)}"
        )
    return LEVELS[scheme]


def chosen_weights(model: Any, scheme: str) -> Choice:
    """The weights that an export would quantize, found by their content in the exported graph.

    Raises WrongOption for another scheme or a model without such weights, and as `edgernn.load`.
    """
    most = levels_of(scheme)
    wanted: dict[str, tuple[int, bool]] = {}
    for array, numbers, by_row in _all_matrices(from_keras(model).graph, most):
        # Shared weights, and those that start alike, are one entry: the larger grid holds them all.
        known, known_by_row = wanted.get(content_key(array), (0, by_row))
        wanted[content_key(array)] = (max(numbers, known), by_row and known_by_row)
    found: list[OnGrid] = []
    left: list[str] = []
    for position, variable in enumerate(model.weights):
        if not str(variable.dtype).startswith("float") or len(variable.shape) < 2:
            continue
        array = np.asarray(variable, np.float32)
        key = content_key(array)
        if key in wanted:
            numbers, by_row = wanted[key]
            kept = trained_grid(array, numbers) if numbers == THREE_BITS else None
            found.append(
                OnGrid(
                    variable=variable.path,
                    position=position,
                    most=numbers,
                    by_row=by_row,
                    kept=kept,
                )
            )
        elif variable.trainable and not variable.path.endswith("bias"):
            left.append(variable.path)
    if not found:
        raise WrongOption(
            f"the model '{model.name}' has no weights that {scheme} could hold: no Dense, Conv, "
            "Embedding, GRU, LSTM or SimpleRNN layer with a kernel of its own",
            remedy="Train it in float",
        )
    return Choice(weights=tuple(found), left=tuple(left))


def _all_matrices(graph: Graph, most: int) -> Iterator[tuple[FloatArray, int, bool]]:
    first, last = readers_of_inputs(graph, _holds), givers_of_answers(graph, _holds)
    for layer in graph.layers:
        for field, array, numbers, by_row in _matrices(layer, most):
            at_end = layer.name in first or (layer.name in last and isinstance(layer, Dense))
            if at_end and field == "kernel":
                yield array, max(numbers, _AT_ENDS), by_row
            else:
                yield array, numbers, by_row


def _holds(layer: Layer) -> bool:
    return any(_matrices(layer, _BYTES))


def _matrices(layer: Layer, most: int) -> Iterator[tuple[str, FloatArray, int, bool]]:
    numbers, by_row = most, False
    match layer:
        case Dense() | Gru() | Lstm() | SimpleRnn():
            pass
        case Conv1D() | Conv2D():  # a channel by itself has too few weights for 4 bits
            numbers = most if layer.groups == 1 else _BYTES
        case Embedding():
            numbers, by_row = _BYTES, True
        case _:
            return
    for field in ("kernel", "recurrent_kernel", "table"):
        array = layer.weights.get(field)
        if isinstance(array, np.ndarray):
            yield field, np.asarray(array, np.float32), numbers, by_row
