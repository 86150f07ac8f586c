"""A row has to answer in every batch as it does alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.dtype import DType
from edgernn.errors import VerificationError
from edgernn.export.batches import Batch, batches, check_rows_agree
from edgernn.export.noise import spread
from edgernn.graph import (
    AnyNotEqual,
    Dense,
    Embedding,
    Graph,
    Gru,
    Input,
    Layer,
    NotEqual,
    Output,
    TensorSpec,
    at_shapes,
)
from edgernn.reference import run_calls

RNG = np.random.default_rng(6)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def tokens() -> Graph:
    """Embedding with a mask -> GRU -> Dense."""
    layers: tuple[Layer, ...] = (
        NotEqual(name="mask", input="x", output="m"),
        Embedding(name="embedding", input="x", output="e", table=weight(25, 6)),
        Gru(
            name="gru", input="e", mask="m", output="h", state_h="s", kernel=weight(6, 24),
            recurrent_kernel=weight(8, 24), bias=None, recurrent_bias=None,
        ),
        Dense(name="head", input="s", output="y", kernel=weight(8, 3), bias=None),
    )  # fmt: skip
    return Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None), dtype=DType.INT32)),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


GRAPH = tokens()
POOL = {"x": RNG.integers(1, 25, (20, 50)).astype(np.int32)}


def test_masked_models_meet_batches_1_to_9_with_and_without_empty_rows():
    made = batches(GRAPH, POOL)
    assert {len(batch.rows) for batch in made} == set(range(1, 10))
    for size in range(2, 10):
        places = {
            batch.rows.index(-1) for batch in made if -1 in batch.rows and len(batch.rows) == size
        }
        assert places == {0, size - 1}
    for batch in made:
        empty = (batch.inputs["x"] == 0).all(axis=1)
        assert empty.tolist() == [row == -1 for row in batch.rows]
        assert batch.inputs["x"].shape[1] == 32  # of 50: time is free


def test_a_fixed_batch_is_kept_and_its_rows_change_places():
    fixed = at_shapes(GRAPH, {"x": (4, 50)})
    made = [batch for batch in batches(fixed, POOL) if -1 not in batch.rows]
    assert [batch.rows for batch in made] == [(0, 1, 2, 3), (1, 2, 3, 4)]
    assert made[0].inputs["x"].shape == (4, 50)


def test_models_without_masks_get_fewer_batches():
    plain = Graph(
        name="plain",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 4))),),
        layers=(Dense(name="d", input="x", output="y", kernel=weight(4, 2), bias=None),),
        outputs=(Output(name="y", edge="y"),),
    )
    assert [batch.rows for batch in batches(plain, {"x": weight(3, 4)})] == [
        (0,), (0, 1), (0, 1, 2), (0, 1, 2, 0, 1, 2, 0, 1),
    ]  # fmt: skip


def answered(made: tuple[Batch, ...]) -> list[Any]:
    return run_calls(GRAPH, [batch.inputs for batch in made])


def test_a_row_that_is_wrong_in_one_batch_only_is_refused():
    made = batches(GRAPH, POOL)
    expected = answered(made)
    spreads = {"y": spread([one["y"] for one in expected], shared=False)}
    check_rows_agree("m.onnx", made, expected, expected, spreads)
    noisy = [{"y": one["y"] + 0.05 * weight(*one["y"].shape)} for one in expected]
    check_rows_agree("m.onnx", made, noisy, expected, spreads)
    (place,) = (at for at, batch in enumerate(made) if batch.rows == (0, 1, -1))
    noisy[place]["y"][1] += 1
    with pytest.raises(VerificationError, match=r"otherwise in a batch of 3, row 2 empty"):
        check_rows_agree("m.onnx", made, noisy, expected, spreads)
    noisy[place]["y"][1] = np.nan
    with pytest.raises(VerificationError):
        check_rows_agree("m.onnx", made, noisy, expected, spreads)


def test_features_that_mark_padding_are_filled_with_their_value():
    layers = (AnyNotEqual(name="mask", input="x", output="m", value=-1.0),)
    graph = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 5, 2))),),
        layers=layers,
        outputs=(Output(name="m", edge="m"),),
    )
    found = [batch for batch in batches(graph, {"x": weight(9, 5, 2)}) if -1 in batch.rows]
    assert found
    assert all((batch.inputs["x"][batch.rows.index(-1)] == -1).all() for batch in found)
