"""What goes to a worker on another machine and comes back from it: files, as lines of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from edgernn import atomic
from edgernn.selection.data import split_files
from edgernn.selection.messages import Order, Train
from edgernn.selection.training import training_file
from edgernn.tasks.training_log import log_path


def data_line(folder: Path) -> str:
    """The rows of a comparison or search, without the end of the line."""
    return _line({path.name: path for path in split_files(folder)})


def keep_data(line: str, folder: Path) -> None:
    """Writes what `data_line` read into the same places of another folder."""
    content = _content(line)
    for path in split_files(folder):
        atomic.write_bytes(path, content[path.name])


def result_files(folder: Path, order: Order) -> dict[str, Path]:
    """What a training leaves in the folder, the result last: where it is, the model is."""
    if not isinstance(order, Train):
        return {}
    result = training_file(folder, order.job.key)
    model = result.with_suffix(".keras")
    return {"log": log_path(model), "model": model, "result": result}


def results_line(folder: Path, order: Order) -> str:
    """The files that an order made, without the end of the line."""
    return _line(result_files(folder, order))


def keep_results(line: str, folder: Path, order: Order) -> None:
    """Writes what `results_line` read.  Raises KeyError where a file is missing, OutputError."""
    content = _content(line)
    for role, path in result_files(folder, order).items():
        atomic.write_bytes(path, content[role])


def _line(files: Mapping[str, Path]) -> str:
    return json.dumps(
        {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    )


def _content(line: str) -> dict[str, bytes]:
    return {name: base64.b64decode(text) for name, text in json.loads(line).items()}
