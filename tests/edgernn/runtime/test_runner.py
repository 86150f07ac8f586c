"""edgernn-run by itself, built for this machine."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgernn import streaming
from edgernn.export import native
from edgernn.export.keras.file import read_model
from tests.edgernn.runtime.runner_files import packed_cases
from tests.edgernn.runtime.toolchain import C_TESTS, HOST, RUNNER, run
from tests.golden import GOLDEN

pytest.importorskip("edgernn.runtime._ernn", reason="the native runtime was not built")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runner")
    return HOST.build(folder / "edgernn-run", RUNNER / "edgernn_run.c")


def written(folder: Path) -> Path:
    graph = streaming.expose_states(read_model(GOLDEN / "small_gru.keras").graph)
    path = folder / "m.ernn"
    path.write_bytes(native.lower(graph, metadata={}).content)
    return path


def test_loading_begins_before_the_file_is_read(tmp_path: Path) -> None:
    """On a clock that only goes on while a file is read."""
    sources = (RUNNER / "edgernn_run.c", C_TESTS / "reading_clock.c")
    wrapped = ("-Wl,--wrap=read,--wrap=clock_gettime",)
    program = HOST.build(tmp_path / "edgernn-run", *sources, link=wrapped)
    told = json.loads(run([program, written(tmp_path)]))
    assert told["load_ns"] == 1e9


def packed(model: Path, *, rows: int) -> bytes:
    from edgernn.runtime import Model  # not there without a C compiler

    return packed_cases(Model(model).inputs, [{"x": np.ones((1, 8, 4), np.float32)}] * rows)


@pytest.mark.parametrize("room_bytes", [0, 4, 16])
def test_a_disk_that_is_full_is_told_with_the_name_of_what_does_not_fit(
    program: Path, tmp_path: Path, room_bytes: int
) -> None:
    model = written(tmp_path)
    (tmp_path / "in").write_bytes(packed(model, rows=2))
    ended = subprocess.run(
        [program, model, "in", "out"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes)),
        restore_signals=False,  # the limit's signal stays ignored
    )
    assert json.loads(ended.stdout) == {"error": "out: cannot be written: there is no room left"}
