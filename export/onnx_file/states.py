"""The states of several layers in one array become one input or output for each layer.

PyTorch stacks them, [layers * directions, batch, units].  A stream hands each of them on by itself,
and no array has to be cut and joined in every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgernn.export.onnx_file.builder import free_name
from edgernn.export.source_model import FilePort, Part
from edgernn.graph import (
    Concatenate,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    Reshape,
    SimpleRnn,
    Slice,
    TensorSpec,
    with_edges,
    without_dead_layers,
)

#: Of an edge that holds stacked states: [batch, layers, units].
_LAYERS = 1


def with_states_apart(
    graph: Graph, ports: Mapping[str, FilePort]
) -> tuple[Graph, dict[str, FilePort], tuple[str, ...]]:
    """The graph, the ports of its new inputs and outputs, and a sentence for each array.

    An input is taken apart if each of its parts begins a recurrent layer and nothing reads it
    whole; an output if the file has its layers first, and each part is the state of one.
    """
    said: list[str] = []
    made = dict(ports)
    for entry in graph.inputs:
        cut = _cut_apart(graph, entry)
        if cut:
            graph, names = _with_inputs(graph, entry, cut)
            said.append(f"the input {_replaced(made, entry.name, names)}")
    for output in graph.outputs:
        edges = _joined(graph, output, made[output.name])
        if edges:
            graph, names = _with_outputs(graph, output, edges, made[output.name])
            said.append(f"the output {_replaced(made, output.name, names)}")
    return without_dead_layers(graph), made, tuple(said)


def _replaced(ports: dict[str, FilePort], name: str, names: list[str]) -> str:
    """Puts the ports `names` in the place of `name`; says so."""
    whole = ports.pop(name)
    along = whole.permutation[_LAYERS]
    left = [axis for axis in whole.permutation if axis != along]
    order = tuple(axis - (axis > along) for axis in left)
    for at, part in enumerate(names):
        ports[part] = replace(whole, permutation=order, part=Part(axis=along, index=at))
    listed = ", ".join(f"'{part}'" for part in names)
    return (
        f"'{whole.name}' has a state for each layer, on axis {along}; the exported model has them "
        f"one by one, [batch, units]: {listed}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """What was cut out of an input: the edges [batch, units] by their places, and by what."""

    places: dict[str, int]
    layers: set[str]


def _cut_apart(graph: Graph, entry: Input) -> _Cut | None:
    """None where anything reads the input whole, or a part begins no recurrent layer."""
    shape = entry.spec.shape
    count = shape[_LAYERS] if len(shape) == 3 else None
    if count is None or shape[2] is None:
        return None
    stacked = {entry.name: range(count)}
    cut = _Cut(places={}, layers=set())
    first: set[str | None] = set()
    for layer in graph.layers:
        if isinstance(layer, SimpleRnn | Gru | Lstm):
            first |= {layer.initial_h, layer.initial_c if isinstance(layer, Lstm) else None}
        for edge in stacked.keys() & set(layer.reads):
            places = stacked[edge]
            match layer:
                case Slice(axis=1, squeeze=True):
                    cut.places[layer.output] = places[layer.start]
                case Slice(axis=1):
                    stacked[layer.output] = places[layer.start : layer.stop : layer.step]
                case Reshape() if len(places) == 1 and layer.target == shape[2:]:
                    cut.places[layer.output] = places[0]
                case _:
                    return None
            cut.layers.add(layer.name)
    is_result = any(output.edge in stacked for output in graph.outputs)
    begins = {place for edge, place in cut.places.items() if edge in first}
    return None if is_result or len(begins) < count else cut


def _with_inputs(graph: Graph, entry: Input, cut: _Cut) -> tuple[Graph, list[str]]:
    """An input for each place, where `entry` was."""
    batch, count, units = entry.spec.shape
    taken = {*graph.specs, *(layer.name for layer in graph.layers)} - {entry.name}
    taken |= {output.name for output in graph.outputs}
    names = _numbered(entry.name, count or 0, taken)
    spec = TensorSpec(shape=(batch, units), dtype=entry.spec.dtype)
    at = graph.inputs.index(entry)
    made = [Input(name=name, spec=spec) for name in names]
    inputs = (*graph.inputs[:at], *made, *graph.inputs[at + 1 :])
    renamed = {edge: names[place] for edge, place in cut.places.items()}
    layers: list[Layer] = [
        with_edges(layer, renamed) for layer in graph.layers if layer.name not in cut.layers
    ]
    outputs = tuple(
        replace(output, edge=renamed.get(output.edge, output.edge)) for output in graph.outputs
    )
    return replace(graph, inputs=inputs, layers=tuple(layers), outputs=outputs), names


def _joined(graph: Graph, output: Output, port: FilePort) -> list[str]:
    """The states [batch, units] that an output puts side by side; none where it has others."""
    shape = graph.specs[output.edge].shape
    if port.part is not None or len(shape) != 3 or port.permutation[_LAYERS] != 0:
        return []
    writers = {edge: layer for layer in graph.layers for edge in layer.writes}
    parts: list[str] = []
    left = [output.edge]
    while left:
        edge = left.pop()
        match writers.get(edge):
            case SimpleRnn() | Gru() | Lstm() as layer:
                is_state = edge != layer.output or not layer.return_sequences
                if not is_state or edge in parts or graph.specs[edge].shape[1:] != shape[2:]:
                    return []
                parts.append(edge)
            case Reshape() as layer:
                left.append(layer.input)
            case Concatenate(axis=1) as layer:
                left += reversed(layer.inputs)
            case _:
                return []
    return parts


def _with_outputs(
    graph: Graph, output: Output, edges: list[str], port: FilePort
) -> tuple[Graph, list[str]]:
    taken = {one.name for one in graph.outputs if one is not output}
    taken |= {entry.name for entry in graph.inputs}
    named = bool(port.name) and not port.name.isdigit()
    if named or len(edges) == 1:
        names = _numbered(output.name, len(edges), taken)
    else:
        names = [free_name(edge, taken) for edge in edges]
    made = [Output(name=name, edge=edge) for name, edge in zip(names, edges, strict=True)]
    at = graph.outputs.index(output)
    outputs = (*graph.outputs[:at], *made, *graph.outputs[at + 1 :])
    return replace(graph, outputs=outputs), names


def _numbered(name: str, count: int, taken: set[str]) -> list[str]:
    return [free_name(name if count == 1 else f"{name}_{at}", taken) for at in range(count)]
