"""Front ends as data: how what a device records becomes the rows that a model takes."""

from __future__ import annotations

from edgernn.recipe.keras_file import keep_recipe
from edgernn.recipe.presets import FAMILIES, TRAINED_ON, front_end_named, preset
from edgernn.recipe.sound import SoundRecipe, recipe_of_text, recipe_text, sound_of
from edgernn.recipe.tables import sound_record

__all__ = [
    "FAMILIES",
    "TRAINED_ON",
    "SoundRecipe",
    "front_end_named",
    "keep_recipe",
    "preset",
    "recipe_of_text",
    "recipe_text",
    "sound_of",
    "sound_record",
]
