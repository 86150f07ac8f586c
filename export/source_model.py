"""The result of reading a model, whatever its file format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from edgernn.artefact import Source
from edgernn.graph import Graph
from edgernn.graph.tensor import AnyArray
from edgernn.recipe import RowRecipe

#: Answers by name from inputs by name.
Runs: TypeAlias = Callable[[Mapping[str, AnyArray]], Mapping[str, AnyArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One element of an array along `axis`, without that axis."""

    axis: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePort:
    """An input or output as the file has it: its name, its type, the order of its axes.

    Axis i of the graph's is axis permutation[i] of the file's.
    part: where the file has the states of several layers in one array, which of them this is; the
    axes are those of what is left.
    """

    name: str
    permutation: tuple[int, ...]
    dtype: str  # as numpy spells it
    part: Part | None = None

    @property
    def moves(self) -> bool:
        """Whether the graph has the axes in another order."""
        return self.permutation != tuple(range(len(self.permutation)))

    @property
    def inverse(self) -> tuple[int, ...]:
        """Axis i of the file's is axis inverse[i] of the graph's."""
        return tuple(self.permutation.index(axis) for axis in range(len(self.permutation)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """A model that was read.  `warnings` are whole sentences for the user.

    file: what a runtime can run to check the reading; None for Keras models, which none can.
    front_end: how the rows of an input are made of sound, where the file says so.
    runs: what computes the original's answers in this process, by the names of `ports`: a module in
    memory.
    as_given: the graph with the sizes that the file fixes, where the reader freed one of them.
    ports: the file's inputs and outputs by the name of the graph's; empty for Keras models.
    """

    graph: Graph
    source: Source
    warnings: tuple[str, ...]
    file: Path | None = None
    front_end: RowRecipe | None = None
    runs: Runs | None = None
    as_given: Graph | None = None
    ports: Mapping[str, FilePort] = field(default_factory=lambda: MappingProxyType({}))
