"""GRU, LSTM and SimpleRNN: their layouts, masks and states around the cell that runs."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import assert_never

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx import masks
from edgernn.export.onnx.both_ways import other_half
from edgernn.export.onnx.builder import ABSENT, Value
from edgernn.export.onnx.cell import Call, Results, state_edges
from edgernn.export.onnx.edges import Edges, Form, Layout
from edgernn.export.onnx.integer_gru import STORED, gru_form, integer_gru, unbounded
from edgernn.export.onnx.integer_product import BOUNDED_ACTIVATIONS
from edgernn.export.onnx.native_operator import integer_plan, native_operator
from edgernn.export.onnx.options import LstmForm
from edgernn.export.onnx.recurrent_activations import operator_functions
from edgernn.export.onnx.recurrent_operators import float_operator, integer_lstm
from edgernn.export.onnx.stepwise import stepwise
from edgernn.graph import Gru, Lstm, QTensor, Recurrent, SimpleRnn


def recurrent(layer: Recurrent, edges: Edges) -> None:
    """Defines the layer's output and final states, and those of its other half if there is one.

    ONNX orders the outputs of a reversed operator like its input, so the layer's own order (that
    of processing) is their reverse.  A Form records this, and nothing is moved.
    """
    if layer.stateful:
        raise UnsupportedLayer(
            layer=layer.name,
            kind=type(layer).__name__,
            where=f"model '{edges.graph.name}'",
            reason="is stateful, and an ONNX file cannot store states",
            remedy="Make the states inputs and outputs first (edgernn.streaming.expose_states)",
        )
    if edges.is_written(layer):
        return  # with its other half
    other = other_half(layer, edges) if _is_operator(layer, edges) else None
    if other is not None and _is_operator(other, edges):
        _both_ways(layer, other, edges)
    elif layer.mask is None:
        x, is_reversed = _input(layer, edges)
        call = _call(layer, x, edges, backward=layer.go_backwards != is_reversed)
        if call.is_wanted:
            form = Form(Layout.TIME_BATCH, call.backward)
            _define(layer, _run_cell(layer, call, edges), form, edges)
    else:
        mask = masks.compaction(layer.mask, layer.go_backwards, edges)
        x = masks.compacted(layer, mask, edges)
        call = _call(layer, x, edges, backward=False, mask=mask)
        if call.is_wanted:
            _define_masked(layer, _run_cell(layer, call, edges), mask, edges)


def _both_ways(layer: Recurrent, other: Recurrent, edges: Edges) -> None:
    """One bidirectional operator for two layers that read the same input from both ends."""
    x, is_reversed = _input(layer, edges)
    halves = (layer, other) if layer.go_backwards == is_reversed else (other, layer)
    calls = [
        _call(half, x, edges, backward=backward)
        for half, backward in zip(halves, (False, True), strict=True)
    ]
    for half, results in zip(halves, _run_operator(halves, calls, edges), strict=True):
        backward = half is halves[1]
        _define(half, results, Form(Layout.TIME_BATCH, backward), edges)


def _input(layer: Recurrent, edges: Edges) -> tuple[Value, bool]:
    """x [T, B, F], and whether it is reversed in time."""
    is_reversed = layer.go_backwards if edges.options.is_portable else _is_reversed(layer, edges)
    return edges.read(layer.input, Form(Layout.TIME_BATCH, is_reversed)), is_reversed


def _call(
    layer: Recurrent,
    x: Value,
    edges: Edges,
    *,
    backward: bool,
    mask: masks.Compaction | None = None,
) -> Call:
    wanted = [edges.is_needed(state) for state in state_edges(layer)]
    wants_output = edges.is_needed(layer.output)
    wanted[0] |= wants_output and not layer.return_sequences
    return Call(
        x=x,
        lengths=ABSENT if mask is None else mask.lengths,
        last=ABSENT if mask is None else mask.last,
        initial=tuple(
            ABSENT if edge is None else edges.read(edge) for edge in _initial_edges(layer)
        ),
        backward=backward,
        wants_sequence=wants_output and layer.return_sequences,
        wants_states=tuple(wanted),
    )


def _run_cell(layer: Recurrent, call: Call, edges: Edges) -> Results:
    """Writes the layer in the form that its weights allow and the options request."""
    plan = integer_plan(layer, edges)
    if plan is not None:
        return native_operator(layer, plan, call, edges)
    if operator_functions(layer) is None:
        edges.explain(layer, "float32 steps in a Scan: ONNX's operator lacks its activation")
        return stepwise(layer, call, edges)
    if edges.options.is_portable and call.lengths != ABSENT and any(call.wants_states[1:]):
        edges.explain(layer, "float32 steps in a Scan: the final c under a mask is asked for")
        return stepwise(layer, call, edges)
    match layer:
        case Gru(kernel=QTensor() as kernel, recurrent_kernel=QTensor() as recurrent_kernel):
            if edges.pairs is None and gru_form(layer, edges).is_integer:
                edges.explain(layer, gru_form(layer, edges).reason)
                return integer_gru(layer, kernel, recurrent_kernel, call, edges)
        case Lstm() | Gru() | SimpleRnn():
            pass
        case _:
            assert_never(layer)
    return _run_operator((layer,), (call,), edges)[0]


def _is_operator(layer: Recurrent, edges: Edges) -> bool:
    """Whether _run_cell would write one of the operators that run both ways."""
    if integer_plan(layer, edges) is not None or operator_functions(layer) is None:
        return False
    is_stored = isinstance(layer, Gru) and isinstance(layer.kernel, QTensor)
    return not (is_stored and isinstance(layer, Gru) and gru_form(layer, edges).is_integer)


def _run_operator(
    layers: Sequence[Recurrent], calls: Sequence[Call], edges: Edges
) -> list[Results]:
    """A layer's operator, or that of two halves: of integers for an LSTM of int8 weights.

    ONNX Runtime reads the states of all rows with one scale, so that a row of large states would
    coarsen the others where the activation has no bound.
    """
    lstms = [layer for layer in layers if isinstance(layer, Lstm)]
    matrices = [
        (layer.kernel, layer.recurrent_kernel)
        for layer in layers
        if isinstance(layer.kernel, QTensor) and isinstance(layer.recurrent_kernel, QTensor)
    ]
    if edges.pairs is not None or len(matrices) < len(layers):
        return float_operator(layers, calls, edges)
    kept = any(edges.stays_in_float(layer) for layer in layers)
    bounded = all(layer.activation.kind in BOUNDED_ACTIVATIONS for layer in layers)
    if len(lstms) == len(layers) and edges.options.lstm is LstmForm.AUTO and bounded and not kept:
        return integer_lstm(lstms, matrices, calls, edges)
    for layer in layers:
        if isinstance(layer, Gru):
            edges.explain(layer, gru_form(layer, edges).reason)
        else:
            edges.explain(layer, STORED if bounded else f"{STORED}: {unbounded(layer)}")
    return float_operator(layers, calls, edges)


def _define(layer: Recurrent, results: Results, form: Form, edges: Edges) -> None:
    if results.sequence != ABSENT:
        edges.define(layer.output, results.sequence, form)
    for edge, value in zip(state_edges(layer), results.states, strict=True):
        if value != ABSENT:
            edges.define(edge, value)
            if edge == layer.state_h and not layer.return_sequences:
                edges.define(layer.output, value)


def _define_masked(
    layer: Recurrent, results: Results, mask: masks.Compaction, edges: Edges
) -> None:
    if results.sequence != ABSENT:
        edges.define(layer.output, masks.expanded(layer, mask, results.sequence, edges))
    given = [None if edge is None else edges.read(edge) for edge in _initial_edges(layer)]
    starts = results.initial or given
    for edge, initial, value in zip(state_edges(layer), starts, results.states, strict=True):
        if value == ABSENT:
            continue
        final = masks.without_empty_rows(mask, value, edges)
        if edge == layer.state_h and not layer.return_sequences:
            edges.define(layer.output, masks.last_output(layer, mask, final, edges))
        if edges.is_needed(edge):
            if initial is not None:
                final = masks.final_state(mask, final, initial, edges)
            edges.define(edge, final)


def _is_reversed(layer: Recurrent, edges: Edges) -> bool:
    """Whether the input exists in reverse; if so, it is read in that form, from the other end."""
    forms = edges.forms(layer.input)
    ready = [form for form in forms if form.layout is Layout.TIME_BATCH]
    return (ready or forms)[0].reversed


def _initial_edges(layer: Recurrent) -> tuple[str | None, ...]:
    return (layer.initial_h, layer.initial_c) if isinstance(layer, Lstm) else (layer.initial_h,)
