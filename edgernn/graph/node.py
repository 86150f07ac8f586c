"""What every layer has: a name, edges it reads and writes, weights it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from edgernn.graph.tensor import Weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """Edges and weights by field name, so that passes need not know each layer."""

    name: str

    INPUTS: ClassVar[tuple[str, ...]] = ("input",)
    OUTPUTS: ClassVar[tuple[str, ...]] = ("output",)
    WEIGHTS: ClassVar[tuple[str, ...]] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Edges this layer needs, in field order; absent optional edges are left out."""
        return _edges(self, self.INPUTS)

    @property
    def writes(self) -> tuple[str, ...]:
        """Edges this layer defines, in field order."""
        return _edges(self, self.OUTPUTS)

    @property
    def weights(self) -> dict[str, Weight]:
        """Stored arrays by field name; absent ones (no bias) are left out."""
        held = {field: getattr(self, field) for field in self.WEIGHTS}
        return {field: weight for field, weight in held.items() if weight is not None}


def _edges(layer: Node, field_names: tuple[str, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for field_name in field_names:
        edge: str | tuple[str, ...] | None = getattr(layer, field_name)
        if isinstance(edge, tuple):
            names.extend(edge)
        elif edge is not None:
            names.append(edge)
    return tuple(names)


AnyLayer = TypeVar("AnyLayer", bound=Node)


def with_edges(layer: AnyLayer, rename: dict[str, str]) -> AnyLayer:
    """The same layer, its edges renamed; edges that `rename` does not name are kept."""

    def renamed(edge: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(edge, tuple):
            return tuple(rename.get(name, name) for name in edge)
        return None if edge is None else rename.get(edge, edge)

    changed = {field: renamed(getattr(layer, field)) for field in (*layer.INPUTS, *layer.OUTPUTS)}
    return replace(layer, **changed)  # type: ignore[arg-type]


def with_weights(layer: AnyLayer, weights: Mapping[str, Weight]) -> AnyLayer:
    """The same layer, the weights of the named fields replaced."""
    return replace(layer, **weights)  # type: ignore[arg-type]
