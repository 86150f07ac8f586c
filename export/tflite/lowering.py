"""A graph to the bytes of a TFLite file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgernn.export import Lowered
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Model, Tensor
from edgernn.export.tflite.flatbuffer import to_bytes
from edgernn.export.tflite.layers import lower_layer
from edgernn.export.tflite.options import Options, Runtime
from edgernn.export.tflite.recurrent import lower_stack
from edgernn.export.tflite.stacks import Stack, plan
from edgernn.export.tflite.values import TYPE_OF, Edges, Lowering, sized
from edgernn.graph import Graph, QTensor, Recurrent, without_dead_layers

#: What TensorFlow calls the signature of a converted model; runtimes look for it by default.
SIGNATURE = "serving_default"


def lowered_model(graph: Graph, metadata: Mapping[str, str], options: Options) -> Lowered:
    live = without_dead_layers(graph)
    if live.quantization is not None:
        # A product or two with float32 results is no reason to shut out the older runtime.
        options = replace(options, runtime_min=Runtime.TFLITE_214)
    model = Model()
    main = model.subgraph()
    low = Lowering(
        graph=live, sized=sized(live), main=main, tensors=Edges(main=main), options=options
    )
    inputs: dict[str, Tensor] = {}
    for entry in live.inputs:
        shape = low.shape(entry.name)
        inputs[entry.name] = main.input(shape, TYPE_OF[entry.spec.dtype], name=entry.name)
        low.tensors[entry.name] = inputs[entry.name]
    parts = plan(live, bytes_per_weight=_bytes_per_weight(live))
    for part in parts:
        if isinstance(part, Stack):
            lower_stack(low, part)
        else:
            lower_layer(low, part)
    outputs = _outputs(low)
    content = to_bytes(
        model, signature=SIGNATURE, inputs=inputs, outputs=outputs, metadata=metadata
    )
    return Lowered(content=content, details=_details(model))


def _bytes_per_weight(graph: Graph) -> int:
    """As the loops hold them in memory: int8 stays int8, float16 is widened."""
    kernels = [layer.kernel for layer in graph.layers if isinstance(layer, Recurrent)]
    return 1 if kernels and all(isinstance(kernel, QTensor) for kernel in kernels) else 4


def _outputs(low: Lowering) -> dict[str, Tensor]:
    """One tensor for each output, none of them an input, a constant or another output."""
    outputs: dict[str, Tensor] = {}
    for output in low.graph.outputs:
        tensor = low.tensors[output.edge]
        if tensor in low.main.inputs or tensor in outputs.values() or tensor.buffer:
            tensor = _copy(low, tensor)
        outputs[output.name] = tensor
    low.main.outputs.extend(outputs.values())
    return outputs


def _copy(low: Lowering, tensor: Tensor) -> Tensor:
    return ops.strided_slice(low.main, tensor, axis=0)


def _details(model: Model) -> dict[str, str]:
    operators = sum(len(graph.operators) for graph in model.subgraphs)
    return {"operators": str(operators), "subgraphs": str(len(model.subgraphs))}
