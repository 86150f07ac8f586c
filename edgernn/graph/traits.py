"""What back ends and the quantizer must know of a layer, besides how to write it.

Each question has one answer here, so that no two back ends disagree about a layer.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from typing_extensions import assert_never

from edgernn.graph import layers as ly
from edgernn.graph.activation import ActivationKind
from edgernn.graph.graph import Graph
from edgernn.graph.recurrent import Gru, Lstm, SimpleRnn

#: Layers that compute nothing: each element of the result is an element of `input`, or zero.
Moving: TypeAlias = (
    ly.Reshape
    | ly.Transpose
    | ly.Reverse
    | ly.Repeat
    | ly.Upsample1D
    | ly.ZeroPad1D
    | ly.Slice
    | ly.FoldTime
    | ly.UnfoldTime
    | ly.ApplyMask
)

#: Layers that multiply their `input` with a `kernel` whose second to last axis is its channels.
Multiplying: TypeAlias = SimpleRnn | Gru | Lstm | ly.Dense | ly.Conv1D


def moved_edges(layer: ly.Layer) -> tuple[str, ...]:
    """The edges whose elements, and zeros, are all that the layer writes.

    Empty for a layer that computes.  A range or a scale that holds for all these edges holds for
    the result.

    >>> moved_edges(Reverse(name="backwards", input="x", output="y"))
    ('x',)
    """
    if isinstance(layer, Moving):
        return (layer.input,)
    match layer:
        case ly.Concatenate():
            return layer.inputs
        case ly.Pool1D() | ly.Pool2D() | ly.GlobalPool1D():
            return (layer.input,) if layer.kind is ly.PoolKind.MAX else ()
        case (
            ly.Embedding()
            | SimpleRnn()
            | Gru()
            | Lstm()
            | ly.Dense()
            | ly.Conv1D()
            | ly.Conv2D()
            | ly.Affine()
            | ly.LayerNorm()
            | ly.Activate()
            | ly.PRelu()
            | ly.Merge()
            | ly.Dot()
            | ly.Attention()
            | ly.NotEqual()
            | ly.AnyNotEqual()
            | ly.Cast()
            | ly.Compare()
            | ly.Where()
        ):
            return ()
        case _:
            assert_never(layer)


_BOUNDED: Final = frozenset(
    {
        ActivationKind.SIGMOID,
        ActivationKind.HARD_SIGMOID,
        ActivationKind.TANH,
        ActivationKind.SOFTMAX,
        ActivationKind.SOFTSIGN,
    }
)


def is_bounded(graph: Graph, edge: str) -> bool:
    """Whether no input can lead the numbers of `edge` beyond ends that are known beforehand."""
    layer = producer(graph, edge)
    if layer is None:
        return False
    if moved := moved_edges(layer):
        return all(is_bounded(graph, source) for source in moved)
    if isinstance(layer, SimpleRnn | Gru | Lstm):
        is_cell = isinstance(layer, Lstm) and edge == layer.state_c
        return not is_cell and layer.activation.kind in _BOUNDED
    if isinstance(layer, ly.Dense | ly.Conv1D | ly.Activate):
        activation = layer.activation
        return activation.kind in _BOUNDED or (
            activation.kind is ActivationKind.RELU
            and activation.max_value is not None
            and activation.alpha == 0
        )
    return isinstance(layer, ly.Embedding)


def producer(graph: Graph, edge: str) -> ly.Layer | None:
    """The layer that writes the edge; None for an input of the model."""
    return next((layer for layer in graph.layers if edge in layer.writes), None)
