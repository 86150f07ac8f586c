"""How a stream of sensor samples becomes the rows that a model takes: scaling and windows."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError
from edgernn.recipe.fields import recipe_from

# History of the recipe's format:
#   1  first version
SENSOR_VERSION: Final = 1

_HEADER: Final = "<16I"
_MOST: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorRecipe:
    """Samples of several channels at one rate.  A row is (sample + add) * multiply.

    >>> SensorRecipe(rate_hz=50, channels=("x", "y", "z"), window=100, hop=50).width
    3

    Raises DataError for a value that the C library cannot compute with.
    """

    rate_hz: int  # samples a second
    channels: tuple[str, ...]  # names, in the order in which the model takes them
    window: int = 0  # samples that one answer is for; 0: the model runs sample by sample
    hop: int = 1  # samples from one answer to the next
    add: tuple[float, ...] = ()  # to each channel; minus the mean of training
    multiply: tuple[float, ...] = ()  # then; one over the deviation
    name: str = ""

    def __post_init__(self) -> None:
        limits = {"rate_hz": (1, _MOST), "window": (0, _MOST), "hop": (1, _MOST)}
        for field, (least, most) in limits.items():
            if not least <= getattr(self, field) <= most:
                raise DataError(
                    f"the recipe's {field} is {getattr(self, field)}",
                    remedy=f"It must be {least} to {most}",
                )
        if not 1 <= self.width <= 4096 or len(set(self.channels)) < self.width:
            raise DataError(
                f"the recipe has the channels {', '.join(self.channels) or 'none'}",
                remedy="Name each channel once, at most 4096",
            )
        for field in ("add", "multiply"):
            values = getattr(self, field)
            if values and len(values) != self.width:
                raise DataError(
                    f"the recipe's {field} has {len(values)} numbers for {self.width} channels",
                    remedy="Give one for each channel",
                )
            if not all(abs(value) <= 1e9 for value in values):  # NaN too
                raise DataError(f"the recipe's {field} has numbers beyond 1e9")

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return len(self.channels)

    def rows(self, samples: Any) -> Any:
        """The rows of samples [N, width] as float32, with the roundings of the C library."""
        made = np.asarray(samples, np.float32)
        if self.add or self.multiply:
            add, multiply = _scaling(self)
            made = (made + add) * multiply
        return made

    def description(self) -> str:
        """One line for a reader: what the rows are."""
        window = f", windows of {self.window} every {self.hop}" if self.window else ""
        scaled = " with their scaling" if self.add or self.multiply else ""
        return (
            f"{self.name or 'sensors'}: {', '.join(self.channels)}{scaled}, {self.rate_hz} samples "
            f"a second{window}"
        )

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON values, with its kind and version."""
        entry = asdict(self)
        for field in ("channels", "add", "multiply"):
            entry[field] = list(entry[field])
        return {"kind": "sensor", "version": SENSOR_VERSION, **entry}


def sensor_of(entry: Mapping[str, Any]) -> SensorRecipe:
    """The recipe that `as_json` wrote.  Raises DataError for another kind, version or field."""
    return recipe_from(entry, SensorRecipe, kind="sensor", of="sensors", version=SENSOR_VERSION)


def _scaling(recipe: SensorRecipe) -> tuple[Any, Any]:
    """(add, multiply), [width] of float32 each."""
    add = recipe.add or (0.0,) * recipe.width
    multiply = recipe.multiply or (1.0,) * recipe.width
    return np.array(add, np.float32), np.array(multiply, np.float32)


def sensor_record(recipe: SensorRecipe) -> bytes:
    """The record of ERNN_FRONT_END_SENSOR, version 1."""
    is_scaled = bool(recipe.add or recipe.multiply)
    at = struct.calcsize(_HEADER) if is_scaled else 0
    counts = (recipe.rate_hz, recipe.width, recipe.window, recipe.hop, at)
    header = struct.pack(_HEADER, *counts, *(0,) * 11)
    if not is_scaled:
        return header
    return header + np.concatenate(_scaling(recipe)).astype("<f4").tobytes()
