"""A back end that computes the specified integers is held to their bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.integer_bits import (
    Certainty,
    certainties,
    same_integers,
    with_recurrent_plans,
)
from edgernn.graph import SOFTMAX, Dense, Graph
from edgernn.reference import integer
from edgernn.runtime import Model
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_recurrent_plan,
    with_plans,
)


def model(*, head: bool = False, float_below: bool = False) -> Graph:
    rng = np.random.default_rng(3)
    layers: list[Any] = []
    if float_below:
        layers.append(cell("rnn", rng, units=4, features=4, name="below", return_sequences=True))
    gru = cell("gru", rng, units=8, features=4, input="below.y" if float_below else "x")
    layers.append(gru)
    if head:
        kernel = numbers(rng, 8, 3)
        layers.append(
            Dense(
                name="d", input=gru.output, output="p", kernel=kernel, bias=None, activation=SOFTMAX
            )
        )
    plan = random_recurrent_plan(gru, rng, bits=16, state_bits=8)
    return with_plans(graph_of(*layers, features=4), cell=plan)


def cases_of(count: int = 3) -> list[Case]:
    rng = np.random.default_rng(4)
    shapes = [(1, 6, 4), (2, 6, 4), (1, 6, 4)]
    return [Case(name=f"case {n}", inputs={"x": numbers(rng, *shapes[n])}) for n in range(count)]


def answers(graph: Graph, cases: list[Case]) -> list[Mapping[str, Any]]:
    return [integer.run(graph, case.inputs) for case in cases]


def same(graph: Graph, cases: list[Case], actual: Sequence[Mapping[str, Any]]) -> str:
    return same_integers("m", graph, cases, actual, answers(graph, cases))


def test_equal_bits_are_said_to_be_so() -> None:
    graph, cases = model(), cases_of()
    assert same(graph, cases, answers(graph, cases)) == "bits"


def test_the_smallest_difference_fails_and_its_case_is_named() -> None:
    graph, cases = model(), cases_of()
    actual = answers(graph, cases)
    changed = actual[1]["y"].copy()
    changed[1, 2] = np.nextafter(changed[1, 2], np.float32(2))
    with pytest.raises(VerificationError, match=r"m differs .* output 'y' for the case 'case 1'"):
        same(graph, cases, [actual[0], {"y": changed}, actual[2]])


def test_behind_softmax_a_rounding_passes_and_an_integer_does_not() -> None:
    graph, cases = model(head=True), cases_of(1)
    (exact,) = answers(graph, cases)
    assert same(graph, cases, [{"y": exact["y"] + np.float32(1e-6)}]) == "rounding"
    with pytest.raises(VerificationError):
        same(graph, cases, [{"y": exact["y"] + np.float32(1e-4)}])


def test_integers_read_from_float_sums_are_open() -> None:
    graph = model(float_below=True)
    certainty = certainties(graph)
    assert certainty["below.y"] is Certainty.ROUNDING
    assert certainty[graph.outputs[0].edge] is Certainty.OPEN
    assert same(graph, cases_of(1), [{}]) == ""


def test_the_native_runtime_passes() -> None:
    from edgernn.export.native import lower

    graph, cases = model(), cases_of()
    lowered = lower(graph, metadata={})
    assert lowered.exact is not None
    native = Model(lowered.content)
    actual = [native.run(case.inputs) for case in cases]
    assert same(lowered.exact, cases, actual) == "bits"


def test_a_graph_can_be_left_with_its_recurrent_integers_only() -> None:
    graph = model(head=True)
    kept = with_recurrent_plans(graph)
    assert kept.quantization is not None
    assert list(kept.quantization.plans) == ["cell"]
