"""Model files that kits are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgernn.kits import package
from tests.edgernn.kits.models import array_model, sound_model
from tests.edgernn.runtime.toolchain import tool


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


@pytest.fixture(scope="session")
def pages(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit for the web of the model of sound, with the demo; to be copied, not changed."""
    for name in ("clang", "wasm-ld"):
        tool(name)
    folder = tmp_path_factory.mktemp("pages") / "web"
    package(sound, target="web", folder=folder, demo=True)
    return folder


@pytest.fixture(scope="session")
def android(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit for Android of the model of sound."""
    for name in ("clang", "ld.lld", "javac", "java"):
        tool(name)
    folder = tmp_path_factory.mktemp("android")
    package(sound, target="android", folder=folder)
    return folder
