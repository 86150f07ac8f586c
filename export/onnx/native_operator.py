"""Integer recurrent layers as edgernn's own operators, which use the kernels of the native runtime.

ONNX Runtime has no int8 GRU, and one composed of its operators (integer_gru.py) is faster only
from a few hundred units on.  edgernn/runtime/ort is a small library that any ONNX Runtime from 1.16
on can load; the metadata of a file names it if it is needed.  An operator contains its layer as an
.ernn file, so its results have the bits of the native runtime and of the integer reference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.errors import CalibrationError
from edgernn.export import native
from edgernn.export.onnx.builder import ABSENT, EDGERNN, Value
from edgernn.export.onnx.cell import Call, Results
from edgernn.export.onnx.edges import Edges
from edgernn.export.onnx.options import GruForm
from edgernn.graph import (
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    Recurrent,
    RecurrentPlan,
    SimpleRnn,
    State,
    TensorSpec,
)
from edgernn.reference.fixed_point import INT16_MAX

#: A file that needs the library has this text in its metadata and its manifest.
NEEDS: Final = (
    "operators of org.edgernn: register the library edgernn.runtime.ort.library_path() with the "
    "session's options (pip install edgernn; ONNX Runtime 1.16 or newer)"
)

_NAMES: Final = {Gru: "IntegerGRU", Lstm: "IntegerLSTM", SimpleRnn: "IntegerRNN"}


def check_quantized(graph: Graph, gru: GruForm) -> None:
    """Raises CalibrationError if these operators are requested for a graph that is not int8."""
    if gru is GruForm.CUSTOMOP and graph.quantization is None:
        raise CalibrationError(
            "the operators of --onnx-gru customop compute in integers",
            remedy="Use --scheme int8 with --calibrate",
        )


def integer_plan(layer: Recurrent, edges: Edges) -> RecurrentPlan | None:
    """The layer's plan if it is written as one of these operators."""
    if edges.options.gru is not GruForm.CUSTOMOP or edges.graph.quantization is None:
        return None
    plan = edges.graph.quantization.plans.get(layer.name)
    return plan if isinstance(plan, RecurrentPlan) else None


def native_operator(layer: Recurrent, plan: RecurrentPlan, call: Call, edges: Edges) -> Results:
    """One node: x [T, B, F], lengths and states in, sequence [T, B, H] and states [B, H] out."""
    file = native.lower(_alone(layer, plan, call, edges), metadata={"scheme": "int8"})
    sequence, *states = edges.builder.ops(
        _NAMES[type(layer)],
        call.x,
        call.lengths,
        *call.initial,
        outputs=(call.wants_sequence, *call.wants_states),
        name=layer.name,
        domain=EDGERNN,
        attributes={"model": file.content, "reverse": int(call.backward)},
    )
    edges.explain(layer, "edgernn's own operator in integers")
    return Results(
        sequence=sequence, states=tuple(states), initial=_read_initial(layer, plan, call, edges)
    )


def _read_initial(
    layer: Recurrent, plan: RecurrentPlan, call: Call, edges: Edges
) -> tuple[Value, ...]:
    """The states at the start as integers / 2^15 (docs/integer-arithmetic.md, 3).

    A row without a valid step ends with them.
    """
    if layer.mask is None or ABSENT in call.initial:
        return ()
    op, builder = edges.builder.op, edges.builder
    units = [np.array([1 / 32768], np.float32)]
    if plan.cell_exponent is not None:
        units.append(np.ldexp(np.float32(1), plan.cell_exponent.astype(np.int32) - 15))
    least, most = (np.array(end, np.float32) for end in (-INT16_MAX, INT16_MAX))
    builder.needs(11)  # Round
    read = []
    for initial, unit in zip(call.initial, units, strict=True):
        scaled = op("Mul", initial, builder.constant((1 / unit).astype(np.float32)))
        integers = op("Round", op("Clip", scaled, min=least, max=most))
        read.append(op("Mul", integers, builder.constant(unit.astype(np.float32))))
    return tuple(read)


def _alone(layer: Recurrent, plan: RecurrentPlan, call: Call, edges: Edges) -> Graph:
    """The layer as a separate model that runs in the order of its input, with states fed back."""
    names = ("h", "c") if isinstance(layer, Lstm) else ("h",)
    own: Recurrent = replace(
        layer,
        input="x",
        mask=None,
        initial_h="h",
        output="y",
        state_h="next_h",
        return_sequences=call.wants_sequence,
        go_backwards=False,
        stateful=False,
        zero_output_for_mask=False,
    )
    if isinstance(own, Lstm):
        own = replace(own, initial_c="c", state_c="next_c")
    if edges.graph.quantization is None:
        raise AssertionError("a plan comes from a quantization")
    features = edges.spec(layer.input).shape[-1]
    sequence = (Output(name="y", edge="y"),) if call.wants_sequence else ()
    return Graph(
        name=layer.name,
        inputs=(
            Input(name="x", spec=TensorSpec(shape=(None, None, features))),
            *(Input(name=name, spec=TensorSpec(shape=(None, layer.units))) for name in names),
        ),
        layers=(own,),
        outputs=(*sequence, *(Output(name=f"next_{n}", edge=f"next_{n}") for n in names)),
        states=tuple(State(input=name, output=f"next_{name}") for name in names),
        quantization=replace(edges.graph.quantization, plans={layer.name: plan}),
    )
