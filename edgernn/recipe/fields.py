"""A recipe from its JSON values: one reading for those of sound, sensors and text."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields
from reprlib import repr as shortened
from typing import Any, Final, TypeVar

from edgernn.errors import DataError

_Recipe = TypeVar("_Recipe")

#: What an element of a list may be, by the type of its field.
_ELEMENTS: Final[dict[str, tuple[type, ...]]] = {
    "tuple[float, ...]": (int, float),
    "tuple[str, ...]": (str,),
    "tuple[str | None, ...]": (str, type(None)),
}
_SINGLE: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "float": (int, float),
    "int": (int,),
    "int | None": (int, type(None)),
    "str": (str,),
}


def recipe_from(
    entry: Mapping[str, Any], made: type[_Recipe], *, kind: str, of: str, version: int
) -> _Recipe:
    """The recipe whose fields `entry` has, beside its "kind" and "version".

    made: the dataclass of the recipe.  of: what it is for, in messages.  version: the newest one
    that is read.  A field that is not known is an error: leaving out a step gives other numbers.
    Raises DataError for another kind, version, field or type, and for a field that is missing.

    >>> values = {"rate_hz": 50, "channels": ["x", "y"]}
    >>> recipe_from(values, SensorRecipe, kind="sensor", of="sensors", version=1).width
    2
    """
    values = dict(entry)
    found, written = values.pop("kind", kind), values.pop("version", version)
    if found != kind:
        raise DataError(f"the recipe is of the kind {found!r}, not {kind}")
    if type(written) is not int or written > version:
        raise DataError(
            f"the recipe of {of} has format {written}; this edgernn reads up to {version}",
            remedy="Update edgernn",
        )
    known: dict[str, Field[Any]] = {one.name: one for one in fields(made)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise DataError(
                f"a recipe of {of} has no '{name}'", remedy=f"The fields are {', '.join(known)}"
            )
        values[name] = _typed(name, value, str(known[name].type))
    missing = [name for name, one in known.items() if one.default is MISSING and name not in values]
    if missing:
        raise DataError(f"the recipe of {of} has no {', '.join(missing)}")
    return made(**values)


def _typed(name: str, value: Any, kind: str) -> Any:
    """The value in its field's type.  Raises DataError for one of another type."""
    elements = _ELEMENTS.get(kind, ())
    with suppress(OverflowError):  # of a whole number that no float is near
        if type(value) in _SINGLE.get(kind, ()):
            return float(value) if kind == "float" else value
        if isinstance(value, list | tuple) and elements and {*map(type, value)} <= {*elements}:
            return tuple(map(float, value)) if float in elements else tuple(value)
    raise DataError(
        f"the recipe's {name} is {shortened(value)}", remedy=f"It must be of the type {kind}"
    )
