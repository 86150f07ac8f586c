"""Which wheels a target gets: what is said where nobody makes one."""

from __future__ import annotations

import pytest

from edgernn.devices.runners import wheels
from edgernn.devices.runners.outcome import Skipped
from edgernn.devices.runners.wheels import Platform

TFLITE = ("ai-edge-litert", "tflite-runtime")


@pytest.mark.parametrize(
    ("python", "packages", "expected"),
    [
        ((3, 13), TFLITE, "tflite-runtime ends with Python 3.11; profile the .ernn file there"),
        ((3, 12), TFLITE, "no TFLite runtime has a wheel for Python 3.12 on armv7l"),
        ((3, 11), TFLITE, "no package of ai-edge-litert for Python 3.11 on armv7l"),
        ((3, 13), ("onnxruntime",), "no package of onnxruntime for Python 3.13 on armv7l"),
    ],
)
def test_a_python_without_wheels_is_told_why_and_what_to_do(
    python: tuple[int, int],
    packages: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pip finds none here, as it does with PyPI for 32-bit ARM."""
    monkeypatch.setattr(wheels, "_download", lambda *_words: "No matching distribution found")
    platform = Platform(python=python, machine="armv7l", glibc_minor=41)
    skipped = wheels._fetched(platform, packages)
    assert isinstance(skipped, Skipped)
    assert expected in skipped.reason
