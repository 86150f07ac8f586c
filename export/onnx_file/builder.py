"""Collects the layers of our graph while an ONNX graph is read, and brings values to an edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from edgernn.errors import ModelFileError
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import (
    Atom,
    Axes,
    Axis,
    Tensor,
    axis_of,
    bare,
    same_axis,
    size_of,
)
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    DType,
    Gru,
    Input,
    Layer,
    Lstm,
    Reshape,
    Shape,
    ShapeError,
    SimpleRnn,
    Slice,
    TensorSpec,
    Transpose,
    WrongType,
    infer,
)

MAX_LAYERS: Final = 20_000


class Builder:
    """A graph under construction.  Layers are added in the order in which they run."""

    def __init__(self, uses: dict[str, int]) -> None:
        self.inputs: dict[str, Input] = {}
        self.layers: list[Layer] = []
        self.specs: dict[str, TensorSpec] = {}
        #: The same with the sizes of the file, where the reader was asked to free some of them.
        self._frozen: dict[str, TensorSpec] = {}
        self._writers: dict[str, int] = {}
        self._names: set[str] = set()
        self._arranged: dict[tuple[Any, ...], str] = {}
        #: How often the ONNX graph reads a name; a layer that is read once may take its activation.
        self.uses = uses
        #: Edges that several names stand for, of which another is read, too.
        self.shared: set[str] = set()

    def unique(self, wanted: str) -> str:
        """A name for a layer or an edge, now reserved."""
        return free_name(wanted, self._names)

    def add_input(self, name: str, spec: TensorSpec, frozen: TensorSpec) -> str:
        """`frozen` is what the file says, `spec` what is read."""
        edge = self.unique(name)
        self._frozen[edge] = frozen
        self.inputs[edge] = Input(name=edge, spec=spec)
        self.specs[edge] = spec
        return edge

    def add(self, layer: Layer, node: Node) -> str:
        """Appends `layer`; returns its first edge.

        Raises ModelFileError where shapes do not fit, UnsupportedLayer for arithmetic with tokens.
        """
        if len(self.layers) >= MAX_LAYERS:
            raise ModelFileError(
                f"the model has more than {MAX_LAYERS} layers", remedy="Export a smaller part of it"
            )
        try:
            written = infer(layer, [self.specs[edge] for edge in layer.reads])
            frozen = infer(layer, [self._frozen[edge] for edge in layer.reads])
        except WrongType as error:
            raise node.unsupported(
                "computes with integers, which are tokens",
                "Compute tokens outside of the model, and give it numbers as float32",
            ) from error
        except ShapeError as error:
            raise node.damaged(f"contradicts itself: {error}") from error
        for edge, spec, before in zip(layer.writes, written, frozen, strict=True):
            self.specs[edge] = spec
            self._frozen[edge] = before
            self._writers[edge] = len(self.layers)
        self.layers.append(layer)
        return layer.writes[0]

    def shape(self, edge: str) -> Shape:
        return self.specs[edge].shape

    def axis(self, edge: str, at: int) -> Axis:
        """A new axis as long as axis `at` of the edge."""
        return axis_of(self.specs[edge].shape[at], self._frozen[edge].shape[at])

    def dtype(self, edge: str) -> DType:
        return self.specs[edge].dtype

    def writer(self, edge: str) -> Layer | None:
        """The layer that writes `edge`; None for an input."""
        at = self._writers.get(edge)
        return None if at is None else self.layers[at]

    def origin(self, edge: str) -> str:
        """The name of the edge that computed the numbers of `edge`, before they were moved."""
        writer = self.writer(edge)
        while isinstance(writer, Reshape | Transpose | Slice):
            edge = writer.input
            writer = self.writer(edge)
        return edge

    def change(self, old: Layer, new: Layer) -> None:
        """Puts `new`, which writes the same edges, in the place of `old`."""
        self.layers[self._writers[old.writes[0]]] = new

    def activated(self, tensor: Tensor, function: Activation, node: Node) -> Tensor:
        """An element-wise function; the layer before takes it if nobody else reads that layer."""
        writer = self.writer(tensor.edge)
        if (
            isinstance(writer, Dense | Conv1D | Conv2D)
            and writer.activation.kind is ActivationKind.LINEAR
            and self.uses.get(node.inputs[0]) == 1
            and tensor.edge not in self.shared
        ):
            self.change(writer, replace(writer, activation=function))
            return tensor
        name = self.unique(node.role)
        layer = Activate(name=name, input=tensor.edge, output=name, activation=function)
        return replace(tensor, edge=self.add(layer, node))

    # -- bringing values to an edge

    def arranged(self, tensor: Tensor, wanted: Axes, node: Node) -> str:
        """The edge whose axes are exactly `wanted`, the batch first; moves elements if it must.

        Raises UnsupportedLayer where the batch is mixed with other axes, or two free axes meet.
        """
        have, want = tuple(map(bare, tensor.axes)), tuple(map(bare, wanted))
        if len(have) == len(want) and all(map(same_axis, have, want)):
            return tensor.edge
        if not want or not (len(want[0]) == 1 and want[0][0].batch):
            raise node.unsupported(
                "mixes the rows of the batch with another axis",
                "Keep the batch an axis of its own, in every Reshape of the model",
            )
        key = (tensor.edge, tuple(tuple(map(_key, axis)) for axis in want))
        if key not in self._arranged:
            self._arranged[key] = self._moved(tensor.edge, have, want, node)
        return self._arranged[key]

    def _moved(self, edge: str, have: Axes, want: Axes, node: Node) -> str:
        here, there = _flat(have), _flat(want)
        if sorted(map(_key, here)) != sorted(map(_key, there)):
            raise node.unsupported(
                "reads a value whose axes edgernn lost track of",
                "Write the model with plain reshape, transpose and squeeze calls",
            )
        if all(a.same(b) for a, b in zip(here, there, strict=True)):
            return self._reshaped(edge, want, node)
        order = _tiled(have, there)
        if order is None or len(order) != len(have):
            have = tuple((atom,) for atom in here)
            edge = self._reshaped(edge, have, node)
            order = _tiled(have, there) or []
        name = self.unique(f"{node.role}/transpose")
        edge = self.add(
            Transpose(name=name, input=edge, output=name, permutation=tuple(order)), node
        )
        now = tuple(have[position] for position in order)
        if len(now) == len(want) and all(map(same_axis, now, want)):
            return edge
        return self._reshaped(edge, want, node)

    def _reshaped(self, edge: str, axes: Axes, node: Node) -> str:
        sizes = [size_of(axis) for axis in axes[1:]]
        if sizes.count(None) > 1:
            raise node.unsupported(
                "reshapes a value with two free axes",
                "Make one of them fixed: leave it out of dynamic_axes (dynamic_shapes)",
            )
        target = tuple(-1 if size is None else size for size in sizes)
        name = self.unique(f"{node.role}/reshape")
        return self.add(Reshape(name=name, input=edge, output=name, target=target), node)

    def sliced(
        self, edge: str, axis: int, start: int, stop: int | None, node: Node, *,
        step: int = 1, squeeze: bool = False,
    ) -> str:  # fmt: skip
        """Part of an edge along one axis; a whole part of a Concatenate is that part."""
        writer, size = self.writer(edge), self.shape(edge)[axis]
        last = squeeze and (start == -1 or (size is not None and start == size - 1))
        if (
            last
            and axis == 1
            and isinstance(writer, SimpleRnn | Gru | Lstm)
            and edge == writer.output
            and not writer.go_backwards
        ):
            return writer.state_h  # the last output is the state
        if isinstance(writer, Concatenate) and writer.axis == axis and step == 1 and not squeeze:
            begin = 0
            for part in writer.inputs:
                length = self.shape(part)[axis]
                if length is None:
                    break
                if (begin, begin + length) == (start, stop):
                    self.shared.add(part)
                    return part
                begin += length
        name = self.unique(f"{node.role}/{'last' if last else 'slice'}")
        if last:
            start, stop = -1, None
        layer = Slice(
            name=name, input=edge, output=name, axis=axis, start=start, stop=stop, step=step,
            squeeze=squeeze,
        )  # fmt: skip
        return self.add(layer, node)


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or wanted_1, wanted_2, ... if it is taken; now it is."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def ordered(tensor: Tensor, among: Sequence[int]) -> list[int]:
    """The view's axes `among`, in the order in which the edge has them, the batch first."""
    places = {id(atom): place for place, atom in enumerate(_flat(tensor.axes))}

    def place(position: int) -> float:
        pieces = bare(tensor.view[position])
        if any(atom.batch for atom in pieces):
            return -1
        return places.get(id(pieces[0]), position) if pieces else position

    return sorted(among, key=place)


def _key(atom: Atom) -> int:
    return 0 if atom.batch else id(atom)


def _flat(axes: Axes) -> list[Atom]:
    return [atom for axis in axes for atom in bare(axis)]


def _tiled(have: Axes, flat: list[Atom]) -> list[int] | None:
    """The order in which whole axes of `have` give `flat`; None where one would be torn."""
    order, position = [], 0
    while position < len(flat):
        for index, axis in enumerate(have):
            if axis and same_axis(axis, tuple(flat[position : position + len(axis)])):
                order.append(index)
                position += len(axis)
                break
        else:
            return None
    return order


def separate(axis: Axis) -> Axes:
    """Each piece as an axis of its own."""
    return tuple((atom,) for atom in bare(axis))
