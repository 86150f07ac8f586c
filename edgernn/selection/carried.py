"""What goes to a worker on another machine and comes back from it: files, as lines of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from edgernn import atomic
from edgernn.selection.contender import Job
from edgernn.selection.data import split_files
from edgernn.selection.messages import Order, Train
from edgernn.selection.training import model_file, training_file
from edgernn.tasks.training_log import log_path


def data_line(folder: Path) -> str:
    """The rows of a comparison or search, without the end of the line."""
    return _line({path.name: path for path in split_files(folder)})


def keep_data(line: str, folder: Path) -> None:
    """Writes what `data_line` read into the same places of another folder."""
    _keep(line, {path.name: path for path in split_files(folder)})


def result_files(folder: Path, order: Order) -> dict[str, Path]:
    """What a training leaves in the folder, the result last: where it is, the model is."""
    if not isinstance(order, Train):
        return {}
    return _files(folder, order.job)


def results_line(folder: Path, order: Order) -> str:
    """The files that an order made, without the end of the line."""
    return _line(result_files(folder, order))


def keep_results(line: str, folder: Path, order: Order) -> None:
    """Writes what `results_line` read.  Raises KeyError where a file is missing, OutputError."""
    _keep(line, result_files(folder, order))


def needed_line(folder: Path, order: Order) -> str:
    """The members of an ensemble, for a worker that has not trained them; without the end."""
    return _line(_needed(folder, order))


def keep_needed(line: str, folder: Path, order: Order) -> None:
    """Writes what `needed_line` read into the same places of another folder."""
    _keep(line, _needed(folder, order))


def _needed(folder: Path, order: Order) -> dict[str, Path]:
    members = order.job.members if isinstance(order, Train) else ()
    return {
        f"{role} {place}": path
        for place, member in enumerate(members)
        for role, path in _files(folder, member).items()
    }


def _files(folder: Path, job: Job) -> dict[str, Path]:
    model = model_file(folder, job.key)
    return {"log": log_path(model), "model": model, "result": training_file(folder, job.key)}


def _line(files: Mapping[str, Path]) -> str:
    return json.dumps(
        {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    )


def _keep(line: str, files: Mapping[str, Path]) -> None:
    content = {name: base64.b64decode(text) for name, text in json.loads(line).items()}
    for name, path in files.items():
        atomic.write_bytes(path, content[name])
