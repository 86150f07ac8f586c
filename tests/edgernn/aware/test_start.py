"""Where a fine-tuning starts: the trained model itself, whatever the data are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgernn.aware.start import start_from
from edgernn.export.keras.file import parameters_of
from edgernn.tasks.given import as_samples
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Splits
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def splits_of(offset: float) -> Splits:
    """120 rows of numbers to predict; inputs and answers lie around the offset."""
    x = np.random.default_rng(0).normal(offset, 2.0, (120, 6, 3)).astype(np.float32)
    return split(as_samples((x, 10 * x[:, :, 0].mean(axis=1))))


@pytest.mark.parametrize("offset", [0.0, 7.0], ids=["the same rows", "other rows"])
def test_the_start_answers_as_its_file(offset: float, tmp_path: Path) -> None:
    path, splits = tmp_path / "gru.keras", splits_of(offset)
    recipe = Recipe(units=6, epochs=0)
    train(
        splits_of(0.0), path, task="made up", cell="gru", recipe=recipe,
        count_parameters=parameters_of,
    )  # fmt: skip
    start = start_from(path, splits, recipe)
    found = start.as_deployed(start.to_fit()).predict(splits.test.x, verbose=0)
    wanted = load_keras().models.load_model(path).predict(splits.test.x, verbose=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
