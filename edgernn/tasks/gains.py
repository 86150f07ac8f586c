"""Recordings of one loudness train a model that hears one loudness: training rows get others."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.recipe import SoundRecipe
from edgernn.recipe.tables import cosines
from edgernn.tasks.samples import Samples, Splits

#: Of the sound, in decibels: a person farther away, or a microphone set higher.
SOFTEST_DB: Final = -24.0
LOUDEST_DB: Final = 6.0


def with_gains(splits: Splits, seed: int) -> Splits:
    """The parts with each second training row as softer or louder sound gives it.

    Half of the rows stay as they are, and so do the rows of the other parts.  A gain adds one
    number to every logarithm, so it can be applied to features; energies at the recipe's floor stay
    there.  Rows of features whose recipe has no logarithm (PCEN takes loudness out itself), and of
    what is no sound, stay too.
    """
    train = splits.train
    recipe = train.front_end
    if not isinstance(recipe, SoundRecipe) or recipe.compression != "log":
        return splits
    return replace(splits, train=replace(train, x=_louder(train, recipe, seed)))


def _louder(train: Samples, recipe: SoundRecipe, seed: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng([seed, len(train)])
    decibels = rng.uniform(SOFTEST_DB, LOUDEST_DB, len(train))
    decibels[rng.permutation(len(train))[: len(train) // 2]] = 0.0
    powers = 2.0 if recipe.spectrum == "power" else 1.0
    shift = decibels / 20 * np.log(10) * powers * recipe.log_scale  # [N], of each logarithm
    first, last = train.real_steps()
    steps = np.arange(train.x.shape[1])
    is_real = (steps >= first[:, None]) & (steps <= last[:, None])
    added = (is_real * shift[:, None])[..., None] * response(recipe)
    rows = train.x + added
    if not recipe.coefficients and not recipe.add:
        lowest = recipe.log_scale * np.log(recipe.floor + recipe.log_add) + recipe.log_shift
        multiply = np.asarray(recipe.multiply) if recipe.multiply else 1.0
        rows = np.where(added != 0, np.maximum(rows, lowest * multiply), rows)
    return np.asarray(rows, np.float32)


def response(recipe: SoundRecipe) -> npt.NDArray[np.float64]:
    """What adding 1 to every logarithm adds to a row, [width]."""
    row = np.ones(recipe.width)
    if recipe.coefficients:
        row = cosines(recipe).sum(axis=1)
    return row * (np.asarray(recipe.multiply) if recipe.multiply else 1.0)
