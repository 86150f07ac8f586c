"""edgernn-library-run by itself, built for this machine, with a genuine runtime."""

from __future__ import annotations

import json
import platform
import resource
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgernn.devices.runners.tensor_files import packed
from tests.android.root import CannotBuild
from tests.android.runtime_libraries import ONNX_RUNTIME, library
from tests.devices.models import onnx_sum
from tests.edgernn.runtime.toolchain import RUNNER, STANDARD, run, tool

CALLS = packed(["x"], [[{"x": np.ones((1, 2, 3), np.float32)}] * 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the program and a library."""
    folder = tmp_path_factory.mktemp("library-run")
    try:
        content = library(ONNX_RUNTIME, platform.machine())
    except CannotBuild as reason:
        pytest.skip(f"no runtime to load: {reason}")
    (folder / "lib.so").write_bytes(content)
    onnx_sum(folder / "m.onnx")
    source = RUNNER / "library_run.c"
    flags = (
        *STANDARD,
        "-D_GNU_SOURCE",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
    )
    run([tool("gcc"), *flags, source, "-o", "program", "-ldl"], cwd=folder)
    return folder


def told(folder: Path, *words: str, room_bytes: int = -1):
    ended = subprocess.run(
        ["./program", "./lib.so", *words],
        cwd=folder,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes)),
        restore_signals=False,  # the limit's signal stays ignored
    )
    assert not ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("room_bytes", [0, 64, 128, 300])
def test_a_disk_that_is_full_is_told_with_the_name_of_what_does_not_fit(folder, room_bytes):
    (folder / "in").write_bytes(CALLS)
    reply = told(folder, "m.onnx", "in", "out", room_bytes=room_bytes)
    assert reply == {"error": "out: cannot be written: there is no room left"}


def test_inputs_that_end_too_early_are_told_with_their_name(folder):
    (folder / "in").write_bytes(CALLS[:-64])
    assert told(folder, "m.onnx", "in", "out") == {"error": "in: ends too early"}


def test_names_are_told_with_every_character(folder):
    name = "a\"b\n\t'c\\\x01 \u00e9"
    port = onnx.helper.make_tensor_value_info(name, 1, [1, 3])
    graph = onnx.helper.make_graph([], "g", [port], [port])
    opsets = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "names")
    assert [entry["name"] for entry in told(folder, "names")["inputs"]] == [name]


def test_a_number_that_is_too_long_is_no_accident(folder):
    reply = told(folder, "m.onnx", "--warm-up-ms", "9" * 20)
    assert "error" not in reply
