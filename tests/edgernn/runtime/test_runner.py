"""edgernn-run by itself, built for this machine."""

from __future__ import annotations

import json
from pathlib import Path

from edgernn import streaming
from edgernn.export import native
from edgernn.export.keras.file import read_model
from tests.edgernn.runtime.toolchain import C_TESTS, HOST, RUNNER, run
from tests.golden import GOLDEN


def written(folder: Path) -> Path:
    graph = streaming.expose_states(read_model(GOLDEN / "small_gru.keras").graph)
    path = folder / "m.ernn"
    path.write_bytes(native.lower(graph, metadata={}).content)
    return path


def test_loading_begins_before_the_file_is_read(tmp_path: Path) -> None:
    """On a clock that only goes on while a file is read."""
    sources = (RUNNER / "edgernn_run.c", C_TESTS / "reading_clock.c")
    wrapped = ("-O1", "-Wl,--wrap=read,--wrap=clock_gettime")
    program = HOST.build(tmp_path / "edgernn-run", *sources, flags=wrapped)
    told = json.loads(run([program, written(tmp_path)]))
    assert told["load_ns"] == 1e9
