"""Grids of trained weights, as a .keras file keeps them: `edgernn.json`, "grids"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgernn.errors import ModelFileError
from edgernn.graph import FloatArray, Graph, QTensor, WeightGrid, content_key

#: Largest numbers of the grids that edgernn trains on: int8, int4, int3, int3 of older files,
#: ternary.
_KNOWN: Final = (127, 7, 4, 3, 1)


def as_json(variable: str, weight: FloatArray, grid: WeightGrid) -> dict[str, Any]:
    """One entry: found again by the content of the array, so that a changed one has none."""
    return {
        "variable": variable,
        "content": content_key(weight),
        "most": grid.most,
        "by_row": grid.by_row,
        "step": [float(step) for step in grid.step],
    }


def with_grids(graph: Graph, entries: Iterable[Any], *, where: str) -> Graph:
    """The graph with the grids of its weights.  Entries of other arrays are left out.

    Raises ModelFileError for a grid that does not hold the array that it names.
    """
    arrays = {
        content_key(weight): weight
        for layer in graph.layers
        for weight in layer.weights.values()
        if not isinstance(weight, QTensor)
    }
    grids: dict[str, WeightGrid] = {}
    for entry in entries:
        content, grid = _parsed(entry, where)
        if content not in arrays:
            continue
        if not grid.holds(np.asarray(arrays[content], np.float32)):
            raise _damaged(where, f"{entry.get('variable')} is not on its grid")
        grids[content] = grid
    return replace(graph, grids=grids) if grids else graph


def _parsed(entry: Any, where: str) -> tuple[str, WeightGrid]:
    if not isinstance(entry, Mapping):
        raise _damaged(where, "a grid is no object")
    try:
        step = np.asarray(entry["step"], np.float32)
        grid = WeightGrid(step=step, most=entry["most"], by_row=bool(entry["by_row"]))
        content = str(entry["content"])
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(where, f"a grid is incomplete: {error}") from error
    if grid.most not in _KNOWN or step.ndim != 1 or not (np.isfinite(step) & (step > 0)).all():
        raise _damaged(where, "a grid has impossible steps")
    return content, grid


def _damaged(where: str, what: str) -> ModelFileError:
    return ModelFileError(
        f"{where}: its edgernn.json is damaged ({what})",
        remedy="Save the trained model again, with the save() of edgernn.quantization_aware",
    )
