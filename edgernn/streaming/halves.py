"""An encoder and its decoder as two models: what is read once, and what is run for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgernn.errors import UnsupportedLayer
from edgernn.graph import Decoding, DType, Graph, Input, Layer, Output, without_dead_layers
from edgernn.streaming.step import to_streaming


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """encoder: the outputs are what the decoder needs of the sequence that was read, by its names.
    decoder: one step; the token before [B, 1], and what the encoder gave, as states or vectors.
    """

    encoder: Graph
    decoder: Graph


def halved(graph: Graph, decoding: Decoding) -> Halves:
    """Splits a model that was taught with the right tokens before each [B, U].

    Raises UnsupportedLayer where the decoder reads more than vectors of the encoder, or cannot be
    run step by step.
    """
    graph = without_dead_layers(graph)
    later = {decoding.input}
    encoder: list[Layer] = []
    decoder: list[Layer] = []
    for layer in graph.layers:
        if later.isdisjoint(layer.reads):
            encoder.append(layer)
        else:
            decoder.append(layer)
            later.update(layer.writes)
    read = [edge for layer in decoder for edge in layer.reads]
    handed = list(dict.fromkeys(edge for edge in read if edge not in later))
    _require_vectors(graph, decoder, handed)
    tokens = next(entry for entry in graph.inputs if entry.name == decoding.input)
    first = _part(
        graph,
        encoder,
        inputs=tuple(entry for entry in graph.inputs if entry.name != decoding.input),
        outputs=tuple(Output(name=edge, edge=edge) for edge in handed),
    )
    second = _part(
        graph,
        decoder,
        inputs=(tokens, *(Input(name=edge, spec=graph.specs[edge]) for edge in handed)),
        outputs=graph.outputs,
    )
    return Halves(encoder=first, decoder=to_streaming(second))


def _part(
    graph: Graph,
    layers: Sequence[Layer],
    *,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
) -> Graph:
    quantization = graph.quantization
    if quantization is not None:
        names = {layer.name for layer in layers}
        plans = {name: plan for name, plan in quantization.plans.items() if name in names}
        quantization = replace(quantization, plans=plans)
    return replace(
        graph, inputs=inputs, layers=tuple(layers), outputs=outputs, quantization=quantization
    )


def _require_vectors(graph: Graph, decoder: Sequence[Layer], handed: Sequence[str]) -> None:
    for edge in handed:
        spec = graph.specs[edge]
        if spec.rank == 2 and spec.dtype is DType.FLOAT32:
            continue
        reader = next(layer for layer in decoder if edge in layer.reads)
        raise UnsupportedLayer(
            layer=reader.name,
            kind=type(reader).__name__,
            where=f"the decoder of '{graph.name}'",
            reason=f"reads '{edge}' of the encoder, which is not a vector but "
            f"{spec.dtype.value} of {spec.rank} axes",
            remedy="Let the decoder begin from states or a vector; attention to all steps of the "
            "encoder is not split",
        )
    if not handed:
        raise UnsupportedLayer(
            layer=decoder[0].name if decoder else graph.name,
            kind="decoder",
            where=f"'{graph.name}'",
            reason="reads nothing of the encoder",
            remedy="Name the input that takes the tokens before: --decode INPUT,START,STOP",
        )
