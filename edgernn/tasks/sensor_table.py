"""Samples of sensors as a CSV file: a column for each channel, a line for each sample."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.recipe import SensorRecipe
from edgernn.regular_file import opened


def read_samples(path: Path, recipe: SensorRecipe) -> npt.NDArray[np.float32]:
    """[samples, channels] of the columns that the recipe names; others are left out.

    Raises DataError for a missing column and for what is no number.
    """
    try:
        with opened(path) as file:
            lines = file.read().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a table of UTF-8 text ({error})") from error
    header, *rows = list(csv.reader(lines)) or [[]]
    names = [name.strip() for name in header]
    missing = [name for name in recipe.channels if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}",
            remedy=f"The model takes {', '.join(recipe.channels)}, {recipe.rate_hz} samples a "
            "second; name the columns in the first line",
        )
    columns = [names.index(name) for name in recipe.channels]
    found = [_sample(path, number, row, columns) for number, row in enumerate(rows, 2) if row]
    if not found:
        raise DataError(f"{path} has no samples")
    return np.array(found, np.float32)


def _sample(path: Path, line: int, row: list[str], columns: list[int]) -> list[Any]:
    try:
        return [float(row[column]) for column in columns]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{path}, line {line}: a sample is not a number for each channel ({error})"
        ) from error
