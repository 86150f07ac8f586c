"""The AAR: its x86_64 library in this machine's JVM gives the bits of Python."""

from __future__ import annotations

import json
import platform
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn import Model
from edgernn.kits import for_android, package
from edgernn.kits.check_aar import check_aar
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
from tests.edgernn.runtime.toolchain import run, tool

ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64", "x86")
ERRORS = {
    "null bytes": "the model's bytes are null",
    "a .tflite": "this is not an .ernn file",
    "other file": "this is not an .ernn file",
    "no bytes": "the file is shorter or longer than its header says",
    "null array": "input x needs a float[], not null",
    "null arrays": "the model takes 1 inputs, not 0",
    "other type": "input x needs a float[], not double[]",
    "half a row": "input x needs a multiple of 40 elements, not 41",
    "two rows": "input x of a step needs 40 elements",
    "low rate": "the sample rate is below the model's, above 768000, or no simple ratio to it",
    "no recipe": NO_SOUND,
    "null listener": "onLabel is null: nothing would hear the labels",
    "null sound": "the samples are null",
    "too many": "count is 4, the array holds 3 numbers",
    "too loud": "a sample is NaN or infinite, or sound far outside of -1 to 1: divide 16-bit PCM "
    "by 32768",
    "in use": "the listener is in use by another thread: give each one its own",
    "closed model": "the model is closed: load it again",
    "closed session": "the model is closed: load it again",
    "closed listener": "the model is closed: load it again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    folder: Path
    aar: Path
    classes: Path  # of the AAR and the driver
    libraries: Path

    def java(self, *words: str | Path) -> str:
        if platform.machine() != "x86_64":
            pytest.skip("the library for x86_64 runs on this kind of processor only")
        path = f"{self.aar.parent / 'classes.jar'}:{self.classes}"
        flags = ("-Xcheck:jni", "-Xshare:auto", f"-Djava.library.path={self.libraries}")
        command = [tool("java"), *flags, "-cp", path, "Drive", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stdout + done.stderr  # of -Xcheck:jni
        return done.stdout


@pytest.fixture(scope="module")
def kit(android: Path, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    opened = tmp_path_factory.mktemp("opened")
    with zipfile.ZipFile(android / "words.aar") as archive:
        archive.extractall(opened)
    driver = Path(__file__).parent / "Drive.java"
    stubs = sorted((Path(for_android.__file__).parent / "android" / "stubs").glob("*.java"))
    run(["javac", "-cp", opened / "classes.jar", "-d", opened / "driver", driver, *stubs])
    return Kit(
        folder=android,
        aar=opened / "words.aar",
        classes=opened / "driver",
        libraries=opened / "jni" / "x86_64",
    )


def test_none_of_10000_numbers_differs_from_python(kit: Kit, arrays: Path, tmp_path: Path) -> None:
    """The GRU of the kit, with other weights."""
    x = rows()
    x.tofile(tmp_path / "x")
    kit.java("arrays", arrays, tmp_path / "x", tmp_path / "y")
    whole, steps = np.fromfile(tmp_path / "y", np.float32).reshape(2, -1)
    expected = Model(arrays)(x[None])[0].ravel()
    assert whole.size == 10_000
    assert (whole != expected).sum() == 0
    assert (steps != expected).sum() == 0


def test_a_step_without_a_result_gives_null(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "step.ernn").write_bytes(rhythmic_model())
    rows(9, 40).tofile(tmp_path / "x")
    lines = kit.java("rhythm", tmp_path / "step.ernn", tmp_path / "x").splitlines()
    session = Model(tmp_path / "step.ernn").session()
    for line, row in zip(lines, rows(9, 40), strict=True):
        expected = session.step(row)
        given = None if line == "null" else np.array(json.loads(line), np.float32)
        np.testing.assert_array_equal(given, expected)
    assert [line == "null" for line in lines] == [True, True, False] * 3


@pytest.mark.parametrize("piece", [160, 30_000])
def test_it_hears_what_python_hears(piece: int, kit: Kit, sound: Path, tmp_path: Path) -> None:
    pcm = sound_of()
    pcm.tofile(tmp_path / "pcm")
    d = DECIDING
    options = map(str, (RATE_HZ, piece, d.threshold, d.smooth, d.pause_s, d.every_s))
    lines = [*map(str.split, kit.java("listen", sound, tmp_path / "pcm", *options).splitlines())]
    heard, whole = heard_by_python(sound, pcm, DECIDING)
    assert len(heard) > 4
    assert [label for _, label, _ in lines] == [one.label for one in [*heard, whole]]
    for (seconds, _, score), one in zip(lines, [*heard, whole], strict=True):
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)


def test_bad_input_is_an_exception_that_says_what_is_wrong(
    kit: Kit, sound: Path, arrays: Path
) -> None:
    lines = kit.java("errors", sound, arrays).splitlines()
    assert dict(line.split(": ", 1) for line in lines) == ERRORS


def test_a_listener_of_sensors_hears_what_python_hears(kit: Kit, tmp_path: Path) -> None:
    model = tmp_path / "sensors.ernn"
    model.write_bytes(sensor_model())
    samples_of_sensors().tofile(tmp_path / "samples")
    *lines, first, second, third = kit.java("sensors", model, tmp_path / "samples").splitlines()
    expected = sensed_by_python(model, samples_of_sensors())
    assert len(expected) > 4
    for line, one in zip(lines, [*expected, *expected], strict=True):  # in pieces, and at once
        seconds, label, score = line.split()
        assert label == one.label
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)
    for said, wanted in zip((first, second, third), SENSOR_ERRORS, strict=True):
        assert said.startswith(f"error: {wanted}")


def test_an_asset_may_be_compressed(kit: Kit, sound: Path) -> None:
    lines = kit.java("asset", sound, kit.folder / "words.aar").splitlines()
    assert lines == [
        "compressed",
        "[no, yes, go, stop, left]",
        "other.ernn",
        "null context: the context is null",
    ]


def test_it_holds_what_gradle_looks_for(kit: Kit, sound: Path) -> None:
    place = kit.folder / "maven" / "dev" / "edgernn" / "words"
    (version,) = place.iterdir()
    stem = f"words-{version.name}"
    assert {path.name for path in version.iterdir()} == {f"{stem}.aar", f"{stem}.pom"}
    with zipfile.ZipFile(version / f"{stem}.aar") as archive:
        names = set(archive.namelist())
        assert archive.read("assets/words.ernn") == sound.read_bytes()
    assert {f"jni/{abi}/libedgernn.so" for abi in ABIS} < names
    assert {"AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt"} < names
    with zipfile.ZipFile(kit.aar.parent / "classes.jar") as classes:
        assert not [name for name in classes.namelist() if not name.startswith("dev/edgernn/")]


def test_the_second_aar_is_a_package_for_the_ndk(kit: Kit) -> None:
    (aar,) = kit.folder.glob("maven/dev/edgernn/words-prefab/*/*.aar")
    module = "prefab/modules/edgernn"
    with zipfile.ZipFile(aar) as archive, zipfile.ZipFile(kit.folder / "words.aar") as first:
        assert json.loads(archive.read("prefab/prefab.json"))["name"] == "ernn"
        assert json.loads(archive.read(f"{module}/module.json"))["library_name"] == "libedgernn"
        assert archive.read(f"{module}/include/ernn.h") == (kit.folder / "ernn.h").read_bytes()
        for abi in ABIS:
            place = f"{module}/libs/android.{abi}"
            assert json.loads(archive.read(f"{place}/abi.json"))["abi"] == abi
            library = archive.read(f"{place}/libedgernn.so")
            assert library == first.read(f"jni/{abi}/libedgernn.so")


def test_its_libraries_pass_the_check(kit: Kit) -> None:
    libraries = check_aar(kit.folder / "words.aar")
    assert [library.abi for library in libraries] == sorted(ABIS)
    for library in libraries:
        assert library.problems == ()
        assert library.needs == ()
        assert "ernn_open" in library.exports


def bytes_without_the_model(aar: Path) -> int:
    with zipfile.ZipFile(aar) as archive:
        model = archive.getinfo("assets/words.ernn").compress_size
    return aar.stat().st_size - model


def test_it_is_as_small_as_promised(kit: Kit) -> None:
    assert bytes_without_the_model(kit.folder / "words.aar") <= 165_000


@pytest.mark.long
def test_with_every_layer_it_is_as_small_as_promised(sound: Path, tmp_path: Path) -> None:
    """Every layer in every scheme, also weights of 4 bits, with the front end for sound."""
    package(sound, target="android", folder=tmp_path, all_layers=True)
    assert bytes_without_the_model(tmp_path / "words.aar") <= 260_000
    assert [library.problems for library in check_aar(tmp_path / "words.aar")] == [()] * len(ABIS)


@pytest.mark.parametrize(
    "abis", [("armeabi-v7a",), pytest.param(ABIS, marks=pytest.mark.long)], ids=["one", "all"]
)
def test_a_library_of_a_few_layers_needs_nothing_of_the_compiler(
    abis: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which layers it has is then a set that the compiler cannot see through."""
    monkeypatch.setattr(for_android, "ABIS", {abi: for_android.ABIS[abi] for abi in abis})
    model = Path(__file__).parents[2] / "golden" / "trained" / "keyword_crnn.keras"
    made = edgernn.load(model).export(tmp_path / "out", to="native", scheme="float32")
    package(made["native"].path, target="android", folder=tmp_path / "kit")
    (aar,) = (tmp_path / "kit").glob("*.aar")
    assert [library.problems for library in check_aar(aar)] == [()] * len(abis)
