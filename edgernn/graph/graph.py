"""The model between a file format and a back end: layers in order, edges by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from edgernn.graph.layers import Layer
from edgernn.graph.quantized import Quantization
from edgernn.graph.shapes import ShapeError, infer
from edgernn.graph.tensor import Shape, TensorSpec
from edgernn.graph.weight_grid import WeightGrid
from edgernn.recipe import SoundRecipe, TextRecipe


class GraphError(ValueError):
    """The layers do not form a graph: a name, the order or a shape is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A named argument of the model and the edge of the same name.

    text: how tokens are made of the text that users give; None: they give what the edge has.
    sound: how the original makes rows of the sound that it takes; None: it takes what the edge has.
    """

    name: str
    spec: TensorSpec
    text: TextRecipe | None = None
    sound: SoundRecipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A named result of the model, and the edge that carries it."""

    name: str
    edge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one call hands to the next: the result `output` is the argument `input` of the next.

    The first call gets zeros.  Both are also among the graph's inputs and outputs.
    """

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A model.  Checks itself when created; `specs` has the shape and type of every edge.

    Raises GraphError when an edge is read before it is written, written twice or of the wrong
    shape, or when two layers share a name.
    """

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]  # in an order in which they can be run
    outputs: tuple[Output, ...]
    states: tuple[State, ...] = ()
    quantization: Quantization | None = None  # of scheme int8: how its layers compute
    #: By `content_key`: arrays that were trained on a grid, which quantization must keep.
    grids: Mapping[str, WeightGrid] = field(default_factory=lambda: MappingProxyType({}))
    specs: Mapping[str, TensorSpec] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "specs", MappingProxyType(_checked_specs(self)))

    @property
    def parameters(self) -> int:
        """Numbers stored, counting an array that several layers share once."""
        return sum(_distinct_sizes(self.layers))

    @property
    def output_specs(self) -> dict[str, TensorSpec]:
        return {output.name: self.specs[output.edge] for output in self.outputs}


def _checked_specs(graph: Graph) -> dict[str, TensorSpec]:
    specs: dict[str, TensorSpec] = {}
    for entry in graph.inputs:
        if entry.name in specs:
            raise GraphError(f"two inputs are named '{entry.name}'")
        specs[entry.name] = entry.spec
    seen_layers: set[str] = set()
    for layer in graph.layers:
        if layer.name in seen_layers:
            raise GraphError(f"two layers are named '{layer.name}'")
        seen_layers.add(layer.name)
        missing = [edge for edge in layer.reads if edge not in specs]
        if missing:
            raise GraphError(f"layer '{layer.name}' reads '{missing[0]}', which nothing wrote yet")
        try:
            written = infer(layer, [specs[edge] for edge in layer.reads])
        except ShapeError as error:
            raise GraphError(str(error)) from error
        for edge, spec in zip(layer.writes, written, strict=True):
            if edge in specs:
                raise GraphError(f"layer '{layer.name}' writes '{edge}' a second time")
            specs[edge] = spec
    for output in graph.outputs:
        if output.edge not in specs:
            raise GraphError(
                f"output '{output.name}' names the edge '{output.edge}', which is not there"
            )
    _check_states(graph)
    return specs


def _check_states(graph: Graph) -> None:
    inputs = {entry.name for entry in graph.inputs}
    outputs = {output.name for output in graph.outputs}
    for state in graph.states:
        if state.input not in inputs or state.output not in outputs:
            raise GraphError(f"state {state.input} -> {state.output} is not an input and an output")


def _distinct_sizes(layers: Sequence[Layer]) -> list[int]:
    sizes = {id(weight): weight.size for layer in layers for weight in layer.weights.values()}
    return list(sizes.values())


def live_layers(graph: Graph) -> tuple[Layer, ...]:
    """The layers that some output depends on, in order."""
    needed = {output.edge for output in graph.outputs}
    kept: list[Layer] = []
    for layer in reversed(graph.layers):
        if needed.intersection(layer.writes):
            kept.append(layer)
            needed.update(layer.reads)
    return tuple(reversed(kept))


def without_dead_layers(graph: Graph) -> Graph:
    """The same function without layers whose results nobody reads; often the graph itself."""
    layers = live_layers(graph)
    return graph if len(layers) == len(graph.layers) else replace(graph, layers=layers)


def consumers(graph: Graph, edge: str) -> list[Layer]:
    """The layers that read `edge`, in order."""
    return [layer for layer in graph.layers if edge in layer.reads]


def batch_size(graph: Graph) -> int | None:
    """How many rows a call of the model takes; None where that is free."""
    sizes = (entry.spec.shape[0] for entry in graph.inputs)
    return next((size for size in sizes if size is not None), None)


def at_shapes(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """The graph with the shapes of the named inputs replaced (to pin a batch or a length)."""
    inputs = tuple(
        replace(entry, spec=replace(entry.spec, shape=shapes.get(entry.name, entry.spec.shape)))
        for entry in graph.inputs
    )
    return replace(graph, inputs=inputs)
