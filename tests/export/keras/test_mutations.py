"""Whatever happens to a file's bytes or config, reading it ends in a model or in our own error."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.errors import EdgernnError
from edgernn.export.keras.file import read_model
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


def survives(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(content)
        try:
            model = read_model(path)
        except EdgernnError:
            return
        assert model.graph.outputs


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
    st.floats(0, 1),
)
def test_changed_and_missing_bytes(name, changes, kept):
    content = bytearray(SEEDS[name])
    occupied = [place for place, byte in enumerate(content) if byte]
    for share, byte in changes:
        content[occupied[int(share * len(occupied))]] = byte
    survives(bytes(content[: int(len(content) * max(kept, 0.5) * 2)]))


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
def test_changed_configs(data):
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
    survives(stream.getvalue())
