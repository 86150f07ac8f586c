"""Recipes of rows of any kind, from the JSON text of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from edgernn.errors import DataError
from edgernn.recipe.sensor import SensorRecipe, sensor_of, sensor_record
from edgernn.recipe.sound import SoundRecipe, sound_of
from edgernn.recipe.tables import sound_record

#: How samples of a device become rows of floats.
RowRecipe: TypeAlias = SoundRecipe | SensorRecipe


def rows_of(entry: Mapping[str, Any]) -> RowRecipe:
    """The recipe that `as_json` of either kind wrote; of sound where no kind is named.

    Raises DataError for another kind, version or field.
    """
    return sensor_of(entry) if entry.get("kind") == "sensor" else sound_of(entry)


def rows_text(recipe: RowRecipe) -> str:
    """The recipe as the JSON text that files store."""
    return json.dumps(recipe.as_json(), separators=(",", ":"))


def record_of(recipe: RowRecipe) -> bytes:
    """The record of its kind for an .ernn file."""
    return sensor_record(recipe) if isinstance(recipe, SensorRecipe) else sound_record(recipe)


def rows_of_text(text: str, *, where: str) -> RowRecipe:
    """The recipe in a file's text.  Raises DataError, naming the file."""
    try:
        return rows_of({**json.loads(text)})
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{where}: the recipe of its features is damaged ({error})") from error
    except DataError as error:
        raise DataError(f"{where}: {error.what}", remedy=error.remedy) from error
