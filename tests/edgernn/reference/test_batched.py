"""Many calls in few batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.graph import Dense, Graph, Input, Output, TensorSpec, at_shapes
from edgernn.reference import References, run, run_calls

RNG = np.random.default_rng(2)
KERNEL = RNG.normal(size=(4, 3)).astype(np.float32)


def graph(batch: int | None = None) -> Graph:
    return Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(batch, None, 4))),),
        layers=(Dense(name="d", input="x", output="y", kernel=KERNEL, bias=None),),
        outputs=(Output(name="y", edge="y"),),
    )


def calls(*shapes: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"x": RNG.normal(size=(*shape, 4)).astype(np.float32)} for shape in shapes]


def test_each_call_gets_its_own_answer_in_order():
    asked = calls((1, 5), (3, 2), (2, 5), (1, 2))
    for call, answer in zip(asked, run_calls(graph(), asked), strict=True):
        np.testing.assert_allclose(answer["y"], run(graph(), call)["y"], rtol=1e-6)


def test_calls_of_equal_rows_run_as_one_batch_also_of_a_model_with_a_fixed_one(monkeypatch):
    seen = []

    def counting(model: Graph, arguments: Any) -> dict[str, Any]:
        seen.append(arguments["x"].shape)
        return run(model, arguments)

    asked = calls((2, 5), (2, 5), (1, 2))
    run_calls(graph(batch=2), asked, run=counting)
    assert seen == [(4, 5, 4), (1, 2, 4)]
    seen.clear()
    monkeypatch.setattr("edgernn.reference.batched.MOST_ROWS", 3)
    answers = run_calls(graph(), asked, run=counting)
    assert seen == [(3, 5, 4), (1, 5, 4), (1, 2, 4)]
    assert [len(answer["y"]) for answer in answers] == [2, 2, 1]


def test_what_is_asked_again_is_not_computed_again():
    seen = []

    def counting(model: Graph, arguments: Any) -> dict[str, Any]:
        seen.append(arguments["x"].shape)
        return run(model, arguments)

    references, model, asked = References(), graph(), calls((1, 5), (1, 5))
    first = references.of(model, [asked[0], asked[1], asked[0]], run=counting)
    again = references.of(model, [asked[1]], run=counting)
    assert seen == [(2, 5, 4)]
    assert first[0] is first[2]
    assert again[0] is first[1]
    references.of(at_shapes(model, {}), asked, run=counting)  # another graph
    assert len(seen) == 2


def test_rows_that_come_again_are_computed_once() -> None:
    rows = []

    def counting(model: Graph, arguments: Any) -> dict[str, Any]:
        rows.append(len(arguments["x"]))
        return run(model, arguments)

    ((call,),) = [calls((6, 5))]
    x = call["x"]
    asked = [{"x": x[:4]}, {"x": x[1:2]}, {"x": x[[5, 3, 3]]}, {"x": x[::-1]}]
    answers = run_calls(graph(), asked, run=counting)
    assert sum(rows) == 6
    for one, answer in zip(asked, answers, strict=True):
        np.testing.assert_allclose(answer["y"], run(graph(), one)["y"], rtol=1e-6)
