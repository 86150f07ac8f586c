"""Frees the axis of time that an exporter fixed, where no operator depends on its length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.onnx_file.given import Given
from edgernn.export.source_model import FilePort, SourceModel
from edgernn.graph import (
    DType,
    Graph,
    GraphError,
    Gru,
    Input,
    Lstm,
    Reshape,
    SimpleRnn,
    Slice,
    Transpose,
)
from edgernn.graph.tensor import AnyArray
from edgernn.reference import References

#: (name of an input of the file, axis in the file)
Place: TypeAlias = tuple[str, int]
Read: TypeAlias = Callable[
    [Given, Collection[Place]], tuple[Graph, dict[str, FilePort], tuple[str, ...]]
]

#: So many axes are named where none can be free.
_REASONS: Final = 4


def with_free_time(given: Given, model: SourceModel, read: Read) -> SourceModel:
    """`model` with a free axis of time, `as_given` its graph as the file fixes it.

    Inputs that the file leaves free stay as they are.
    Raises ModelFileError where no axis of an input can be free: the text names the operator that
    depends on it.
    """
    reasons: list[str] = []
    for places in _candidates(given, model):
        try:
            graph, ports, warnings = read(given, places)
            _require_other_lengths(given, graph, ports, places)
        except (UnsupportedLayer, ModelFileError) as error:
            which = ", ".join(f"axis {axis} of '{name}'" for name, axis in places)
            reasons.append(f"{which}: {error.what}")
            continue
        _require_same(given, model, graph)
        said = ", ".join(
            f"'{name}' (axis {axis}, {_size(given, name, axis)} in the file)"
            for name, axis in places
        )
        return replace(
            model, graph=graph, ports=ports, as_given=model.graph,
            warnings=(*warnings, f"the axis of time is free in {said}, as --free-time asks"),
        )  # fmt: skip
    if not reasons:
        return model
    raise ModelFileError(
        f"no axis of time of {given.path.name} can be free. {'; '.join(reasons[:_REASONS])}",
        remedy="Leave out --free-time, and give sequences of the length in the file",
    )


def _candidates(given: Given, model: SourceModel) -> Iterator[list[Place]]:
    """Axes to free, the likeliest first: all inputs of one length together, then each alone."""
    states = _states(model.graph)
    alone: list[Place] = []
    for entry in model.graph.inputs:
        rank, port = len(entry.spec.shape), model.ports[entry.name]
        sequence = rank >= (2 if entry.spec.dtype is DType.INT32 else 3)
        if entry.name in states or not sequence:
            continue
        if None in entry.spec.shape[1:]:
            continue  # free already
        alone += [
            (port.name, port.permutation[at])
            for at in range(1, rank)
            if (entry.spec.shape[at] or 0) > 1
        ]
    lengths = dict.fromkeys(_size(given, *place) for place in alone)
    for length in lengths:
        together: dict[str, Place] = {}
        for place in alone:
            if _size(given, *place) == length:
                together.setdefault(place[0], place)
        if len(together) > 1:
            yield list(together.values())
    for place in alone:
        yield [place]


def _size(given: Given, name: str, axis: int) -> int | None:
    return next(given.sizes(entry)[axis] for entry in given.model.graph.input if entry.name == name)


def _states(graph: Graph) -> set[str]:
    """Inputs that are the first state of a layer, also after they were moved."""
    wanted = {
        edge
        for layer in graph.layers
        if isinstance(layer, SimpleRnn | Gru | Lstm)
        for edge in (layer.initial_h, layer.initial_c if isinstance(layer, Lstm) else None)
        if edge is not None
    }
    for layer in reversed(graph.layers):
        if isinstance(layer, Reshape | Transpose | Slice) and layer.output in wanted:
            wanted.add(layer.input)
    return wanted


def _require_other_lengths(
    given: Given, graph: Graph, ports: Mapping[str, FilePort], places: Collection[Place]
) -> None:
    """A layer whose weights fix a size takes a free one without a word: it refuses others."""
    for times, more in ((1, 1), (2, 0), (3, 1)):  # a pool may round one more step away
        longer: list[Input] = []
        for entry in graph.inputs:
            port = ports[entry.name]
            shape = [
                times * (_size(given, port.name, axis) or 0) + more
                if (port.name, axis) in places
                else size
                for size, axis in zip(entry.spec.shape, port.permutation, strict=True)
            ]
            longer.append(replace(entry, spec=replace(entry.spec, shape=tuple(shape))))
        try:
            replace(graph, inputs=tuple(longer))
        except GraphError as error:
            raise ModelFileError(
                f"its weights fix that axis ({error})", remedy="Leave out --free-time"
            ) from error


def _require_same(given: Given, model: SourceModel, graph: Graph) -> None:
    """Both graphs give the same answers at the file's own length."""
    rng = np.random.default_rng(0)
    inputs: dict[str, AnyArray] = {}
    for entry in model.graph.inputs:
        shape = [2 if size is None else size for size in entry.spec.shape]
        inputs[entry.name] = (
            np.zeros(shape, np.int32)
            if entry.spec.dtype is DType.INT32
            else rng.normal(size=shape).astype(np.float32)
        )
    fixed, free = (_answers(one, inputs) for one in (model.graph, graph))
    for before, after in zip(fixed, free, strict=True):
        if before.shape != after.shape or not np.allclose(before, after, rtol=1e-5, atol=1e-6):
            raise ModelFileError(
                f"{given.path.name} gives other answers with a free axis of time",
                remedy="Leave out --free-time, and report this model",
            )


def _answers(graph: Graph, inputs: Mapping[str, AnyArray]) -> list[AnyArray]:
    (answers,) = References().of(graph, [inputs])
    return [answers[output.name] for output in graph.outputs]
