"""Model files that kits are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edgernn.kits.models import array_model, sound_model


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "words.int8.ernn"
    path.write_bytes(sound_model())
    return path


@pytest.fixture(scope="session")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arrays") / "sensors.int8.ernn"
    path.write_bytes(array_model())
    return path
