"""Front ends as data: how what a device records becomes the rows that a model takes."""

from __future__ import annotations

from typing import TypeAlias

from edgernn.recipe.keras_file import keep_recipe
from edgernn.recipe.presets import FAMILIES, TRAINED_ON, front_end_named, preset
from edgernn.recipe.sensor import SensorRecipe, sensor_of, sensor_record
from edgernn.recipe.sound import SoundRecipe, recipe_of_text, recipe_text, sound_of
from edgernn.recipe.stored_kinds import RowRecipe, record_of, rows_of, rows_of_text, rows_text
from edgernn.recipe.tables import sound_record
from edgernn.recipe.text import TextRecipe, text_of, text_recipe_text, text_record

#: How what a device records or a person writes becomes the input of a model.
FrontEndRecipe: TypeAlias = RowRecipe | TextRecipe

__all__ = [
    "FAMILIES",
    "TRAINED_ON",
    "FrontEndRecipe",
    "RowRecipe",
    "SensorRecipe",
    "SoundRecipe",
    "TextRecipe",
    "front_end_named",
    "keep_recipe",
    "preset",
    "recipe_of_text",
    "recipe_text",
    "record_of",
    "rows_of",
    "rows_of_text",
    "rows_text",
    "sensor_of",
    "sensor_record",
    "sound_of",
    "sound_record",
    "text_of",
    "text_recipe_text",
    "text_record",
]
