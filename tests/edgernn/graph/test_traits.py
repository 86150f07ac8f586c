"""What holds for all layers alike: who writes an edge, and which layers only move numbers."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from edgernn import graph as g

ENDS: dict[str, Any] = {"input": "x", "output": "y"}


@pytest.mark.parametrize("kind", get_args(g.Moving))
def test_a_layer_that_only_moves_numbers_is_a_layer(kind):
    assert kind in get_args(g.Layer)


@pytest.mark.parametrize(
    ("layer", "moved"),
    [
        (g.Upsample1D(name="m", **ENDS, times=2), ("x",)),
        (g.UnfoldTime(name="m", **ENDS, like="z"), ("x",)),
        (g.ApplyMask(name="m", **ENDS, mask="z"), ("x",)),
        (g.Concatenate(name="m", inputs=("x", "z"), output="y"), ("x", "z")),
        (g.GlobalPool1D(name="m", **ENDS, mask="z", kind=g.PoolKind.MAX), ("x",)),
        (g.GlobalPool1D(name="m", **ENDS, kind=g.PoolKind.AVERAGE), ()),
        (g.Merge(name="m", inputs=("x", "z"), output="y", kind=g.MergeKind.ADD), ()),
        (g.Activate(name="m", **ENDS, activation=g.TANH), ()),
    ],
)
def test_moved_edges_are_those_whose_numbers_the_layer_hands_on(layer, moved):
    assert g.moved_edges(layer) == moved


def test_the_producer_of_an_edge_is_the_layer_that_writes_it_and_inputs_have_none():
    backwards = g.Reverse(name="backwards", **ENDS)
    made = g.Graph(
        name="m",
        inputs=(g.Input(name="x", spec=g.TensorSpec(shape=(None, None, 4))),),
        layers=(backwards,),
        outputs=(g.Output(name="out", edge="y"),),
    )
    assert g.producer(made, "y") is backwards
    assert g.producer(made, "x") is None
