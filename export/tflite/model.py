"""The whole model: a graph becomes the bytes of a TFLite file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from edgernn.export.backend import Lowered
from edgernn.export.tflite.builder import Model
from edgernn.export.tflite.compaction import compacted
from edgernn.export.tflite.edges import Edges, Lowering, sized
from edgernn.export.tflite.flatbuffer import to_bytes
from edgernn.export.tflite.fused_lstm import is_fused, lower_fused_lstm
from edgernn.export.tflite.layers import lower_layer
from edgernn.export.tflite.options import Io, Options, Profile, Runtime
from edgernn.export.tflite.ports import add_inputs, as_outputs
from edgernn.export.tflite.precision import quantization_of
from edgernn.export.tflite.recurrent import lower_stack
from edgernn.export.tflite.restrictions import Origins, check
from edgernn.export.tflite.stacks import Stack, plan
from edgernn.graph import Graph, Lstm, QTensor, Recurrent, at_shapes, without_dead_layers

#: TensorFlow's name for the signature of a converted model; the default of runtimes.
SIGNATURE = "serving_default"


def lowered_model(graph: Graph, metadata: Mapping[str, str], options: Options) -> Lowered:
    live = without_dead_layers(graph)
    if live.quantization is not None:
        # A few products with float32 results must not exclude the older runtime.
        options = replace(options, runtime_min=Runtime.TFLITE_214)
    if options.profile is not Profile.DEFAULT:
        live = _at_batch_one(live)
    model = Model()
    main = model.subgraph()
    low = Lowering(
        graph=live, sized=sized(live), main=main, tensors=Edges(main=main), options=options
    )
    inputs = add_inputs(low)
    if low.integers_only:
        _quantize_inputs(low)
    origins = Origins(model=model)
    fused = {layer.name for layer in live.layers if is_fused(low, layer)}
    for part in plan(live, bytes_per_weight=_bytes_per_weight(live), alone=fused):
        if not isinstance(part, Stack):
            lower_layer(low, part)
        elif isinstance(part.layers[0], Lstm) and part.layers[0].name in fused:
            lower_fused_lstm(low, part.layers[0])
        else:
            lower_stack(low, part)
        origins.lowered(part)
    outputs = as_outputs(low)
    check(low, origins, [*inputs.values(), *outputs.values()])
    live_model, moved = compacted(model, [*inputs.values(), *outputs.values()])
    content = to_bytes(
        live_model,
        signature=SIGNATURE,
        inputs={name: moved[tensor.index] for name, tensor in inputs.items()},
        outputs={name: moved[tensor.index] for name, tensor in outputs.items()},
        metadata=metadata,
    )
    details = _details(live_model, options, fused)
    # A model and its subgraphs refer to each other, so without this the weights would stay until
    # Python collects such cycles.
    model.buffers.clear()
    live_model.buffers.clear()
    return Lowered(
        content=content,
        details=details,
        graph=live if low.integers_only else None,
    )


def _at_batch_one(graph: Graph) -> Graph:
    """Fixes the batch: integer hardware needs fixed sizes, and variables have them."""
    return at_shapes(graph, {entry.name: (1, *entry.spec.shape[1:]) for entry in graph.inputs})


def _quantize_inputs(low: Lowering) -> None:
    """Makes all inputs int8 first, except states, which stay exact."""
    recurrent = [layer for layer in low.graph.layers if isinstance(layer, Recurrent)]
    states = {edge for layer in recurrent for edge in layer.reads[1:]}
    for entry in low.graph.inputs:
        found = quantization_of(low, entry.name)
        if found is not None and entry.name not in states:
            low.tensors.int8(entry.name, found)


def _bytes_per_weight(graph: Graph) -> int:
    """Their size in memory in a loop: int8 stays int8, float16 is widened."""
    kernels = [layer.kernel for layer in graph.layers if isinstance(layer, Recurrent)]
    return 1 if kernels and all(isinstance(kernel, QTensor) for kernel in kernels) else 4


def _details(model: Model, options: Options, fused: Collection[str]) -> dict[str, str]:
    operators = sum(len(graph.operators) for graph in model.subgraphs)
    details = {"operators": str(operators), "subgraphs": str(len(model.subgraphs))}
    if options.profile is not Profile.DEFAULT:
        details |= {"profile": options.profile.value, "batch": "1"}
    if options.io is not Io.FLOAT32:
        details["io"] = options.io.value
    if fused:
        details["states"] = "variables: call reset_all_variables before each sequence"
    return details
