"""The extensions for Kotlin compile without a warning and give what Python gives."""

from __future__ import annotations

import os
import platform
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgernn import Model
from edgernn.kits import package
from tests.edgernn.kits.heard import DECIDING, heard_by_python, sensed_by_python, sound_of
from tests.edgernn.kits.models import (
    RATE_HZ,
    SENSOR_ERRORS,
    rhythmic_model,
    rows,
    samples_of_sensors,
    sensor_model,
)
from tests.edgernn.kits.npm_tools import npm_tools
from tests.edgernn.runtime.toolchain import run, tool

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="runs the library for x86_64"),
]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def program(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs Use.kt with the AAR's classes and its x86_64 library."""
    java = tool("java")
    home = npm_tools() / "kotlin-compiler"
    folder = tmp_path_factory.mktemp("kotlin")
    package(sound, target="android", folder=folder / "kit")
    with zipfile.ZipFile(folder / "kit" / "words.aar") as archive:
        archive.extractall(folder)
    compiler = ("-cp", home / "lib" / "kotlin-compiler.jar")
    flags = ("-kotlin-home", home, "-Werror", "-jvm-target", "1.8", "-d", folder / "out")
    sources = (folder / "kit" / "kotlin" / "Ernn.kt", HERE / "Use.kt")
    run(
        [
            *(java, *compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", *flags),
            *("-cp", folder / "classes.jar", *sources),
        ]
    )
    jars = (folder / "classes.jar", home / "lib" / "kotlin-stdlib.jar", folder / "out")
    path = os.pathsep.join(map(str, jars))
    library = f"-Djava.library.path={folder / 'jni' / 'x86_64'}"
    return [java, "-Xcheck:jni", library, "-cp", path, "UseKt"]


def test_none_of_10000_numbers_differs_from_python(
    program: list[str], arrays: Path, tmp_path: Path
) -> None:
    x = rows()
    x.tofile(tmp_path / "x")
    subprocess.run([*program, "arrays", arrays, tmp_path / "x", tmp_path / "y"], check=True)
    given = np.fromfile(tmp_path / "y", np.float32)
    assert given.size == 10_000
    assert (given != Model(arrays)(x[None])[0].ravel()).sum() == 0


def test_steps_without_a_result_are_left_out(program: list[str], tmp_path: Path) -> None:
    (tmp_path / "step.ernn").write_bytes(rhythmic_model())
    rows(9, 40).tofile(tmp_path / "x")
    words = ("arrays", tmp_path / "step.ernn", tmp_path / "x", tmp_path / "y")
    subprocess.run([*program, *map(str, words)], check=True)
    session = Model(tmp_path / "step.ernn").session()
    expected = [answer for row in rows(9, 40) if (answer := session.step(row)) is not None]
    assert len(expected) == 3
    np.testing.assert_array_equal(np.fromfile(tmp_path / "y", np.float32), np.concatenate(expected))


def test_a_sequence_of_sound_gives_the_labels_of_python(
    program: list[str], sound: Path, tmp_path: Path
) -> None:
    pcm = sound_of()
    pcm.tofile(tmp_path / "pcm")
    command = [*program, "listen", str(sound), str(tmp_path / "pcm"), str(RATE_HZ), "777"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heard, _ = heard_by_python(sound, pcm, DECIDING)
    assert [line.split()[1] for line in done.stdout.splitlines()] == [one.label for one in heard]


def test_a_sequence_of_sensors_samples_gives_the_labels_of_python(
    program: list[str], tmp_path: Path
) -> None:
    model = tmp_path / "sensors.ernn"
    model.write_bytes(sensor_model())
    samples_of_sensors().tofile(tmp_path / "samples")
    command = [*program, "sensors", str(model), str(tmp_path / "samples")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *heard, error = done.stdout.splitlines()
    *expected, _ = sensed_by_python(model, samples_of_sensors())
    assert len(expected) > 3
    for line, one in zip(heard, expected, strict=True):
        seconds, label, score = line.split()
        assert label == one.label
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)
    assert error.startswith(SENSOR_ERRORS[1])
