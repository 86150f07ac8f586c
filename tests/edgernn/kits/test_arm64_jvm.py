"""The AAR's library for arm64, in an arm64 JVM under qemu, gives the bits of Python."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgernn import Model
from edgernn.kits import for_android, package
from tests.arm64_root import arm64_root, in_qemu
from tests.edgernn.kits.models import rows
from tests.edgernn.runtime.toolchain import run, tool

pytestmark = pytest.mark.long

JAVA: Final = "usr/lib/jvm/java-17-openjdk-arm64"


@pytest.fixture(scope="module")
def java() -> list[str]:
    qemu = in_qemu()
    program = arm64_root() / JAVA / "bin" / "java"
    flags = ("-Xcheck:jni", "-Xint", "-XX:+UseSerialGC", "-Xshare:off", "-Xmx128m")
    return [*qemu, str(program), *flags]


def test_none_of_10000_numbers_differs_from_python(
    java: list[str], sound: Path, arrays: Path, tmp_path: Path
) -> None:
    for name in ("clang", "ld.lld", "javac"):
        tool(name)
    package(sound, target="android", folder=tmp_path / "kit")
    with zipfile.ZipFile(tmp_path / "kit" / "words.aar") as archive:
        archive.extractall(tmp_path)
    driver = Path(__file__).parent / "Drive.java"
    stubs = sorted((Path(for_android.__file__).parent / "android" / "stubs").glob("*.java"))
    path = tmp_path / "classes.jar"
    run(["javac", "--release", "17", "-cp", path, "-d", tmp_path, driver, *stubs])
    x = rows()
    x.tofile(tmp_path / "x")
    classes = os.pathsep.join((str(path), str(tmp_path)))
    library = f"-Djava.library.path={tmp_path / 'jni' / 'arm64-v8a'}"
    words = ["arrays", arrays, tmp_path / "x", tmp_path / "y"]
    done = subprocess.run(
        [*java, library, "-cp", classes, "Drive", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr  # of -Xcheck:jni
    expected = Model(arrays)(x[None])[0].ravel()
    whole, steps = np.fromfile(tmp_path / "y", np.float32).reshape(2, -1)
    assert whole.size == 10_000
    assert (whole != expected).sum() == (steps != expected).sum() == 0
