"""The recipe inside a .keras file: a member of the archive that Keras does not read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Final

from edgernn.errors import DataError
from edgernn.recipe.stored_kinds import RowRecipe, rows_of_text

MEMBER: Final = "edgernn.json"

# History of the member's format:
#   1  first version: {"version": 1, "front_end": the recipe}
_VERSION: Final = 1


def keep_recipe(model: Path, recipe: RowRecipe) -> None:
    """Adds the recipe to the archive that Keras wrote."""
    entry = {"version": _VERSION, "front_end": recipe.as_json()}
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), json.dumps(entry, indent=1))


def recipe_in(content: bytes, *, where: str) -> RowRecipe | None:
    """The recipe in the member's text.  Raises DataError for one that is damaged or newer."""
    try:
        entry = json.loads(content)["front_end"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{where}: its {MEMBER} is damaged ({error})") from error
    return None if entry is None else rows_of_text(json.dumps(entry), where=where)
