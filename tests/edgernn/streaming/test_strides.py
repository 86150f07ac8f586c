"""Strides step by step: which calls have a result, and that later layers move in these alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgernn.graph import (
    Conv1D,
    Conv2D,
    GlobalPool1D,
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    Padding,
    Pool1D,
    Pool2D,
    PoolKind,
    Reshape,
    Slice,
    TensorSpec,
)
from edgernn.streaming import rhythms
from tests.edgernn.streaming.runs import RUNTIMES, Run, assert_streams, call_inputs
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    cell,
    graph_of,
    numbers,
    sequence,
)

STRIDES = pytest.mark.parametrize("stride", [2, 3])


def strided(
    name: str, source: str, channels: int, stride: int, padding: Padding = Padding.VALID
) -> Conv1D:
    return Conv1D(
        name=name, input=source, output=name, kernel=numbers(3, channels, 4), bias=numbers(4),
        stride=stride, padding=padding,
    )  # fmt: skip


@RUNTIMES
@STRIDES
@pytest.mark.parametrize("padding", [Padding.VALID, Padding.CAUSAL])
def test_a_recurrent_layer_behind_a_stride_moves_with_its_elements(
    runtime: Callable[[Graph], Run], stride: int, padding: Padding
) -> None:
    layers = [
        strided("conv", "x", FEATURES, stride, padding),
        cell(Gru, "gru", "conv", features=4, return_sequences=True),
        cell(Lstm, "lstm", "gru", features=UNITS),
    ]
    graph = graph_of(sequence(), *layers, outputs=["conv", "gru", "lstm"])
    first = 2 if padding is Padding.VALID else 0
    assert rhythms(graph) == {
        "conv_out": (first, stride), "gru_out": (first, stride), "lstm_out": (first, 1),
    }  # fmt: skip
    assert_streams(graph, runtime, inputs=call_inputs(graph, steps=16))


@RUNTIMES
@pytest.mark.parametrize("padding", [Padding.VALID, Padding.CAUSAL])
def test_strides_behind_each_other_multiply(
    runtime: Callable[[Graph], Run], padding: Padding
) -> None:
    layers = [
        strided("one", "x", FEATURES, 2, padding),
        strided("two", "one", 4, 3, padding),
        strided("three", "two", 4, 1, padding),
        cell(Gru, "gru", "three", features=4),
    ]
    graph = graph_of(sequence(), *layers, outputs=["three", "gru"])
    assert rhythms(graph)["three_out"] == ((18, 6) if padding is Padding.VALID else (0, 6))
    assert_streams(graph, runtime, inputs=call_inputs(graph, steps=32))


@RUNTIMES
@pytest.mark.parametrize("kind", PoolKind)
def test_pools_with_strides_and_over_all_of_time(
    runtime: Callable[[Graph], Run], kind: PoolKind
) -> None:
    pool = Pool1D(
        name="pool", input="x", output="pool", kind=kind, window=2, stride=2, padding=Padding.VALID
    )
    conv = strided("conv", "pool", FEATURES, 2)
    whole = GlobalPool1D(name="whole", input="conv", output="whole", kind=kind)
    graph = graph_of(sequence(), pool, conv, whole, outputs=["pool", "whole"])
    assert_streams(graph, runtime, inputs=call_inputs(graph, steps=20))


@RUNTIMES
def test_the_newest_element_is_kept_until_the_next(runtime: Callable[[Graph], Run]) -> None:
    conv = strided("conv", "x", FEATURES, 3)
    last = Slice(name="last", input="conv", output="last", axis=1, start=-1, squeeze=True)
    graph = graph_of(sequence(), conv, last, outputs=["last"])
    assert rhythms(graph) == {"last_out": (2, 1)}
    assert_streams(graph, runtime, inputs=call_inputs(graph, steps=14))


@RUNTIMES
def test_images_whose_rows_are_the_steps(runtime: Callable[[Graph], Run]) -> None:
    conv = Conv2D(
        name="conv", input="x", output="conv", kernel=numbers(3, 2, 2, 3), bias=numbers(3),
        strides=(2, 2), paddings=(Padding.VALID, Padding.SAME),
    )  # fmt: skip
    pool = Pool2D(
        name="pool", input="conv", output="pool", kind=PoolKind.MAX, window=(2, 1), strides=(2, 1),
        paddings=(Padding.VALID, Padding.VALID),
    )  # fmt: skip
    rows = Reshape(name="rows", input="pool", output="rows", target=(-1, 9))
    graph = Graph(
        name="image",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 6, 2))),),
        layers=(conv, pool, rows, cell(Gru, "gru", "rows", features=9)),
        outputs=(Output(name="rows_out", edge="rows"), Output(name="gru_out", edge="gru")),
    )
    assert rhythms(graph) == {"rows_out": (4, 4), "gru_out": (4, 1)}
    x = np.random.default_rng(0).normal(size=(2, 17, 6, 2)).astype(np.float32)
    assert_streams(graph, runtime, inputs={"x": x})
