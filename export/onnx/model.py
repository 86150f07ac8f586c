"""The whole model: inputs, layers, outputs, and the protobuf around them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgernn.export.backend import Lowered
from edgernn.export.integer_bits import with_recurrent_plans
from edgernn.export.onnx.builder import EDGERNN, OLDEST_IR, Builder, Value
from edgernn.export.onnx.edges import Edges
from edgernn.export.onnx.layers import lower_layer
from edgernn.export.onnx.native_operator import NEEDS, check_quantized
from edgernn.export.onnx.options import options
from edgernn.graph import DType, Graph, TensorSpec, without_dead_layers
from edgernn.version import __version__

if TYPE_CHECKING:
    from onnx import ValueInfoProto


def lower(
    graph: Graph,
    *,
    metadata: Mapping[str, str],
    gru: str = "auto",
    lstm: str = "auto",
    dense: str = "auto",
    profile: str = "default",
) -> Lowered:
    """The graph as an ONNX model.

    Inputs and outputs keep their names and order; tokens are int32.  Free dimensions get names:
    "batch", and "<input>.<axis>" for the others.  Each entry of `metadata` becomes a metadata
    property, and the states (which result is which argument of the next call) one named "states".

    gru ("auto", "storage", "scan" or "customop"), lstm ("auto" or "storage") and dense ("auto",
    "storage" or "integer") choose how layers of int8 weights are written; see GruForm, LstmForm and
    DenseForm.  profile "qnn" (scheme int8 only) writes quantize/dequantize pairs instead, see
    qdq.py; profile "portable" writes for runtimes other than ONNX Runtime, see Options.

    Raises UnsupportedLayer, and CalibrationError for the profile qnn or gru "customop" without
    ranges.
    """
    from onnx import ModelProto, helper

    graph = without_dead_layers(graph)
    public = {entry.name for entry in graph.inputs} | {output.name for output in graph.outputs}
    chosen = options(gru=gru, lstm=lstm, dense=dense, profile=profile)
    check_quantized(graph, chosen.gru)
    builder = Builder(reserved=frozenset(public))
    edges = Edges(builder, graph, chosen)
    for entry in graph.inputs:
        edges.define(entry.name, entry.name)
    for layer in graph.layers:
        lower_layer(layer, edges)
    _name_outputs(graph, edges)

    opsets = [helper.make_opsetid("", builder.opset)]
    opsets += [helper.make_opsetid(domain, 1) for domain in sorted(builder.domains)]
    model = ModelProto(
        ir_version=max(OLDEST_IR, helper.find_min_ir_version_for(opsets, ignore_unknown=True)),
        opset_import=opsets,
        producer_name="edgernn",
        producer_version=__version__,
    )
    # In place: helper.make_graph and make_model would each copy all weights.
    model.graph.name = graph.name
    model.graph.input.extend(_value_info(entry.name, entry.spec) for entry in graph.inputs)
    outputs = graph.output_specs.items()
    model.graph.output.extend(_value_info(name, spec) for name, spec in outputs)
    builder.write(model.graph, graph.output_specs)
    properties = dict(metadata)
    if graph.states:
        properties["states"] = json.dumps({state.input: state.output for state in graph.states})
    if EDGERNN in builder.domains:
        properties["needs"] = NEEDS
    helper.set_model_props(model, properties)
    details = {"opset": str(builder.opset), "ir_version": str(model.ir_version)}
    if EDGERNN in builder.domains:
        details["needs"] = NEEDS
    details |= {f"layer {name}": note for name, note in edges.notes.items()}
    computes_integers = EDGERNN in builder.domains and not edges.quantizes_on_the_fly
    exact = with_recurrent_plans(graph) if computes_integers else None
    return Lowered(content=model.SerializeToString(), details=details, exact=exact)


def _name_outputs(graph: Graph, edges: Edges) -> None:
    """Gives results their public names; a value that already has one is copied."""
    builder = edges.builder
    values = {output.name: edges.read(output.edge) for output in graph.outputs}
    public: dict[Value, str] = {}
    for name, value in values.items():
        if value in public or not builder.is_result(value):
            builder.rename(builder.op("Identity", public.get(value, value)), name)
        else:
            builder.rename(value, name)
            public[value] = name


def _value_info(name: str, spec: TensorSpec) -> ValueInfoProto:
    from onnx import TensorProto, helper

    element = {
        DType.FLOAT32: TensorProto.FLOAT,
        DType.INT32: TensorProto.INT32,
        DType.BOOL: TensorProto.BOOL,
    }[spec.dtype]
    return helper.make_tensor_value_info(
        name,
        element,
        [
            size if size is not None else ("batch" if axis == 0 else f"{name}.{axis}")
            for axis, size in enumerate(spec.shape)
        ],
    )
