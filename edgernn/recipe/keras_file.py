"""What edgernn keeps inside a .keras file: a member of the archive that Keras does not read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgernn.errors import DataError
from edgernn.recipe.stored_kinds import RowRecipe, rows_of_text

MEMBER: Final = "edgernn.json"

# History of the member's format:
#   1  first version: {"version": 1, "front_end": the recipe}
#   2  front_end may be null; "grids", a list, for weights that were trained on a grid
_VERSION: Final = 2


def keep_recipe(model: Path, recipe: RowRecipe) -> None:
    """Adds the recipe to the archive that Keras wrote."""
    keep_member(model, recipe)


def keep_member(
    model: Path, recipe: RowRecipe | None, grids: list[Mapping[str, Any]] | None = None
) -> None:
    """Adds the recipe, and grids as JSON has them, to the archive that Keras wrote."""
    import zipfile  # 4 modules of compression, which no run of a model needs

    entry: dict[str, Any] = {"version": _VERSION, "front_end": recipe and recipe.as_json()}
    if grids:
        entry["grids"] = grids
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), json.dumps(entry, indent=1))


def recipe_in(content: bytes | str, *, where: str) -> RowRecipe | None:
    """The recipe in the member's text.  Raises DataError for one that is damaged or newer."""
    try:
        entry = json.loads(content)["front_end"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{where}: its {MEMBER} is damaged ({error})") from error
    return None if entry is None else rows_of_text(json.dumps(entry), where=where)


def grids_in(content: bytes | str, *, where: str) -> list[Any]:
    """The grids in the member's text, as JSON has them.  Raises DataError."""
    try:
        found = json.loads(content).get("grids", [])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{where}: its {MEMBER} is damaged ({error})") from error
    if not isinstance(found, list):
        raise DataError(f"{where}: its {MEMBER} is damaged (grids is no list)")
    return found
