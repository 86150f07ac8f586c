"""The recipe of sensors: its forms, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.recipe import SensorRecipe, front_end_named, rows_of_text, rows_text
from edgernn.recipe.sensor import sensor_of

RECIPE = SensorRecipe(rate_hz=50, channels=("x", "y"), window=100, hop=25, add=(1.0, -0.5))


def test_json_gives_the_recipe_back() -> None:
    assert rows_of_text(rows_text(RECIPE), where="a file") == RECIPE


def test_a_file_names_the_channels_and_their_scaling(tmp_path: Path) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(
        'kind = "sensor"\nrate_hz = 50\nchannels = ["x", "y"]\nwindow = 100\nhop = 25\n'
        "add = [1, -0.5]\n"
    )
    assert front_end_named(str(path)) == RECIPE


def test_rows_are_scaled_channel_by_channel() -> None:
    scaled = replace(RECIPE, multiply=(2.0, 4.0)).rows([[1, 1], [3, 0.5]])
    assert scaled.tolist() == [[4.0, 2.0], [8.0, 0.0]]
    assert scaled.dtype == np.float32
    assert replace(RECIPE, add=()).rows([[1, 1]]).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "format 2; this edgernn reads up to 1"),
        ({"kind": "radar"}, "of the kind 'radar'"),
        ({"median": 3}, "no 'median'"),
        ({"rate_hz": 50.0}, "rate_hz is 50.0"),
        ({"rate_hz": 0}, "rate_hz is 0"),
        ({"channels": ["x", "x"]}, "channels x, x"),
        ({"channels": []}, "channels none"),
        ({"hop": 0}, "hop is 0"),
        ({"add": [1.0]}, "1 numbers for 2 channels"),
        ({"multiply": [1.0, float("nan")]}, "beyond 1e9"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        sensor_of({**RECIPE.as_json(), **change})
