"""Many calls of a model in few batches: numpy takes a step of 64 rows in the time of a few."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.graph import AnyArray, Graph, Shape, Transpose, at_shapes
from edgernn.reference.executor import run

#: Numbers on all edges of one batch: 64 MB of float32, whatever the model's size.
BATCH_NUMBERS: Final = 2**24
MOST_ROWS: Final = 64

Arrays: TypeAlias = Mapping[str, AnyArray]
Run: TypeAlias = Callable[[Graph, Arrays], dict[str, AnyArray]]


def with_free_batch(graph: Graph) -> Graph:
    """The same model for any number of rows: what it makes of a row does not depend on others."""
    return at_shapes(graph, {entry.name: (None, *entry.spec.shape[1:]) for entry in graph.inputs})


def rows_at_once(graph: Graph, shapes: Mapping[str, Shape]) -> int:
    """How many rows of these shapes [any, ...] fit into one batch."""
    one_row = {name: (1, *shape[1:]) for name, shape in shapes.items()}
    specs = at_shapes(graph, one_row).specs.values()
    numbers = sum(prod(size or 1 for size in spec.shape) for spec in specs)
    return min(max(BATCH_NUMBERS // max(numbers, 1), 1), MOST_ROWS)


def run_calls(
    graph: Graph, calls: Sequence[Arrays], *, run: Run = run
) -> list[dict[str, AnyArray]]:
    """The outputs of each call, in order; calls whose rows have one shape run as one batch.

    A call may have any number of rows, also where the model takes a fixed one.  Rows that come
    again, alone and in batches, are computed once: a row's answer does not depend on others.
    Where a Transpose moves the batch (time before batch), each call runs by itself.

    >>> run_calls(graph, [{"x": np.zeros((1, 40, 13), np.float32)}] * 3)[2]["y"].shape
    (1, 10)

    Raises DataError where a call does not fit the graph.
    """
    free = with_free_batch(graph)
    if not _begins_with_the_batch(graph):
        return [run(free, call) for call in calls]
    groups: dict[tuple[tuple[str, tuple[int, ...]], ...], list[int]] = {}
    for position, call in enumerate(calls):
        key = tuple((name, array.shape[1:]) for name, array in call.items())
        groups.setdefault(key, []).append(position)
    answers: dict[int, dict[str, AnyArray]] = {}
    for positions in groups.values():
        counts = [len(next(iter(calls[at].values()))) for at in positions]
        ends = np.cumsum(counts)
        stacked = {
            name: np.concatenate([calls[at][name] for at in positions])
            for name in calls[positions[0]]
        }
        distinct, of = _distinct(stacked)
        once = _in_parts(free, {name: array[distinct] for name, array in stacked.items()}, run)
        together = {name: array[of] for name, array in once.items()}
        for at, end, count in zip(positions, ends, counts, strict=True):
            answers[at] = {name: array[end - count : end] for name, array in together.items()}
    return [answers[position] for position in range(len(calls))]


def _begins_with_the_batch(graph: Graph) -> bool:
    """Whether axis 0 counts rows on every edge, as far as Transposes go."""
    return all(layer.permutation[0] == 0 for layer in graph.layers if isinstance(layer, Transpose))


def _distinct(stacked: Arrays) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(the first place of each different row, which of these each row is)"""
    first: dict[bytes, int] = {}
    found: list[int] = []
    for row in range(len(next(iter(stacked.values())))):
        content = hashlib.sha256()
        for array in stacked.values():
            content.update(np.ascontiguousarray(array[row]).tobytes())
        found.append(first.setdefault(content.digest(), row))
    distinct = np.array(sorted(first.values()), np.intp)
    return distinct, np.searchsorted(distinct, np.array(found, np.intp))


def _in_parts(free: Graph, stacked: Arrays, run: Run) -> dict[str, AnyArray]:
    total = len(next(iter(stacked.values())))
    most = rows_at_once(free, {name: array.shape for name, array in stacked.items()})
    parts = [
        run(free, {name: array[start : start + most] for name, array in stacked.items()})
        for start in range(0, total, most)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(slots=True)
class References:
    """What graphs give for calls, each computed once: several files are compared with the same."""

    _known: dict[tuple[int, int], dict[str, AnyArray]] = field(default_factory=dict)
    _alive: list[object] = field(default_factory=list)  # ids are of objects that stay

    def of(self, graph: Graph, calls: Sequence[Arrays], *, run: Run = run) -> list[Arrays]:
        """As run_calls; graphs and calls are recognized by identity."""
        missing = list(
            {id(call): call for call in calls if (id(graph), id(call)) not in self._known}.values()
        )
        if missing:
            self._alive += [graph, *missing]
            for call, answer in zip(missing, run_calls(graph, missing, run=run), strict=True):
                self._known[id(graph), id(call)] = answer
        return [self._known[id(graph), id(call)] for call in calls]
