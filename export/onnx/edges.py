"""The ONNX values of each edge of the graph, and their order of axes.

ONNX requires time first in recurrent operators and channels before time in convolutions; the graph
is batch first.  An edge may therefore exist in several layouts, and reversed in time.  A layout is
created when a layer reads it, from an existing one: a stack of recurrent layers stays time first, a
chain of convolutions stays channels first, and two reversals in a row are not computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from typing import Final, NamedTuple

import numpy as np
from typing_extensions import assert_never

from edgernn.errors import CalibrationError
from edgernn.export.onnx.builder import Builder, Value
from edgernn.export.onnx.options import Options, Profile
from edgernn.export.onnx.qdq import Pairs
from edgernn.graph import Graph, Layer, TensorSpec

#: The end of a slice that has none.
TO_THE_END: Final = np.iinfo(np.int64).max
_BEFORE_THE_START: Final = np.iinfo(np.int64).min + 1


class Layout(Enum):
    """Physical order of a sequence's axes (batch 0, time 1, channels 2)."""

    BATCH_TIME = (0, 1, 2)  # of the graph; the only layout for tensors of another rank than 3
    TIME_BATCH = (1, 0, 2)  # recurrent operators
    CHANNELS_TIME = (0, 2, 1)  # convolutions and pooling
    CHANNELS_IMAGE = (0, 3, 1, 2)  # of rank 4: convolutions and pooling of rows and columns

    def position(self, axis: int) -> int:
        """The position of the graph's axis."""
        return self.value.index(axis) if axis < len(self.value) else axis


class Form(NamedTuple):
    """The form in which a value represents an edge."""

    layout: Layout = Layout.BATCH_TIME
    reversed: bool = False  # in time


PLAIN: Final = Form()


