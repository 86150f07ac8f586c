"""A graph to the bytes of a TFLite file."""

from __future__ import annotations

from collections.abc import Mapping

from edgernn.export import Lowered
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Model, Tensor
from edgernn.export.tflite.flatbuffer import to_bytes
from edgernn.export.tflite.layers import lower_layer
from edgernn.export.tflite.recurrent import lower_stack
from edgernn.export.tflite.stacks import Stack, plan
from edgernn.export.tflite.values import TYPE_OF, Lowering, sized
from edgernn.graph import Graph, without_dead_layers

#: What TensorFlow calls the signature of a converted model; runtimes look for it by default.
SIGNATURE = "serving_default"


def lowered_model(graph: Graph, metadata: Mapping[str, str]) -> Lowered:
    live = without_dead_layers(graph)
    model = Model()
    low = Lowering(graph=live, sized=sized(live), main=model.subgraph())
    for entry in live.inputs:
        shape = low.shape(entry.name)
        low.tensors[entry.name] = low.main.input(shape, TYPE_OF[entry.spec.dtype], name=entry.name)
    inputs = dict(low.tensors)
    parts = plan(live)
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
