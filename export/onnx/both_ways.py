"""Which two recurrent layers are the halves of one bidirectional operator."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from edgernn.export.onnx.cell import biases_of, state_edges
from edgernn.export.onnx.edges import Edges
from edgernn.graph import Gru, Lstm, QTensor, Recurrent, Weight, consumers


def other_half(layer: Recurrent, edges: Edges) -> Recurrent | None:
    """A layer like this one that reads the same input from the other end, and can run now.

    None under a mask: a row's steps lie at the front in the order in which a layer takes them,
    which is not the same for both halves (masks.py).
    """
    if layer.mask is not None or edges.pairs is not None or not _is_wanted(layer, edges):
        return None
    for other in consumers(edges.graph, layer.input):
        if (
            isinstance(other, Recurrent)
            and other.go_backwards != layer.go_backwards
            and other.mask is None
            and not other.stateful
            and _kind(other) == _kind(layer)
            and not edges.is_written(other)
            and all(edges.is_defined(edge) for edge in other.reads)
            and _is_wanted(other, edges)
        ):
            return other
    return None


def _is_wanted(layer: Recurrent, edges: Edges) -> bool:
    return any(edges.is_needed(edge) for edge in (layer.output, *state_edges(layer)))


def _kind(layer: Recurrent) -> Hashable:
    """What both halves must have in common."""
    initial = (layer.initial_h, layer.initial_c if isinstance(layer, Lstm) else None)
    return (
        type(layer),
        layer.units,
        layer.activation,
        None if not isinstance(layer, Gru | Lstm) else layer.recurrent_activation,
        isinstance(layer, Gru) and layer.reset_after,
        tuple(state is None for state in initial),
        tuple(map(_storage, (layer.kernel, layer.recurrent_kernel, *biases_of(layer)))),
    )


def _storage(weight: Weight) -> Hashable:
    if isinstance(weight, QTensor):
        return (np.int8, weight.axis)
    return weight.dtype