class Edges:
    """The values of each edge so far, and the builder that creates them."""

    def __init__(self, builder: Builder, graph: Graph, options: Options) -> None:
        self.builder = builder
        self.graph = graph
        self.options = options
        self.pairs = _pairs(builder, graph, options)
        self.quantizes_on_the_fly = False  # in a layer that a plan describes otherwise
        self.notes: dict[str, str] = {}  # by layer: how it was written and why
        self.shared: dict[Hashable, tuple[Value, ...]] = {}  # results that several layers need
        self._already_rounded: set[Value] = set()
        self._exact: dict[str, Value] = {}
        self._values: dict[str, dict[Form, Value]] = {}
        self._deferred: dict[str, Callable[[], Value]] = {}
        self._needed = {edge for layer in graph.layers for edge in layer.reads}
        self._needed.update(output.edge for output in graph.outputs)

    def spec(self, edge: str) -> TensorSpec:
        return self.graph.specs[edge]

    def is_needed(self, edge: str) -> bool:
        """Whether a layer or an output of the model reads the edge."""
        return edge in self._needed

    def is_defined(self, edge: str) -> bool:
        """Whether the edge's value is known already."""
        return edge in self._values or edge in self._deferred

    def is_written(self, layer: Layer) -> bool:
        """Whether the layer was written already, together with another one."""
        return any(self.is_defined(edge) for edge in layer.writes)

    def stays_in_float(self, layer: Layer) -> bool:
        """Whether products of bytes were found too coarse for the layer."""
        quantization = self.graph.quantization
        return quantization is not None and layer.name in quantization.in_float

    def explain(self, layer: Layer, reason: str) -> None:
        """Records for the user how a layer was written."""
        self.notes[layer.name] = reason

    def define(self, edge: str, value: Value, form: Form = PLAIN) -> None:
        self._values.setdefault(edge, {})[form] = self._rounded(edge, value)
        if form == PLAIN:
            self._exact[edge] = value

    def defer(self, edge: str, make: Callable[[], Value]) -> None:
        """Defines an edge whose value is created only if a layer reads it."""
        self._deferred[edge] = make

    def read(self, edge: str, form: Form = PLAIN) -> Value:
        """The edge in the given form, converted from another form if necessary."""
        values = self._forms(edge)
        if form not in values:
            flipped = Form(form.layout, not form.reversed)
            if flipped in values:
                turned = self._reverse(values[flipped], form.layout.position(1))
                values[form] = self._rounded(edge, turned)
            else:
                source, value = next(iter(values.items()))
                straight = self._transpose(value, source.layout, form.layout)
                values[Form(form.layout, source.reversed)] = self._rounded(edge, straight)
                return self.read(edge, form)
        return values[form]

    def read_exact(self, edge: str) -> Value:
        """The edge without the pairs of a profile, where it has such a form: for comparisons."""
        return self._exact.get(edge) or self.read(edge)

    def forms(self, edge: str) -> tuple[Form, ...]:
        """The existing forms, the first one first."""
        if edge not in self._values:
            return (PLAIN,)  # deferred, and not created by this query
        return tuple(self._values[edge])

    def read_any(self, edge: str, *allowed: Layout) -> tuple[Value, Form]:
        """The edge in an existing form, if its layout is one of the allowed ones."""
        for form in self.forms(edge):
            if form.layout in allowed:
                return self.read(edge, form), form
        return self.read(edge), PLAIN

    def read_alike(self, edges: Sequence[str]) -> tuple[list[Value], Form]:
        """Several edges of one rank in the form that most of them have."""
        if len({self.spec(edge).rank for edge in edges}) == 1:
            votes = Counter(form for edge in edges for form in self.forms(edge))
            form = votes.most_common(1)[0][0]
        else:
            form = PLAIN
        return [self.read(edge, form) for edge in edges], form

    def define_reversed(self, edge: str, source: str) -> None:
        """Defines `edge` as `source` reversed in time; nothing is computed."""
        for form, value in self._forms(source).items():
            self.define(edge, value, Form(form.layout, not form.reversed))

    def sizes(self, edge: str, axes: Sequence[int]) -> Value:
        """An int64 [len(axes)] with the edge's sizes along the axes, known at run time."""
        value, form = self.read_any(edge, *Layout)
        positions = [form.layout.position(axis) for axis in axes]
        shape = self.builder.op("Shape", value)
        return self.builder.op("Gather", shape, self.builder.constant(int64(positions)), axis=0)

    def _rounded(self, edge: str, value: Value) -> Value:
        """The value itself or, in a profile with pairs, quantized and dequantized once."""
        if self.pairs is None or value in self._already_rounded:
            return value
        rounded = self.pairs.around(value, self.pairs.grid(edge))
        self._already_rounded.add(rounded)
        return rounded

    def _forms(self, edge: str) -> dict[Form, Value]:
        if edge not in self._values:
            self.define(edge, self._deferred[edge]())
        return self._values[edge]

    def _transpose(self, value: Value, source: Layout, target: Layout) -> Value:
        rank = max(len(source.value), len(target.value))
        order = [source.position(axis) for axis in (*target.value, 3)[:rank]]
        return self.builder.op("Transpose", value, perm=order)

    def _reverse(self, value: Value, axis: int) -> Value:
        self.builder.needs(10)  # steps
        return self.builder.op(
            "Slice",
            value,
            starts=int64([-1]),
            ends=int64([_BEFORE_THE_START]),
            axes=int64([axis]),
            steps=int64([-1]),
        )


def _pairs(builder: Builder, graph: Graph, options: Options) -> Pairs | None:
    match options.profile:
        case Profile.DEFAULT | Profile.PORTABLE:
            return None
        case Profile.QNN:
            if graph.quantization is None:
                raise CalibrationError(
                    "the profile qnn needs the ranges inside the model",
                    remedy="Use --scheme int8 with --calibrate",
                )
            return Pairs(
                builder=builder,
                graph=graph,
                ranges=graph.quantization.ranges.edges,
                bits=16 if graph.quantization.wide else 8,
            )
        case _:
            assert_never(options.profile)


def int64(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)
