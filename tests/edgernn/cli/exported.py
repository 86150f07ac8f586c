"""The model that the tests of `edgernn export` export, and what lies in a folder then."""

from __future__ import annotations

from pathlib import Path

from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()
