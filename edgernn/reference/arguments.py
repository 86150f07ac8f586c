"""Checks the arguments of a model before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgernn.dtype import whole_numbers
from edgernn.errors import DataError
from edgernn.graph import AnyArray, DType, Graph, Input

# Element kinds that are accepted for each type: float64 for float32, int64 for int32.
_ACCEPTED_KINDS = {DType.FLOAT32: "f", DType.INT32: "iu", DType.BOOL: "b"}


def checked_arguments(graph: Graph, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arguments by name, in the element types of the graph.

    Raises DataError for a missing or unknown name, a shape or an element type that does not fit,
    and inputs of different batch sizes.
    """
    wanted = [entry.name for entry in graph.inputs]
    unlike = sorted(set(wanted) ^ set(inputs))
    if unlike:
        raise DataError(
            f"the inputs are called {_listed(inputs)}, those of '{graph.name}' {_listed(wanted)}",
            remedy="Give one array for each input, by its name",
        )
    checked = {
        entry.name: _checked(entry, np.asarray(inputs[entry.name])) for entry in graph.inputs
    }
    batches = {name: array.shape[0] for name, array in checked.items()}
    if len(set(batches.values())) > 1:
        raise DataError(f"the inputs have different numbers of samples: {batches}")
    return checked


def with_zero_states(graph: Graph, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arguments with zeros for the states that were left out: as every sequence begins."""
    given = {name: np.asarray(array) for name, array in inputs.items()}
    rows = next((len(array) for array in given.values() if array.ndim), 0)
    states = {state.input for state in graph.states}
    zeros = {
        entry.name: np.zeros(
            (rows, *(size or 1 for size in entry.spec.shape[1:])), entry.spec.dtype.numpy
        )
        for entry in graph.inputs
        if entry.name in states
    }
    return zeros | given


def _checked(entry: Input, array: AnyArray) -> AnyArray:
    wanted = entry.spec.dtype
    if wanted is DType.INT32 and array.dtype.kind == "f":
        whole = whole_numbers(array)
        if whole is None:
            raise DataError(f"input '{entry.name}' takes whole numbers; {array.dtype} are given")
        array = whole
    if array.dtype.kind not in _ACCEPTED_KINDS[wanted]:
        raise DataError(f"input '{entry.name}' takes {wanted.value}, not {array.dtype}")
    shape = entry.spec.shape
    fits = len(shape) == array.ndim and all(
        size is None or size == given for size, given in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise DataError(
            f"input '{entry.name}' takes the shape {_readable(shape)}, not {array.shape}"
        )
    if 0 in array.shape[1:]:
        raise DataError(f"input '{entry.name}' has the shape {array.shape}, which is empty")
    return array.astype(wanted.numpy, copy=False)


def _readable(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def _listed(names: Mapping[str, AnyArray] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"
