"""The inputs of verification reach the corners where exporters go wrong."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn import graph as g
from edgernn import reference
from edgernn.export.cases import make_cases


def embedding_model(*, window: int = 1) -> g.Graph:
    """tokens -> Embedding with a mask -> Conv1D -> GRU."""
    random = np.random.default_rng(0)
    return g.Graph(
        name="m",
        inputs=(
            g.Input(name="tokens", spec=g.TensorSpec(shape=(None, None), dtype=g.DType.INT32)),
        ),
        layers=(
            g.NotEqual(name="mask", input="tokens", output="mask"),
            g.Embedding(
                name="embed",
                input="tokens",
                output="e",
                table=random.normal(size=(5, 4)).astype(np.float32),
            ),
            g.Conv1D(
                name="conv",
                input="e",
                output="c",
                kernel=random.normal(size=(window, 4, 3)).astype(np.float32),
                bias=None,
            ),
            g.GlobalPool1D(name="pool", input="c", output="p", kind=g.PoolKind.MAX),
        ),
        outputs=(g.Output(name="p", edge="p"), g.Output(name="m", edge="mask")),
    )


def test_batch_and_time_vary_where_they_are_free():
    shapes = {case.inputs["tokens"].shape for case in make_cases(embedding_model())}
    assert shapes == {(1, 7), (1, 1), (3, 7), (3, 1)}


def test_pinned_sizes_are_kept():
    pinned = g.at_shapes(embedding_model(), {"tokens": (1, 9)})
    assert {case.inputs["tokens"].shape for case in make_cases(pinned)} == {(1, 9)}


def test_a_window_longer_than_one_step_gets_enough_steps():
    shapes = {case.inputs["tokens"].shape for case in make_cases(embedding_model(window=8))}
    assert shapes == {(1, 8), (3, 8)}


def test_masks_have_holes_and_a_row_without_valid_step():
    masks = [
        reference.run(embedding_model(), case.inputs)["m"]
        for case in make_cases(embedding_model())
        if case.name.startswith("masked") and case.inputs["tokens"].shape == (3, 7)
    ]
    assert masks
    for mask in masks:
        assert not mask[-1].any()
        assert mask[:-1].any()
        assert not mask[:-1].all()


def test_tokens_stay_inside_the_table():
    for case in make_cases(embedding_model()):
        assert case.inputs["tokens"].dtype == np.int32
        assert 0 <= case.inputs["tokens"].min() <= case.inputs["tokens"].max() < 5


def test_the_same_seed_gives_the_same_cases():
    first, second = make_cases(embedding_model(), seed=3), make_cases(embedding_model(), seed=3)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.inputs["tokens"], other.inputs["tokens"])


@pytest.mark.parametrize("case", make_cases(embedding_model()), ids=lambda case: case.name)
def test_every_case_can_be_run(case):
    assert reference.run(embedding_model(), case.inputs)["p"].shape[1] == 3
