"""The graph's edges as tensors while a graph is lowered, and their shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edgernn.errors import UnsupportedLayer
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import FreeSize, Quantization, Subgraph, Tensor
from edgernn.export.tflite.options import Options, Profile
from edgernn.export.tflite.schema import TensorType
from edgernn.graph import DType, Graph, GraphError, Shape, at_shapes
from edgernn.graph.node import Node

#: Lengths to try for a free time axis after 1 to 63: the file stores the shortest that fits.
_LONGER_PLACEHOLDERS: Final = tuple(1 << power for power in range(6, 15))

TYPE_OF: Final = {
    DType.FLOAT32: TensorType.FLOAT32,
    DType.INT32: TensorType.INT32,
    DType.BOOL: TensorType.BOOL,
}


@dataclass(slots=True, kw_only=True, eq=False)
class Edges:
    """The tensors of each edge in the main subgraph: float32, int8 or both; int16 for a cell.

    A missing form is converted from the other when it is first read, and then kept.
    """

    main: Subgraph
    _plain: dict[str, Tensor] = field(default_factory=dict)  # float32; int32 and bool
    _int8: dict[str, Tensor] = field(default_factory=dict)
    _int16: dict[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, edge: str) -> Tensor:
        """The edge in the type that the graph gives it."""
        if edge not in self._plain:
            finest = self._int16.get(edge) or self.stored(edge)
            self._plain[edge] = ops.dequantize(self.main, finest)
        return self._plain[edge]

    def __setitem__(self, edge: str, tensor: Tensor) -> None:
        forms = {TensorType.INT8: self._int8, TensorType.INT16: self._int16}
        forms.get(tensor.type, self._plain)[edge] = tensor

    def stored(self, edge: str) -> Tensor:
        """The edge in an existing form; as integers if both exist."""
        for forms in (self._int8, self._int16):
            if edge in forms:
                return forms[edge]
        return self._plain[edge]

    def int8(self, edge: str, quantization: Quantization) -> Tensor:
        """The edge as int8: the existing form, else in this quantization."""
        if edge not in self._int8:
            given = self._int16.get(edge) or self._plain[edge]
            self._int8[edge] = ops.quantize(self.main, given, quantization)
        return self._int8[edge]

    def int16(self, edge: str, quantization: Quantization) -> Tensor:
        """The edge as int16: the existing form, else in this quantization."""
        if edge not in self._int16:
            given = self._int8.get(edge) or self._plain[edge]
            self._int16[edge] = ops.as_int16(self.main, given, quantization)
        return self._int16[edge]

    def is_int8(self, edge: str) -> bool:
        return edge in self._int8

    def is_plain(self, edge: str) -> bool:
        """Whether it exists in the type that the graph gives it."""
        return edge in self._plain

    def quantization(self, edge: str) -> Quantization | None:
        return self._int8[edge].quantization if edge in self._int8 else None


@dataclass(slots=True, kw_only=True, eq=False)
class Lowering:
    """State of one `lower`: the graph, its sizes in the file, and the tensors so far."""

    graph: Graph
    sized: Graph  # the same graph with a number for each free size
    main: Subgraph
    tensors: Edges
    options: Options

    @property
    def integers_only(self) -> bool:
        return self.options.profile is not Profile.DEFAULT

    def shape(self, edge: str) -> tuple[int, ...]:
        """Sizes of an edge, FreeSize if they are free in the graph."""
        open_shape = self.graph.specs[edge].shape
        sizes = self.sized.specs[edge].shape
        return tuple(
            FreeSize(size or 1) if open_size is None else open_size
            for open_size, size in zip(open_shape, sizes, strict=True)
        )

    def refuse(self, layer: Node, reason: str, remedy: str) -> UnsupportedLayer:
        return UnsupportedLayer(
            layer=layer.name,
            kind=type(layer).__name__,
            where=self.graph.name,
            reason=reason,
            remedy=remedy,
        )


def sized(graph: Graph) -> Graph:
    """The graph at batch 1 and the shortest time that its layers accept."""
    for steps in (*range(1, 64), *_LONGER_PLACEHOLDERS):
        found = _at_length(graph, steps)
        if found is not None:
            return found
    raise GraphError(f"'{graph.name}' takes no sequence of up to {_LONGER_PLACEHOLDERS[-1]} steps")


def _at_length(graph: Graph, steps: int) -> Graph | None:
    """None if a window does not fit into such a short sequence."""
    shapes = {entry.name: _filled(entry.spec.shape, steps) for entry in graph.inputs}
    try:
        return at_shapes(graph, shapes)
    except GraphError:
        return None


def _filled(shape: Shape, steps: int) -> Shape:
    batch, *rest = shape
    return (batch or 1, *(size or steps for size in rest))
