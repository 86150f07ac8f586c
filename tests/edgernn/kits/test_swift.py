"""The Swift package, built by Swift for Linux, gives the bits, labels and errors that it should."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgernn import Model
from edgernn.kits import package
from tests.edgernn.kits.heard import DECIDING, heard_by_python, sensed_by_python, sound_of
from tests.edgernn.kits.models import (
    NO_SOUND,
    RATE_HZ,
    SENSOR_ERRORS,
    rhythmic_model,
    rows,
    samples_of_sensors,
    sensor_model,
)
from tests.edgernn.kits.swift_toolchain import Swift, swift
from tests.pages import TOP

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="Swift is fetched for x86_64"),
]

MANIFEST: Final = """// swift-tools-version:5.5
import PackageDescription

let package = Package(
    name: "Drive",
    dependencies: [.package(path: "Packages/Words")],
    targets: [
        .executableTarget(
            name: "Drive", dependencies: [.product(name: "Words", package: "Words")])
    ]
)
"""

ERRORS: Final = {
    "other file": "this is not an .ernn file",
    "no bytes": "the file is shorter or longer than its header says",
    "bytes at an odd address": "no error",
    "half a row": "input x needs a multiple of 40 elements, not 41",
    "no rows": "input x needs a multiple of 40 elements, not 0",
    "two rows": "input x of a step needs 40 elements, not 80",
    "no steps": "maxSteps must be at least 1, not 0",
    "low rate": "the sample rate is below the model's, above 768000, or no simple ratio to it; "
    "sensors need the model's",
    "no recipe": NO_SOUND,
    "no rate": "the sample rate must be at least 1, and smooth too",
    "too loud": "a sample is NaN or infinite, or sound far outside of -1 to 1: divide 16-bit PCM "
    "by 32768",
    "in use": "the listener is in use by another thread: give each one its own",
    "an answer in use": "the listener is in use by another thread: give each one its own",
    "a reset in use": "the listener is in use by another thread: give each one its own",
}


@pytest.fixture(scope="module")
def app(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Swift:
    """A program that has the kit as a package by its path; the tests run it as Drive."""
    folder = tmp_path_factory.mktemp("swift")
    compiler = swift(folder)
    package(sound, target="ios", folder=folder / "Packages" / "Words")
    (folder / "Package.swift").write_text(MANIFEST)
    (folder / "Sources" / "Drive").mkdir(parents=True)
    driver = Path(__file__).parent / "Drive.swift"
    shutil.copy(driver, folder / "Sources" / "Drive" / "main.swift")
    flags = ("--package-path", "/package", "-c", "release", "-Xswiftc", "-warnings-as-errors")
    compiler.must("swift", "build", *flags)
    return compiler


def driven(app: Swift, *words: str) -> str:
    return app.must("/package/.build/release/Drive", *words)


def test_none_of_10000_numbers_differs_from_python(app: Swift, arrays: Path) -> None:
    x = rows()
    x.tofile(app.folder / "x")
    shutil.copy(arrays, app.folder / "arrays.ernn")
    driven(app, "arrays", "/package/arrays.ernn", "/package/x", "/package/y")
    whole, steps = np.fromfile(app.folder / "y", np.float32).reshape(2, -1)
    expected = Model(arrays)(x[None])[0].ravel()
    assert whole.size == 10_000
    assert (whole != expected).sum() == (steps != expected).sum() == 0


def test_a_step_without_a_result_gives_no_row(app: Swift) -> None:
    (app.folder / "step.ernn").write_bytes(rhythmic_model())
    rows(9, 40).tofile(app.folder / "frames")
    lines = driven(app, "rhythm", "/package/step.ernn", "/package/frames").splitlines()
    assert lines == ["0", "0", "5"] * 3


@pytest.mark.parametrize("piece", [160, 30_000])
def test_it_hears_what_python_hears(piece: int, app: Swift, sound: Path) -> None:
    pcm = sound_of()
    pcm.tofile(app.folder / "pcm")
    d = DECIDING
    options = map(str, (RATE_HZ, piece, d.threshold, d.smooth, d.pause_s, d.every_s))
    lines = [line.split() for line in driven(app, "listen", "/package/pcm", *options).splitlines()]
    heard, whole = heard_by_python(sound, pcm, DECIDING)
    assert len(heard) > 4
    assert [label for _, label, _ in lines] == [one.label for one in [*heard, whole]]
    for (seconds, _, score), one in zip(lines, [*heard, whole], strict=True):
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)


def test_bad_input_throws_an_error_that_says_what_is_wrong(
    app: Swift, sound: Path, arrays: Path
) -> None:
    shutil.copy(sound, app.folder / "sound.ernn")
    shutil.copy(arrays, app.folder / "arrays.ernn")
    told = driven(app, "errors", "/package/sound.ernn", "/package/arrays.ernn")
    lines = told.splitlines()
    assert dict(line.split(": ", 1) for line in lines) == ERRORS


def test_a_listener_of_sensors_hears_what_python_hears(app: Swift) -> None:
    (app.folder / "sensors.ernn").write_bytes(sensor_model())
    samples_of_sensors().tofile(app.folder / "samples")
    told = driven(app, "sensors", "/package/sensors.ernn", "/package/samples").splitlines()
    expected = sensed_by_python(app.folder / "sensors.ernn", samples_of_sensors())
    assert len(expected) > 4
    for line, one in zip(told[:-3], [*expected, *expected], strict=True):  # in pieces, and at once
        seconds, label, score = line.split()
        assert label == one.label
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)
    for said, wanted in zip(told[-3:], SENSOR_ERRORS, strict=False):
        assert said.startswith(f"error: {wanted}")


def test_swift_can_parse_the_sample_app(app: Swift) -> None:
    """Its frameworks are Apple's, so that its types cannot be checked here."""
    sources = sorted((TOP / "examples" / "ios").glob("*.swift"))
    assert len(sources) >= 2
    for source in sources:
        shutil.copy(source, app.folder / source.name)
        app.must("swiftc", "-frontend", "-parse", f"/package/{source.name}")
