"""Real sequences by input name, from the data that the user gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edgernn.array_archive import DamagedArchive, read_arrays
from edgernn.dtype import DType, whole_numbers
from edgernn.errors import DataError
from edgernn.export.rows import Examples
from edgernn.graph import Graph, Input
from edgernn.graph.tensor import AnyArray
from edgernn.tasks.given import Given, as_samples, given_arrays


def read_examples(given: Given, graph: Graph) -> Examples:
    """What `given` (digits:calibration, an .npz, an array x, …) holds for the inputs of `graph`.

    A model of one input takes the samples' x, cut or filled to its steps, or an array by the
    input's name; one of several takes arrays by the inputs' names, or an .npz of them.
    Raises DataError where something is missing or does not fit.
    """
    states = {state.input for state in graph.states}
    inputs = [entry for entry in graph.inputs if entry.name not in states]
    if len(inputs) == 1:
        if isinstance(given, Mapping) and set(given) == {inputs[0].name}:
            given = given[inputs[0].name]
        samples = as_samples(given, name="the calibration data")
        shape = inputs[0].spec.shape
        if len(shape) > 1 and shape[1] is not None and len(shape) == samples.x.ndim:
            samples = samples.with_steps(shape[1])
        return Examples(inputs={inputs[0].name: _typed(inputs[0], samples.x)})
    arrays = _named_arrays(given)
    missing = [entry.name for entry in inputs if entry.name not in arrays]
    if missing:
        raise DataError(
            f"{_name(given)} has no array for the input '{missing[0]}'",
            remedy=f"The model takes {', '.join(entry.name for entry in inputs)}: "
            "save them with numpy.savez, samples first",
        )
    return Examples(inputs={entry.name: _typed(entry, arrays[entry.name]) for entry in inputs})


def _typed(entry: Input, array: AnyArray) -> AnyArray:
    """Tokens that are floats as integers; other arrays as they are."""
    is_cast = entry.spec.dtype is DType.INT32 and array.dtype.kind == "f"
    whole = whole_numbers(array) if is_cast else None
    return array if whole is None else whole


def _named_arrays(given: Given) -> dict[str, AnyArray]:
    if isinstance(given, Mapping):
        return given_arrays(given, name=_name(given))
    remedy = "A model of several inputs takes arrays by name: a dict, or numpy.savez(file, name=…)"
    if not isinstance(given, str | os.PathLike):
        raise DataError("the model has several inputs, and the data have no names", remedy=remedy)
    try:
        return dict(read_arrays(Path(given)))
    except (OSError, DamagedArchive) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{given} is not an .npz with an array for each input ({reason})", remedy=remedy
        ) from error


def _name(given: Given) -> str:
    return str(given) if isinstance(given, str | os.PathLike) else "the calibration data"
