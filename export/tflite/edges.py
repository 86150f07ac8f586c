"""The graph's edges as tensors while a graph is lowered, and the shapes they have."""

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

#: Lengths to try for a free time axis after 1 to 63: the file holds the shortest that fits.
_LONGER_PLACEHOLDERS: Final = tuple(1 << power for power in range(6, 15))

TYPE_OF: Final = {
    DType.FLOAT32: TensorType.FLOAT32,
    DType.INT32: TensorType.INT32,
    DType.BOOL: TensorType.BOOL,
}


@dataclass(slots=True, kw_only=True, eq=False)
class Edges:
    """What each edge is as a tensor of the main subgraph: float32, int8, both; int16 a cell.

    One form is made of the other when somebody asks for it, and then kept.
    """

    main: Subgraph
    _plain: dict[str, Tensor] = field(default_factory=dict)  # float32; int32 and bool
    _int8: dict[str, Tensor] = field(default_factory=dict)
    _int16: dict[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, edge: str) -> Tensor:
        """The edge in the type that the graph gives it."""
        if edge not in self._plain:
            self._plain[edge] = ops.dequantize(self.main, self.stored(edge))
        return self._plain[edge]

    def __setitem__(self, edge: str, tensor: Tensor) -> None:
        forms = {TensorType.INT8: self._int8, TensorType.INT16: self._int16}
        forms.get(tensor.type, self._plain)[edge] = tensor

    def stored(self, edge: str) -> Tensor:
        """In the form that needs no conversion, as integers where both are there."""
        for forms in (self._int8, self._int16):
            if edge in forms:
                return forms[edge]
        return self._plain[edge]

    def int8(self, edge: str, quantization: Quantization) -> Tensor:
        """As int8: as it is, if it is so already, otherwise in this quantization."""
        if edge not in self._int8:
            given = self._int16.get(edge) or self._plain[edge]
            self._int8[edge] = ops.quantize(self.main, given, quantization)
        return self._int8[edge]

    def is_int8(self, edge: str) -> bool:
        return edge in self._int8

    def is_plain(self, edge: str) -> bool:
        """Whether it is at hand in the type that the graph gives it."""
        return edge in self._plain

    def quantization(self, edge: str) -> Quantization | None:
        return self._int8[edge].quantization if edge in self._int8 else None


@dataclass(slots=True, kw_only=True, eq=False)
class Lowering:
    """State of one `lower`: the graph, its sizes in the file, and the tensors made so far."""

    graph: Graph
    sized: Graph  # the same graph with a number in place of each free size
    main: Subgraph
    tensors: Edges
    options: Options

    @property
    def integers_only(self) -> bool:
        return self.options.profile is not Profile.DEFAULT

    def shape(self, edge: str) -> tuple[int, ...]:
        """Sizes of an edge, FreeSize where the graph leaves them open."""
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
    """None where a window does not fit into so short a sequence."""
    shapes = {entry.name: _filled(entry.spec.shape, steps) for entry in graph.inputs}
    try:
        return at_shapes(graph, shapes)
    except GraphError:
        return None


def _filled(shape: Shape, steps: int) -> Shape:
    batch, *rest = shape
    return (batch or 1, *(size or steps for size in rest))
