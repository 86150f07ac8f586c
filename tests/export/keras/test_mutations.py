"""Whatever happens to a file's bytes or config, reading it ends in a model or in our own error.

A child process reads, in 1 GB of memory, and has to answer in time.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.keras import reading_child
from tests.export.keras.archives import LEGACY

SEEDS: Final = {
    path.name: path.read_bytes()
    for path in sorted([*LEGACY.glob("*-3.0.5.keras"), *LEGACY.glob("*-2.8.0.h5")])
}
ARCHIVES: Final = {name: content for name, content in SEEDS.items() if name.endswith(".keras")}

#: What a field of a config may become: types that do not belong, sizes that do not exist.
JUNK: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 3, 10**9, 10**30, 1.5, float("nan"), float("inf"), "", "relu",
    [], [1], [None], [[]], {}, {"a": 1}, ["tokens", 0, 0],
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["features", 0, 0]}},
    {"class_name": "__numpy__", "config": {"value": [1, [2]]}},
]  # fmt: skip


#: An undamaged seed takes a few hundredths of a second.
TIME_LIMIT_S: Final = 10.0


class Reader:
    """The child process; another one is started after an answer that did not come."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "model"
        self._child = self._started()

    def survives(self, content: bytes) -> dict[str, Any]:
        self._path.write_bytes(content)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{self._path}\n")
        self._child.stdin.flush()
        ready, _, _ = select.select([self._child.stdout], [], [], TIME_LIMIT_S)
        line = self._child.stdout.readline() if ready else ""
        if not line:
            self.close()
            self._child = self._started()
        assert ready, f"no answer after {TIME_LIMIT_S} s"
        assert line, "the reader crashed"
        told: dict[str, Any] = json.loads(line)
        assert told["limit_bytes"] == reading_child.MEMORY_BYTES
        assert told.get("outputs", 1) > 0
        return told

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", reading_child.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each reserves memory
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(tmp_path_factory.mktemp("damaged"))
    yield reader
    reader.close()


def test_whole_files_are_read_within_the_limits(reader):
    for content in SEEDS.values():
        assert reader.survives(content)["outputs"]


def cut(size: int, kept: float) -> int:
    """How many bytes of a file are kept: in half of the draws all, else from none to all."""
    return int(size * min(1.0, 2 * kept))


def test_files_are_cut_in_half_of_the_draws():
    assert [cut(1000, kept) for kept in (0.0, 0.1, 0.25, 0.5, 1.0)] == [0, 200, 500, 1000, 1000]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
    st.floats(0, 1),
)
def test_changed_and_missing_bytes(reader, name, changes, kept):
    content = bytearray(SEEDS[name])
    occupied = [place for place, byte in enumerate(content) if byte]
    for share, byte in changes:
        content[occupied[int(share * len(occupied))]] = byte
    reader.survives(bytes(content[: cut(len(content), kept)]))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every field inside a JSON value."""
    found = [path] if path else []
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inside in entries:
        found += places(inside, (*path, key))
    return found


def changed(config: Any, path: tuple[Any, ...], new: Any) -> None:
    for step in path[:-1]:
        config = config[step]
    if new == "delete":
        del config[path[-1]]
    else:
        config[path[-1]] = new


CONFIGS: Final = {
    name: zipfile.ZipFile(io.BytesIO(content)).read("config.json")
    for name, content in ARCHIVES.items()
}
PLACES: Final = {name: places(json.loads(config)) for name, config in CONFIGS.items()}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_configs(reader, data):
    name = data.draw(st.sampled_from(sorted(CONFIGS)))
    config = json.loads(CONFIGS[name])
    spots = st.sampled_from(range(len(PLACES[name])))
    for spot in data.draw(st.lists(spots, min_size=1, max_size=3, unique=True)):
        # From the back, so that what is deleted does not move what is still to be changed.
        new = deepcopy(data.draw(st.sampled_from([*JUNK, "delete"])))
        try:
            changed(config, PLACES[name][spot], new)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this field away
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(ARCHIVES[name])) as source,
        zipfile.ZipFile(stream, "w") as archive,
    ):
        for member in source.namelist():
            content = source.read(member)
            archive.writestr(member, json.dumps(config) if member == "config.json" else content)
    reader.survives(stream.getvalue())
