"""Real sequences by input name, from what the user names on the command line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from edgernn.errors import DataError
from edgernn.export.cases import Examples
from edgernn.graph import Graph
from edgernn.graph.tensor import AnyArray
from edgernn.tasks.data import load


def read_examples(spec: str, graph: Graph) -> Examples:
    """What `spec` (digits:calibration, an .npz, …) holds for the inputs of `graph`.

    A model of one input takes the samples' x, cut or filled to its steps; one of several takes an
    .npz with an array for each input, by name.
    Raises DataError where something is missing or does not fit.
    """
    states = {state.input for state in graph.states}
    inputs = [entry for entry in graph.inputs if entry.name not in states]
    if len(inputs) == 1:
        samples = load(spec)
        shape = inputs[0].spec.shape
        if len(shape) > 1 and shape[1] is not None and len(shape) == samples.x.ndim:
            samples = samples.with_steps(shape[1])
        return Examples(inputs={inputs[0].name: samples.x})
    arrays = _named_arrays(Path(spec))
    missing = [entry.name for entry in inputs if entry.name not in arrays]
    if missing:
        raise DataError(
            f"{spec} has no array for the input '{missing[0]}'",
            remedy=f"The model takes {', '.join(entry.name for entry in inputs)}: "
            "save them with numpy.savez, samples first",
        )
    return Examples(inputs={entry.name: arrays[entry.name] for entry in inputs})


def _named_arrays(path: Path) -> dict[str, AnyArray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not an .npz with an array for each input",
            remedy="A model of several inputs takes numpy.savez(file, input_name=array, …)",
        ) from error
