"""The same rows in batches of several sizes, beside empty rows, and again: answers must not change.

A runtime may read memory that another row, or the call before, left behind.  That shows only where
rows of one batch have different lengths, and often from the second call on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.noise import Spread
from edgernn.graph import AnyArray, AnyNotEqual, Graph, GraphError, NotEqual, at_shapes, batch_size
from edgernn.units import percent

#: Batches that a masked model is tried with; without masks, rows cannot have different lengths.
MASKED_SIZES: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9)
SIZES: Final = (1, 2, 3, 8)

#: Where the number of steps is free, so many show what a batch does to a row.
_MOST_STEPS: Final = 32

#: How far the errors of one row may lie apart, in units of the outputs' spread.  Schemes that draw
#: scales around a whole batch give a few percent.
_APART: Final = 0.25

_EMPTY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch(Case):
    """A call, and which row each of its rows is; a row without any valid step is -1."""

    rows: tuple[int, ...]


def has_masks(graph: Graph) -> bool:
    return any(isinstance(layer, NotEqual | AnyNotEqual) for layer in graph.layers)


def batches(graph: Graph, arguments: Mapping[str, AnyArray]) -> tuple[Batch, ...]:
    """Calls made of the first rows of `arguments` ([rows, ...] by input name), in turn."""
    pool = _short(graph, arguments)
    rows, masked = len(next(iter(pool.values()))), _masked_inputs(graph)
    own = batch_size(graph)
    sizes = [own] if own is not None else list(MASKED_SIZES if masked else SIZES)
    made = []
    for size in sizes:
        chosen = tuple(row % rows for row in range(size))
        shifted = tuple((row + 1) % rows for row in range(size))
        for picked in dict.fromkeys((chosen, shifted)) if own is not None else [chosen]:
            made.append(_batch(pool, picked, {}))
            places = _empty_places(size) if masked else []
            made += [_batch(pool, picked, masked, empty=empty) for empty in places]
    return tuple(made)


def _empty_places(size: int) -> list[int]:
    """The last row; and the first, where others follow."""
    return [size - 1] if size == 1 else [size - 1, 0]


def _batch(
    pool: Mapping[str, AnyArray],
    chosen: Sequence[int],
    masked: Mapping[str, float],
    *,
    empty: int | None = None,
) -> Batch:
    inputs = {name: array[list(chosen)] for name, array in pool.items()}
    rows = list(chosen)
    if empty is not None:
        rows[empty] = _EMPTY
        for name, value in masked.items():
            inputs[name][empty] = value
    beside = "" if empty is None else f", row {empty} empty"
    return Batch(name=f"batch of {len(rows)}{beside}", inputs=inputs, rows=tuple(rows))


def _masked_inputs(graph: Graph) -> dict[str, float]:
    """The value that marks padding, by input."""
    inputs = {entry.name for entry in graph.inputs}
    return {
        layer.input: layer.value
        for layer in graph.layers
        if isinstance(layer, NotEqual | AnyNotEqual) and layer.input in inputs
    }


def _short(graph: Graph, arguments: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    most = max(MASKED_SIZES)
    pool = {name: array[:most] for name, array in arguments.items()}
    cut = {
        entry.name: pool[entry.name][:, :_MOST_STEPS]
        if entry.spec.rank > 1 and entry.spec.shape[1] is None
        else pool[entry.name]
        for entry in graph.inputs
    }
    try:
        at_shapes(graph, {name: array.shape for name, array in cut.items()})
    except GraphError:
        return pool
    return cut


def check_rows_agree(
    name: str,
    calls: Sequence[Batch],
    actual: Sequence[Mapping[str, AnyArray]],
    expected: Sequence[Mapping[str, AnyArray]],
    spreads: Mapping[str, Spread],
) -> None:
    """Raises VerificationError where a row's error depends on the rows beside it."""
    for output, spread in spreads.items():
        least: dict[int, float] = {}
        most: dict[int, tuple[float, str]] = {}
        for call, here, there in zip(calls, actual, expected, strict=True):
            errors = spread.by_row(there[output], here[output])
            for row, error in zip(call.rows, errors, strict=True):
                least[row] = min(least.get(row, np.inf), error)
                most[row] = max(most.get(row, (-1.0, "")), (error, call.name))
        for row, (error, where) in most.items():
            if not error - least[row] <= _APART:
                raise VerificationError(
                    f"{name} answers otherwise in a {where}: a row of output '{output}' is off by "
                    f"{percent(error, digits=0)} of the spread there, and by "
                    f"{percent(least[row], digits=0)} elsewhere",
                    remedy="The artefact was not written. Please report this model; --no-verify "
                    "writes it all the same",
                )
