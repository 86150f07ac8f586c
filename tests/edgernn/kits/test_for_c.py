"""The kit for C compiles as its README says, and gives the bits of Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgernn import Model
from edgernn.kits import package
from edgernn.runtime.listening import Deciding
from tests.edgernn.kits.heard import heard_by_python, sound_of
from tests.edgernn.kits.models import RATE_HZ, rows
from tests.edgernn.runtime.toolchain import run, tool

BAD_INPUT = {
    "null model": "an argument is null or out of range",
    "null bytes": "an argument is null or out of range",
    "misaligned bytes": "model bytes and arenas must start at a multiple of 64",
    "a .tflite": "this is not an .ernn file",
    "half a file": "the file is shorter or longer than its header says",
    "misaligned arena": "model bytes and arenas must start at a multiple of 64",
    "small arena": "the arena is smaller than ernn_session_size says",
    "null arena": "an argument is null or out of range",
    "null arrays of a step": "an argument is null or out of range",
    "null row": "an argument is null or out of range",
    "null arrays of a run": "an argument is null or out of range",
    "null rows": "an argument is null or out of range",
    "null session": "an argument is null or out of range",
    "low rate": "the sample rate is below the model's, above 768000, or no simple ratio to it; "
    "sensors need the model's",
    "no sound yet": "too little sound, or too few samples, for an answer: give more",
    "null sound": "an argument is null or out of range",
    "too loud": "a sample is NaN or infinite, or sound far outside of -1 to 1: divide 16-bit PCM "
    "by 32768",
    "two threads": "the session is in use by another thread",
}
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")


@pytest.fixture(scope="module")
def examples(arrays: Path, sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a/example and s/build/example, built as the README says but for the time it takes."""
    folder = tmp_path_factory.mktemp("examples")
    package(arrays, target="c", folder=folder / "a")
    command = (tool("gcc"), "-O0", *WARNINGS, "example.c", "ernn.c", "-o", "example")
    run(command, cwd=folder / "a")
    package(sound, target="c", folder=folder / "s")
    run([tool("cmake"), "-S", "s", "-B", "s/build", "-DCMAKE_BUILD_TYPE=Debug"], cwd=folder)
    run(["cmake", "--build", "s/build"], cwd=folder)
    return folder


@pytest.mark.parametrize("kind", ["arrays", "sound"])
def test_clang_has_no_warning(kind: str, arrays: Path, sound: Path, tmp_path: Path) -> None:
    package({"arrays": arrays, "sound": sound}[kind], target="c", folder=tmp_path)
    run([tool("clang"), "-fsyntax-only", *WARNINGS, "example.c"], cwd=tmp_path)


def test_arrays_give_the_bits_of_python(arrays: Path, examples: Path, tmp_path: Path) -> None:
    x = rows()
    x.tofile(tmp_path / "x.bin")
    lines = run([examples / "a" / "example", tmp_path / "x.bin"]).splitlines()
    given = np.array([line.split()[1:] for line in lines], np.float32)
    expected = Model(arrays)(x[None])[0]
    assert given.size == 10_000
    assert (given != expected).sum() == 0


def test_the_example_hears_what_python_hears(sound: Path, examples: Path) -> None:
    pcm = sound_of()
    program = [str(examples / "s" / "build" / "example"), str(RATE_HZ)]
    done = subprocess.run(program, input=pcm.tobytes(), capture_output=True, timeout=60)
    heard, whole = heard_by_python(sound, pcm, Deciding())
    expected = [f"{h.seconds:8.2f} s  {h.label}  {100 * h.score:.0f} %" for h in [*heard, whole]]
    expected[-1] += "  at the end"
    assert done.stdout.decode().splitlines() == expected


def test_an_input_of_half_a_row_and_a_low_rate_are_errors(examples: Path) -> None:
    (examples / "x.bin").write_bytes(bytes(30))
    for words, message in (
        (["a/example", "x.bin"], "input x needs a file with a whole number of rows of 16 numbers"),
        (["a/example"], "input x needs a file"),
        (["s/build/example", "4000"], "the sample rate is below the model's"),
    ):
        done = subprocess.run(words, cwd=examples, capture_output=True, text=True, input="")
        assert done.returncode == 1
        assert message in done.stderr


def test_bad_input_is_a_status_that_says_what_is_wrong(sound: Path, tmp_path: Path) -> None:
    package(sound, target="c", folder=tmp_path)
    driver = Path(__file__).parent / "bad_input.c"
    flags = ("-std=gnu11", "-O0", "-DERNN_PORTABLE", "-pthread", "-I.", "-o", "bad_input")
    run([tool("gcc"), *flags, driver, "ernn.c"], cwd=tmp_path)
    lines = run([tmp_path / "bad_input"]).splitlines()
    assert dict(line.split(": ", 1) for line in lines) == BAD_INPUT


def test_another_project_uses_it_as_a_folder(arrays: Path, tmp_path: Path) -> None:
    package(arrays, target="c", folder=tmp_path / "third_party" / "sensors")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(app C)\n"
        "add_subdirectory(third_party/sensors)\nadd_executable(app app.c)\n"
        "target_link_libraries(app PRIVATE ernn::ernn)\n"
    )
    (tmp_path / "app.c").write_text(
        '#include <stdio.h>\n#include "ernn.h"\n#include "sensors_ernn.h"\n'
        "int main(void) { ernn_model m;\n"
        " puts(ernn_status_text(ernn_open(&m, sensors_ernn, sizeof sensors_ernn)));\n"
        " puts(ernn_status_text(ernn_open(&m, sensors_ernn + 4, sizeof sensors_ernn - 4))); }\n"
    )
    quick = ("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-DERNN_PORTABLE")
    run([tool("cmake"), "-S", tmp_path, "-B", tmp_path / "b", *quick])
    run([tool("cmake"), "--build", tmp_path / "b"])
    assert run([tmp_path / "b" / "app"]).splitlines() == [
        "success",
        "model bytes and arenas must start at a multiple of 64",
    ]
