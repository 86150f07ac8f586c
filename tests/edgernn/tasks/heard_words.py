"""Words that are trained and exported as a person would: recordings in, an int8 model out."""

from __future__ import annotations

from pathlib import Path

import edgernn
from edgernn.export.keras.file import parameters_of
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import train


def trained_int8(splits: Splits, folder: Path, *, epochs: int) -> edgernn.Model:
    """A GRU of 48 units, trained for `epochs` and calibrated on the splits' own rows."""
    train(
        splits,
        folder / "words.keras",
        task="words",
        cell="gru",
        recipe=Recipe(units=48, epochs=epochs),
        count_parameters=parameters_of,
    )
    made = edgernn.load(folder / "words.keras").export(
        folder / "out", to="native", scheme="int8", calibrate=splits.calibration.x
    )
    return edgernn.Model(made["native"].path)
