"""Runs of a float model over a few rows, each made once.

The choice of fine layers, the study and the search for a limit all ask what one changed layer makes
of the same rows.  A change is recognized by its content, whoever asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, Final

import numpy as np

from edgernn.export.propagation import Change, with_changes
from edgernn.graph import AnyArray, DType, Graph, Layer, LayerPlan, fingerprint
from edgernn.reference import apply, execute, integer, with_free_batch
from edgernn.reference.arguments import with_zero_states
from edgernn.reference.batched import BATCH_NUMBERS

_SIZE: Final = 16  # of a digest: 128 bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alone:
    """What a layer makes of its edges.  clamped: (clamped integers, all of them) by place."""

    written: Sequence[AnyArray]
    clamped: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InIntegers:
    """What a graph makes of the rows with all its layers quantized.

    edges: every one.  clamped: (clamped integers, all) by layer and place.
    """

    edges: Mapping[str, AnyArray]
    clamped: Mapping[tuple[str, str], tuple[int, int]]


@dataclass(slots=True, kw_only=True, eq=False)
class FloatRuns:
    """What a float graph makes of some rows: unchanged, and with one layer changed.

    graph: any batch fits it.  rows: every input by name, samples first; states that they lack are
    zero.  exact: every edge.
    """

    graph: Graph
    rows: Mapping[str, AnyArray]
    exact: dict[str, AnyArray] = field(init=False)
    outputs: tuple[str, ...] = field(init=False)  # edges of float outputs that are no states
    _own: dict[bytes, Alone] = field(init=False, default_factory=dict)
    _alone: dict[bytes, Alone] = field(init=False, default_factory=dict)
    _found: dict[bytes, dict[str, AnyArray]] = field(init=False, default_factory=dict)
    _latest: tuple[Graph, InIntegers] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.graph = with_free_batch(self.graph)
        self.rows = with_zero_states(self.graph, self.rows)
        self.exact = execute(self.graph, self.rows)
        self.outputs = tuple(float_outputs(self.graph))
        for layer in self.graph.layers:  # one that is not changed need not run again
            written = [self.exact[edge] for edge in layer.writes]
            self._own[_digest((layer, None))] = Alone(written=written)
        self._alone |= self._own

    @property
    def are_kept(self) -> bool:
        """Whether what they hold so far is 64 MB at most, for the steps that follow."""
        arrays = {id(part): part for one in self._alone.values() for part in one.written}
        for found in (self.exact, *self._found.values()):
            arrays |= {id(part): part for part in found.values()}
        return sum(part.size for part in arrays.values()) <= BATCH_NUMBERS

    def are_of(self, graph: Graph, rows: Mapping[str, AnyArray]) -> bool:
        """Whether the same float graph over the same rows would make them."""
        given = with_zero_states(graph, rows)
        return (
            given.keys() == self.rows.keys()
            and all(_same(array, self.rows[name]) for name, array in given.items())
            and fingerprint(with_free_batch(graph)) == fingerprint(self.graph)
        )

    def has(self, layer: Layer, plan: LayerPlan | None = None) -> bool:
        """Whether this is a layer of the float graph, name and weights the same."""
        return _digest((layer, plan)) in self._own

    def alone(self, layer: Layer, plan: LayerPlan | None = None) -> Alone:
        """What a layer of other weights makes of the exact edges; by its plan in integers."""
        key = _digest((layer, plan))
        if key not in self._alone:
            self._alone[key] = alone(layer, plan, self.exact)
        return self._alone[key]

    def changed(self, changes: Sequence[Change]) -> list[dict[str, AnyArray]]:
        """The `outputs`, for each change as if it were the only one."""
        keys = [_digest((change.layer, tuple(change.written))) for change in changes]
        unknown = {
            key: change for key, change in zip(keys, changes, strict=True) if key not in self._found
        }
        given = with_changes(self.graph, list(unknown.values()), self.exact, set(self.outputs))
        self._found |= dict(zip(unknown, given, strict=True))
        return [self._found[key] for key in keys]

    def in_integers(self, quantized: Graph) -> InIntegers:
        """All layers as they are quantized, one behind the other; the latest answer is kept.

        quantized: any batch fits it.  A layer before all noise computes what it computes alone.
        """
        if self._latest is None or not _has_layers_of(self._latest[0], quantized):
            self._latest = quantized, self._all(quantized)
        return self._latest[1]

    def _all(self, quantized: Graph) -> InIntegers:
        values = {entry.name: self.exact[entry.name] for entry in quantized.inputs}
        clamped: dict[tuple[str, str], tuple[int, int]] = {}
        for layer in quantized.layers:
            plan = plan_of(quantized, layer)
            if all(values[edge] is self.exact[edge] for edge in layer.reads):
                result = self.alone(layer, plan)
            else:
                result = alone(layer, plan, values)
            values.update(zip(layer.writes, result.written, strict=True))
            clamped |= {(layer.name, where): found for where, found in result.clamped.items()}
        return InIntegers(edges=values, clamped=clamped)


def plan_of(quantized: Graph, layer: Layer) -> LayerPlan | None:
    """How a layer computes in integers; None where it computes in float."""
    return None if quantized.quantization is None else quantized.quantization.plans.get(layer.name)


def _has_layers_of(one: Graph, other: Graph) -> bool:
    """Whether both have the same layers and plans, by identity."""
    return len(one.layers) == len(other.layers) and all(
        mine is its and plan_of(one, mine) is plan_of(other, its)
        for mine, its in zip(one.layers, other.layers, strict=True)
    )


def alone(layer: Layer, plan: LayerPlan | None, values: Mapping[str, AnyArray]) -> Alone:
    """What a layer makes of these edges: by its plan in integers, without one in float."""
    if plan is None:
        return Alone(written=apply(layer, values))
    clamped: dict[str, tuple[int, int]] = {}

    def count(where: str, found: int, total: int) -> None:
        before = clamped.get(where, (0, 0))
        clamped[where] = before[0] + found, before[1] + total

    return Alone(written=integer.apply(layer, plan, values, count), clamped=clamped)


def runs_over(
    graph: Graph, rows: Mapping[str, AnyArray], known: FloatRuns | None = None
) -> FloatRuns:
    """The runs of a float graph over these rows: the known ones, where they are of both."""
    if known is not None and known.are_of(graph, rows):
        return known
    return FloatRuns(graph=graph, rows=rows)


def float_outputs(graph: Graph) -> Iterator[str]:
    """Edges of the outputs whose noise counts: no states, and no whole numbers."""
    states = {state.output for state in graph.states}
    for output in graph.outputs:
        if output.name not in states and graph.specs[output.edge].dtype is DType.FLOAT32:
            yield output.edge


def _same(one: AnyArray, other: AnyArray) -> bool:
    return one is other or np.array_equal(one, other)


def _digest(value: object) -> bytes:
    digest = hashlib.blake2b(digest_size=_SIZE)
    _add(digest, value)
    return digest.digest()


def _add(digest: Any, value: object) -> None:
    """Values of dataclasses, arrays and plain numbers, each with its type and size.

    Raises TypeError for others, whose text may not say all.
    """
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif is_dataclass(value) and not isinstance(value, type):
        digest.update(type(value).__name__.encode())
        for entry in fields(value):
            digest.update(entry.name.encode())
            _add(digest, getattr(value, entry.name))
    elif isinstance(value, tuple):
        digest.update(f"({len(value)}".encode())
        for part in value:
            _add(digest, part)
    elif value is None or isinstance(value, str | int | float | Enum | np.generic):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        raise TypeError(f"{type(value).__name__} has no digest")
