"""The whole model: a graph becomes the bytes of an .ernn file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgernn.export.backend import Lowered
from edgernn.export.native import axes, records
from edgernn.export.native.builder import Builder, file_image
from edgernn.export.native.edges import edge_form, refused
from edgernn.export.native.layers import lower_layer
from edgernn.export.native.records import INT32_MAX, EdgeType, OpKind
from edgernn.graph import Concatenate, Graph, Output, without_dead_layers
from edgernn.graph.quantized import LayerPlan


def lower(graph: Graph, *, metadata: Mapping[str, str]) -> Lowered:
    """The graph as an .ernn file: with the graph's float32, float16 or int8 weights.

    An int8 graph (one with `quantization`) is computed in integers where it has plans, bit for bit
    as docs/integer-arithmetic.md defines.

    Raises UnsupportedLayer for layers that the runtime does not have, and for tensors that are not
    rows of features, one or one a step.
    """
    graph = without_dead_layers(graph)
    plans: Mapping[str, LayerPlan] = graph.quantization.plans if graph.quantization else {}
    builder = Builder()
    builder.specs = graph.specs
    builder.in_float = graph.quantization.in_float if graph.quantization else ()
    for entry in graph.inputs:
        builder.forms[entry.name] = edge_form(entry.spec, layer=entry.name, kind="input")
        builder.folds[entry.name] = 0
        builder.folded_from[entry.name] = ()
    for layer in graph.layers:
        folds = axes.folds_behind(builder, layer)
        for edge in layer.writes:
            builder.forms[edge] = edge_form(
                graph.specs[edge],
                layer=layer.name,
                kind=type(layer).__name__,
                is_folded=folds > 0,
            )
            builder.folds[edge] = folds
        lower_layer(builder, graph, layer, plans.get(layer.name))
    _keep_lengths_apart(builder, graph)
    outputs = _copied_outputs(builder, graph)
    image = file_image(builder, graph, outputs, metadata)
    integer_layers = sum(op.kind in records.INTEGER_KINDS for op in builder.ops)
    details = {"format": str(records.VERSION), "integer_layers": str(integer_layers)}
    exact = graph if graph.quantization else None
    return Lowered(content=records.file_bytes(image), details=details, exact=exact)


def _copied_outputs(builder: Builder, graph: Graph) -> tuple[Output, ...]:
    """Copies outputs that are also inputs, because the runtime writes each output itself."""
    inputs = {entry.name for entry in graph.inputs}
    outputs = []
    for output in graph.outputs:
        edge = output.edge
        if builder.folds[edge]:
            raise refused(
                output.name,
                "output",
                "has more rows than the batch: steps are folded into it",
            )
        if edge in inputs:
            copy = builder.temporary(edge, builder.forms[edge])
            builder.op(OpKind.RESHAPE, output.name, [edge], [copy])
            edge = copy
        outputs.append(Output(name=output.name, edge=edge))
    return tuple(outputs)


def _keep_lengths_apart(builder: Builder, graph: Graph) -> None:
    """Makes the model run on whole sequences if its inputs can have different lengths.

    If all layers can run step by step, the runtime runs them so, with all inputs at the same step.
    Inputs of different lengths that are merged after their last steps cannot run like this, nor
    can images, which have several rows a step.  An op that needs a whole sequence (here one that
    adds no step) prevents it.
    """
    states = {state.input for state in graph.states}
    entries = [entry.name for entry in graph.inputs if entry.name not in states]
    sequences = [name for name in entries if builder.forms[name].is_sequence]
    lengths = {builder.forms[name].steps for name in sequences}
    is_of_rows = all(len(axes.rows_of(builder, edge)) < 2 for edge in graph.specs)
    if (
        is_of_rows
        and len(lengths) == 1
        and (lengths != {None} or _is_one_sequence(builder, graph, sequences))
    ):
        return
    if sequences:
        floats = [name for name in sequences if builder.forms[name].dtype is EdgeType.FLOAT32]
        source = (floats or sequences)[0]
        copy = builder.temporary(source, builder.forms[source])
        if floats:
            builder.op(OpKind.PAD, source, [source], [copy], [0, 0])
        else:
            builder.op(OpKind.SLICE_STEPS, source, [source], [copy], [0, INT32_MAX, 1])


def _is_one_sequence(builder: Builder, graph: Graph, inputs: Sequence[str]) -> bool:
    """Whether layers that read several sequences step by step connect all inputs."""
    tied = {name: {name} for name in inputs}
    for layer in graph.layers:
        edges = [edge for edge in layer.reads if builder.forms[edge].is_sequence]
        together = set().union(*(tied.get(edge, set()) for edge in edges))
        if isinstance(layer, Concatenate) and layer.axis % graph.specs[layer.output].rank == 1:
            continue  # one behind the other: no step in common
        for name in together:
            tied[name] = tied[name] | together
        tied.update({edge: together for edge in layer.writes if builder.forms[edge].is_sequence})
    return all(tied[name] >= set(inputs) for name in inputs)
