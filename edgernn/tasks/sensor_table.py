"""Samples of sensors as a CSV file: a column for each channel, a line for each sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.recipe import SensorRecipe
from edgernn.tasks.csv_file import read_table


def read_samples(path: Path, recipe: SensorRecipe) -> npt.NDArray[np.float32]:
    """[samples, channels] of the columns that the recipe names; others are left out.

    Raises DataError for a missing column and for what is no finite number.
    """
    table = read_table(path)
    missing = [name for name in recipe.channels if name not in table.header]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}",
            remedy=f"The model takes {', '.join(recipe.channels)}, {recipe.rate_hz} samples a "
            "second; name the columns in the first line",
        )
    return table.numbers(recipe.channels, remedy="A sample has a number for each channel")
