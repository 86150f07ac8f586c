"""Changed copies of a golden .pt2 file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.export.onnx_file.golden import FOLDER

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


def changed(
    folder: Path, member: str, change: Callable[[Any], None], *, of: str = "gru_last",
    compression: int = zipfile.ZIP_STORED,
) -> Path:  # fmt: skip
    """`of`.free.pt2 with the JSON document `member` changed in place."""
    path = folder / "changed.pt2"
    with zipfile.ZipFile(FOLDER / f"{of}.free.pt2") as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(member):
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            new.writestr(info.filename, data, compress_type=compression)
    return path


def nodes(document: Any) -> list[dict[str, Any]]:
    """The operators of a program's document."""
    found: list[dict[str, Any]] = document["graph_module"]["graph"]["nodes"]
    return found


def argument(document: Any, target: str, name: str, value: Any) -> None:
    """Gives an argument of the first operator `target` another value."""
    for node in nodes(document):
        if node["target"].split(".")[-2] == target:
            for entry in node["inputs"]:
                if entry["name"] == name:
                    entry["arg"] = value
                    return
            node["inputs"].append({"name": name, "arg": value, "kind": 1})
            return
    raise AssertionError(f"no {target} in the program")
