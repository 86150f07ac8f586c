"""A plain Keras model with its weights on the grids of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgernn.aware.weights import OnGrid
from edgernn.export.keras.grids import as_json
from edgernn.recipe import RowRecipe
from edgernn.recipe.keras_file import keep_member
from edgernn.tasks.keras_backend import load_keras


def copied(model: Any) -> Any:
    """Another model of the same layers and weights.  Never compiled: a file has no moments."""
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deployed:
    """A plain Keras model with its weights on their grids."""

    model: Any
    grids: tuple[Mapping[str, Any], ...]  # as `edgernn.json` has them

    def save(self, path: Path, recipe: RowRecipe | None = None) -> None:
        """Writes a .keras file that Keras loads without edgernn, the grids inside."""
        self.model.save(path)
        keep_member(path, recipe, list(self.grids))


def deployed(model: Any, weights: Sequence[OnGrid]) -> Deployed:
    """A copy of a plain model, its weights rounded to their grids."""
    copy = copied(model)
    grids = []
    for one in weights:
        variable = copy.weights[one.position]
        exact = np.asarray(variable, np.float32)
        grid = one.grid(exact)
        rounded = grid.values(grid.numbers(exact))
        variable.assign(rounded)
        grids.append(as_json(one.variable, rounded, grid))
    return Deployed(model=copy, grids=tuple(grids))
