"""Layers that make one tensor of several: as the reference computes them."""

from __future__ import annotations

from typing import Any

import pytest

from edgernn.graph import (
    AnyNotEqual,
    Attention,
    Concatenate,
    Dot,
    Gru,
    Merge,
    MergeKind,
)
from tests.export.onnx.agreement import assert_agrees
from tests.export.onnx.models import (
    FEATURES,
    booleans,
    cell,
    floats,
    graph_of,
    sequence,
)

TIMES = pytest.mark.parametrize("time", [None, 11])
EDGES: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concatenation(axis: int) -> None:
    layer = Concatenate(name="layer", inputs=("x", "b", "x"), output="y", axis=axis)
    assert_agrees(graph_of([sequence(4), sequence(4, name="b")], layer))


def test_concatenation_of_masks() -> None:
    layer = Concatenate(name="layer", inputs=("a", "b"), output="y", axis=1)
    assert_agrees(graph_of([booleans("a", None, 3), booleans("b", None, 2)], layer))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kind", [k for k in MergeKind if k not in {MergeKind.AND, MergeKind.OR}])
def test_merging(kind: MergeKind, count: int) -> None:
    if kind is MergeKind.SUBTRACT and count > 2:
        return
    inputs = [sequence(4, name=name) for name in "abc"[:count]]
    layer = Merge(name="layer", inputs=tuple("abc"[:count]), output="y", kind=kind)
    assert_agrees(graph_of(inputs, layer))


@pytest.mark.parametrize(
    "other", [(None, FEATURES), (None, 1, FEATURES), (None, None, 1), (None, None, FEATURES)]
)
def test_merging_broadcasts_as_numpy_does(other: tuple[int | None, ...]) -> None:
    """A time-first sequence meets one that is batch first, or of another rank."""
    inputs = [floats("x", 3, 3, FEATURES), floats("b", *(3 if n is None else n for n in other))]
    gru = cell(Gru, "gru", units=FEATURES, return_sequences=True)
    layer = Merge(name="layer", inputs=("gru", "b"), output="y", kind=MergeKind.MULTIPLY)
    assert_agrees(graph_of(inputs, gru, layer))


@pytest.mark.parametrize("kind", [MergeKind.AND, MergeKind.OR])
def test_merging_masks(kind: MergeKind) -> None:
    inputs = [booleans(name, None, None) for name in "abc"]
    layer = Merge(name="layer", inputs=("a", "b", "c"), output="y", kind=kind)
    assert_agrees(graph_of(inputs, layer))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("left", "right", "left_axis", "right_axis"),
    [
        ((4,), (4,), 1, 1),
        ((3, 4), (5, 4), 2, 2),
        ((4, 3), (5, 4), 1, 2),
        ((3, 4), (4, 5), 2, 1),
        ((4, 3), (4, 5), 1, 1),
        ((3, 4), (4,), 2, 1),
        ((4,), (4, 3), 1, 1),
        ((2, 3, 4), (4, 5), 3, 1),
    ],
)
def test_dot(
    left: tuple[int, ...], right: tuple[int, ...], left_axis: int, right_axis: int, normalize: bool
) -> None:
    layer = Dot(
        name="layer",
        left="a",
        right="b",
        output="y",
        left_axis=left_axis,
        right_axis=right_axis,
        normalize=normalize,
    )
    assert_agrees(graph_of([floats("a", None, *left), floats("b", None, *right)], layer))


@TIMES
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_attention(time: int | None, causal: bool, masked: bool, scale: float) -> None:
    masks = [
        AnyNotEqual(name="query_mask", input="q", output="query_mask"),
        AnyNotEqual(name="key_mask", input="k", output="key_mask"),
    ]
    layer = Attention(
        name="layer",
        query="q",
        key="k",
        value="v",
        output="y",
        query_mask="query_mask" if masked else None,
        key_mask="key_mask" if masked else None,
        causal=causal,
        scale=scale,
    )
    inputs = [sequence(time, name="q"), sequence(9, name="k"), sequence(9, 3, name="v")]
    assert_agrees(graph_of(inputs, *masks, layer))
