"""What is left out: operators and sequences whose results nobody reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import onnx

from edgernn.graph import Graph, Gru, Layer, Lstm, SimpleRnn, with_edges


def live(
    nodes: list[onnx.NodeProto], outputs: Sequence[onnx.ValueInfoProto]
) -> list[onnx.NodeProto]:
    """The operators that some output depends on."""
    needed = {entry.name for entry in outputs}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]


def last_outputs_only(graph: Graph) -> Graph:
    """Recurrent layers whose state alone is read give that as their output."""
    read = Counter(edge for layer in graph.layers for edge in layer.reads)
    read.update(output.edge for output in graph.outputs)
    renamed = {
        layer.state_h: layer.output
        for layer in graph.layers
        if isinstance(layer, SimpleRnn | Gru | Lstm)
        and layer.return_sequences
        and not read[layer.output]
    }
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, SimpleRnn | Gru | Lstm) and layer.state_h in renamed:
            others = {old: new for old, new in renamed.items() if old != layer.state_h}
            layers.append(replace(with_edges(layer, others), return_sequences=False))
        else:
            layers.append(with_edges(layer, renamed))
    outputs = tuple(
        replace(output, edge=renamed.get(output.edge, output.edge)) for output in graph.outputs
    )
    return replace(graph, layers=tuple(layers), outputs=outputs)
