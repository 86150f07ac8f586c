"""Real sequences by input name, from the data that the user gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgernn.array_archive import DamagedArchive, read_arrays
from edgernn.dtype import DType, whole_numbers
from edgernn.errors import DataError
from edgernn.export.rows import Examples
from edgernn.graph import Graph, Gru, Input, Lstm, SimpleRnn
from edgernn.graph.tensor import AnyArray
from edgernn.tasks.given import Given, as_samples, given_arrays, with_rows
from edgernn.tasks.texts import tokens_of


def read_examples(given: Given, graph: Graph, *, zero_states: bool = False) -> Examples:
    """What `given` (digits:calibration, an .npz, an array x, …) holds for the inputs of `graph`.

    A model of one input takes the samples' x, cut or filled to its steps, or an array by the
    input's name; one of several takes arrays by the inputs' names, or an .npz of them.
    zero_states: first states that are not given are zeros, as a stream begins.
    Raises DataError where something is missing or does not fit.
    """
    states = {state.input for state in graph.states}
    inputs = [entry for entry in graph.inputs if entry.name not in states]
    if zero_states:
        first = _first_states(graph)
        begun = [entry for entry in inputs if entry.name not in first]
        if len(begun) < len(inputs):
            return _with_zeros(given, begun, [entry for entry in inputs if entry.name in first])
    return _examples(given, inputs)


def _first_states(graph: Graph) -> set[str]:
    """Edges that begin a recurrent layer."""
    layers = [layer for layer in graph.layers if isinstance(layer, SimpleRnn | Gru | Lstm)]
    edges = {layer.initial_h for layer in layers}
    edges |= {layer.initial_c for layer in layers if isinstance(layer, Lstm)}
    return {edge for edge in edges if edge is not None}


def _with_zeros(given: Given, inputs: list[Input], states: list[Input]) -> Examples:
    """States that are among the arrays, and zeros for the others."""
    known = given if isinstance(given, Mapping) else {}
    if isinstance(given, str | os.PathLike) and Path(given).suffix == ".npz":
        known = _named_arrays(given)
    made = _examples(given, inputs + [entry for entry in states if entry.name in known])
    rows = len(next(iter(made.inputs.values())))
    zeros = {
        entry.name: np.zeros((rows, *(size or 1 for size in entry.spec.shape[1:])), np.float32)
        for entry in states
        if entry.name not in known
    }
    return Examples(inputs={**made.inputs, **zeros})


def _examples(given: Given, inputs: list[Input]) -> Examples:
    if len(inputs) == 1:
        if isinstance(given, Mapping) and set(given) == {inputs[0].name}:
            given = given[inputs[0].name]
        front_end = inputs[0].text or inputs[0].sound
        samples = as_samples(given, name="the calibration data", front_end=front_end)
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
    name = _name(given)
    return Examples(
        inputs={entry.name: _typed(entry, arrays[entry.name], name) for entry in inputs}
    )


def _typed(entry: Input, array: AnyArray, name: str = "the calibration data") -> AnyArray:
    """Tokens that are floats or texts as integers, sounds as rows; other arrays as they are."""
    if entry.sound is not None:
        return with_rows(array, entry.sound, f"{name}, input '{entry.name}'")
    if array.dtype.kind in "SUO":
        return tokens_of(array, entry.text, f"{name}, input '{entry.name}'")
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
