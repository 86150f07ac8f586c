"""GRU, LSTM and SimpleRNN: their layouts, masks and states around the cell that runs."""

from __future__ import annotations

from typing_extensions import assert_never

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx import masks
from edgernn.export.onnx.builder import ABSENT
from edgernn.export.onnx.cell import Call, Results, state_edges
from edgernn.export.onnx.edges import Edges, Form, Layout
from edgernn.export.onnx.integer_gru import gru_form, integer_gru
from edgernn.export.onnx.native_operator import integer_plan, native_operator
from edgernn.export.onnx.recurrent_activations import operator_functions
from edgernn.export.onnx.recurrent_operators import float_operator, integer_lstm
from edgernn.export.onnx.stepwise import stepwise
from edgernn.graph import Gru, Lstm, QTensor, Recurrent, SimpleRnn


def recurrent(layer: Recurrent, edges: Edges) -> None:
    """Defines the layer's output and final states.

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
    is_reversed = _is_reversed(layer, edges)
    backward = layer.go_backwards != is_reversed
    mask: masks.Compaction | None = None
    if layer.mask is None:
        x = edges.read(layer.input, Form(Layout.TIME_BATCH, is_reversed))
    else:
        mask = masks.compaction(layer.mask, is_reversed, edges)
        x = masks.compacted(layer, mask, edges)
    initial = _initial_edges(layer)
    wanted = [edges.is_needed(state) for state in state_edges(layer)]
    wants_output = edges.is_needed(layer.output)
    wanted[0] |= wants_output and not layer.return_sequences
    call = Call(
        x=x,
        lengths=ABSENT if mask is None else mask.lengths,
        initial=tuple(ABSENT if edge is None else edges.read(edge) for edge in initial),
        backward=backward,
        wants_sequence=wants_output and layer.return_sequences,
        wants_states=tuple(wanted),
    )
    if not (call.wants_sequence or any(call.wants_states)):
        return
    results = _run_cell(layer, call, edges)
    if mask is None:
        _define(layer, results, Form(Layout.TIME_BATCH, backward), edges)
    else:
        _define_masked(layer, results, mask, edges, backward=backward)


def _run_cell(layer: Recurrent, call: Call, edges: Edges) -> Results:
    """Writes the layer in the form that its weights allow and the options request."""
    plan = integer_plan(layer, edges)
    if plan is not None:
        return native_operator(layer, plan, call, edges)
    if operator_functions(layer) is None:
        edges.explain(layer, "float32 steps in a Scan: ONNX's operator lacks its activation")
        return stepwise(layer, call, edges)
    if edges.pairs is not None:
        return float_operator(layer, call, edges)
    match layer:
        case Lstm(kernel=QTensor() as kernel, recurrent_kernel=QTensor() as recurrent_kernel):
            return integer_lstm(layer, kernel, recurrent_kernel, call, edges)
        case Gru(kernel=QTensor() as kernel, recurrent_kernel=QTensor() as recurrent_kernel):
            form = gru_form(layer, edges)
            edges.explain(layer, form.reason)
            if form.is_integer:
                return integer_gru(layer, kernel, recurrent_kernel, call, edges)
        case Lstm() | Gru() | SimpleRnn():
            pass
        case _:
            assert_never(layer)
    return float_operator(layer, call, edges)


def _define(layer: Recurrent, results: Results, form: Form, edges: Edges) -> None:
    if results.sequence != ABSENT:
        edges.define(layer.output, results.sequence, form)
    for edge, value in zip(state_edges(layer), results.states, strict=True):
        if value != ABSENT:
            edges.define(edge, value)
            if edge == layer.state_h and not layer.return_sequences:
                edges.define(layer.output, value)


def _define_masked(
    layer: Recurrent, results: Results, mask: masks.Compaction, edges: Edges, *, backward: bool
) -> None:
    if results.sequence != ABSENT:
        sequence = masks.without_empty_rows(mask, results.sequence, edges)
        edges.define(layer.output, *masks.expanded(layer, mask, sequence, edges, backward=backward))
    given = [None if edge is None else edges.read(edge) for edge in _initial_edges(layer)]
    starts = results.initial or given
    for edge, initial, value in zip(state_edges(layer), starts, results.states, strict=True):
        if value == ABSENT:
            continue
        final = masks.without_empty_rows(mask, value, edges)
        if edge == layer.state_h and not layer.return_sequences:
            last = masks.last_output(layer, mask, final, edges, backward=backward)
            edges.define(layer.output, last)
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
