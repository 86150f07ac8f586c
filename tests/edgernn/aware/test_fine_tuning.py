"""How a trained model is trained again."""

from __future__ import annotations

import pytest

from edgernn.aware.fine_tuning import gentler
from edgernn.tasks.task import Recipe


@pytest.mark.parametrize(("given", "wanted"), [(50, 15), (8, 8), (0, 0)])
def test_fine_tuning_is_short_and_gentle_and_its_rate_falls_to_0(given: int, wanted: int) -> None:
    recipe = Recipe(units=8, epochs=given, patience=5, learning_rate=0.02)
    tuning = gentler(recipe)
    assert tuning == Recipe(units=8, epochs=wanted, patience=0, learning_rate=0.01)
