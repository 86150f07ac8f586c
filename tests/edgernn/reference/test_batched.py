"""Many calls in few batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.graph import (
    Dense,
    Graph,
    Input,
    Output,
    SimpleRnn,
    TensorSpec,
    Transpose,
    at_shapes,
)
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


def test_calls_of_a_model_with_time_before_the_batch_are_not_put_together():
    """Equal rows along axis 0 are steps there, each with a result of its own."""
    first = (1, 0, 2)
    model = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 4))),),
        layers=(
            Transpose(name="a", input="x", output="rows", permutation=first),
            SimpleRnn(
                name="r",
                input="rows",
                output="h",
                state_h="s",
                return_sequences=True,
                kernel=KERNEL,
                recurrent_kernel=np.eye(3, dtype=np.float32),
                bias=None,
            ),
            Transpose(name="b", input="h", output="y", permutation=first),
        ),
        outputs=(Output(name="y", edge="y"),),
    )
    asked = [{"x": np.ones((steps, 2, 4), np.float32)} for steps in (3, 3, 5)]
    for call, answer in zip(asked, run_calls(model, asked), strict=True):
        np.testing.assert_array_equal(answer["y"], run(model, call)["y"])
