"""Compares a back end that computes the specified integers with their definition, bit for bit.

docs/integer-arithmetic.md, section 8, says which layers are defined to the last bit.  What comes
behind another one (a softmax, a dense layer in float) is compared with a tolerance, and what an
integer layer makes of that again not at all: a different last bit may round to another integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyArray,
    AnyNotEqual,
    Attention,
    Cast,
    Compare,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dot,
    Embedding,
    GlobalPool1D,
    Graph,
    Gru,
    Layer,
    LayerNorm,
    LayerPlan,
    LinearPlan,
    Lstm,
    Merge,
    Moving,
    NotEqual,
    Pool1D,
    Pool2D,
    PRelu,
    Product,
    QTensor,
    RecurrentPlan,
    SimpleRnn,
    Where,
)

#: Largest |difference| relative to the output's scale behind a function that has no exact
#: definition.  Sound ones are off by a few 1e-7.
TOLERANCE: Final = 1e-5

_SINGLE_OPERATIONS: Final = (
    ActivationKind.LINEAR,
    ActivationKind.RELU,
    ActivationKind.HARD_SIGMOID,
)


class Certainty(IntEnum):
    """How far an edge is defined."""

    BITS = 0
    ROUNDING = 1  # float32 sums or functions in any order
    OPEN = 2  # integers read from such numbers


def same_integers(
    name: str,
    graph: Graph,
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, AnyArray]],
    expected: Sequence[Mapping[str, AnyArray]],
) -> str:
    """Says "bits" if an output was compared so, else "rounding", or "" where none can be compared.

    actual, expected: the outputs of `cases` by name: those of a file, and those of
    edgernn.reference.integer for `graph`.
    Raises VerificationError at the first difference.
    """
    certainty = certainties(graph)
    for case, given, wanted in zip(cases, actual, expected, strict=True):
        for output in graph.outputs:
            if certainty[output.edge] is Certainty.OPEN:
                continue
            here, there = given[output.name], wanted[output.name]
            if certainty[output.edge] is Certainty.BITS:
                same = np.array_equal(here, there, equal_nan=True)
            else:
                scale = max(1.0, np.abs(there).max(initial=0))
                same = here.shape == there.shape and np.allclose(
                    here, there, rtol=0, atol=TOLERANCE * scale, equal_nan=True
                )
            if not same:
                raise VerificationError(
                    f"{name} differs from the integers of the specification in output "
                    f"'{output.name}' for the case '{case.name}'",
                    remedy="The artefact was not written. Please report this model; --no-verify "
                    "writes it all the same",
                )
    found = {certainty[output.edge] for output in graph.outputs}
    if Certainty.BITS in found:
        return "bits"
    return "rounding" if Certainty.ROUNDING in found else ""


def with_recurrent_plans(graph: Graph) -> Graph:
    """The graph with integer recurrent layers; all others compute in float."""
    if graph.quantization is None:
        return graph
    plans = {
        layer: plan
        for layer, plan in graph.quantization.plans.items()
        if isinstance(plan, RecurrentPlan)
    }
    return replace(graph, quantization=replace(graph.quantization, plans=plans))


def certainties(graph: Graph) -> dict[str, Certainty]:
    """Of every edge."""
    plans: Mapping[str, LayerPlan] = graph.quantization.plans if graph.quantization else {}
    in_float = graph.quantization.in_float if graph.quantization else frozenset()
    certainty = {entry.name: Certainty.BITS for entry in graph.inputs}
    for layer in graph.layers:
        read = max((certainty[edge] for edge in layer.reads), default=Certainty.BITS)
        plan = plans.get(layer.name)
        if plan is not None and read is not Certainty.BITS:
            read = Certainty.OPEN
        own = Certainty.BITS if _is_exact(layer, plan) else Certainty.ROUNDING
        if plan is None and layer.name not in in_float and _draws_scales(layer):
            own = Certainty.OPEN
        certainty.update(dict.fromkeys(layer.writes, max(read, own)))
    return certainty


def _draws_scales(layer: Layer) -> bool:
    """Whether a runtime may multiply int8 weights by integers whose scale it draws from each row.

    The native one does (section 11); the reference multiplies floats.
    """
    is_product = isinstance(layer, Dense | Gru | Lstm | SimpleRnn)
    return is_product and any(isinstance(one, QTensor) for one in layer.weights.values())


def _is_exact(layer: Layer, plan: LayerPlan | None) -> bool:
    if isinstance(layer, Moving):
        return True
    match layer:
        case Gru() | Lstm() | SimpleRnn():
            return plan is not None
        case Dense() | Conv1D() | Conv2D():
            is_rounded = isinstance(plan, LinearPlan) and isinstance(plan.product, Product)
            return is_rounded or (plan is not None and _is_single_operation(layer.activation))
        case Activate():
            return _is_single_operation(layer.activation)
        case LayerNorm() | Dot() | Attention():
            return False
        case (
            Embedding()
            | Pool1D()
            | Pool2D()
            | GlobalPool1D()
            | Affine()
            | PRelu()
            | Concatenate()
            | Merge()
            | NotEqual()
            | AnyNotEqual()
            | Cast()
            | Compare()
            | Where()
        ):
            return True
        case _:
            assert_never(layer)


def _is_single_operation(activation: Activation) -> bool:
    return activation.kind in _SINGLE_OPERATIONS
