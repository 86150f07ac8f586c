"""Which elements are read: a Where reads those of the branch that it chooses.

`where(x > 0.1, log(x), -2.5)` computes log of numbers below zero too, and nobody reads the NaN.
Calibration must not refuse such elements, nor widen a range for them.  Element-wise layers and
those that move elements read what their own readers read; all others read all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

import numpy as np
import numpy.typing as npt

from edgernn.graph import (
    Activate,
    ActivationKind,
    Affine,
    AnyArray,
    Cast,
    Compare,
    CompareKind,
    Concatenate,
    Graph,
    Layer,
    Merge,
    Moving,
    NotEqual,
    PRelu,
    Where,
)
from edgernn.reference import apply

BoolArray = npt.NDArray[np.bool_]

_ACROSS = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def read_elements(graph: Graph, values: Mapping[str, AnyArray]) -> dict[str, BoolArray]:
    """For each edge with elements that nobody reads, which are read.  Edges read whole are absent.

    values: every edge of one run, by name.

    >>> read_elements(graph, execute(graph, {"x": x}))["log"]  # where(x > 0.1, log, -2.5)
    array([[ True, False,  True]])
    """
    if not any(isinstance(layer, Where) for layer in graph.layers):
        return {}
    read = {edge: np.zeros(value.shape, np.bool_) for edge, value in values.items()}
    for output in graph.outputs:
        read[output.edge][...] = True
    for layer in reversed(graph.layers):
        for edge, elements in _read_by(layer, values, read):
            read[edge] |= elements
    return {edge: elements for edge, elements in read.items() if not elements.all()}


def _read_by(
    layer: Layer, values: Mapping[str, AnyArray], read: Mapping[str, BoolArray]
) -> Iterator[tuple[str, BoolArray | bool]]:
    """What the layer reads of each edge, as far as its result is read."""
    match layer:
        case Where():
            wanted, condition = read[layer.output], values[layer.condition]
            yield layer.condition, _of_shape(wanted, condition.shape)
            yield layer.then, _of_shape(wanted & condition, values[layer.then].shape)
            yield layer.otherwise, _of_shape(wanted & ~condition, values[layer.otherwise].shape)
        case Activate() if layer.activation.kind in _ACROSS:
            yield layer.input, True
        case Compare() if _never_holds(layer):
            pass
        case Activate() | Affine() | PRelu() | Merge() | Cast() | Compare() | NotEqual():
            for edge in layer.reads:
                yield edge, _of_shape(read[layer.output], values[edge].shape)
        case Concatenate():
            yield from _moved(layer, layer.inputs, values, read[layer.output])
        case _ if isinstance(layer, Moving):
            yield from _moved(layer, (layer.input,), values, read[layer.output])
            for edge in layer.reads:
                if edge != layer.input:  # a mask, or the sizes of another edge
                    yield edge, True
        case _:
            for edge in layer.reads:
                yield edge, True


def _never_holds(layer: Compare) -> bool:
    """Whether its result is False whatever it reads, NaN too: readers make zeros of a shape so."""
    never = {CompareKind.LESS: -inf, CompareKind.GREATER: inf}
    return layer.value == never.get(layer.kind)


def _of_shape(elements: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Of an edge of this shape, which was broadcast to that of `elements`."""
    added = elements.ndim - len(shape)
    folded = np.asarray(np.any(elements, axis=tuple(range(added))), np.bool_)
    repeated = tuple(
        axis for axis, size in enumerate(shape) if size == 1 and folded.shape[axis] != 1
    )
    return np.asarray(np.any(folded, axis=repeated, keepdims=True), np.bool_)


def _moved(
    layer: Layer, edges: tuple[str, ...], values: Mapping[str, AnyArray], wanted: BoolArray
) -> Iterator[tuple[str, BoolArray]]:
    """Of edges whose elements, and zeros, are all that the layer writes: numbers in
    their place show which."""
    places, first = {}, 1  # 0 is no element
    for edge in dict.fromkeys(edges):
        size = values[edge].size
        places[edge] = np.arange(first, first + size).reshape(values[edge].shape)
        first += size
    (written,) = apply(layer, {**values, **places})
    found = np.zeros(first, np.bool_)
    found[np.asarray(written, np.int64)[wanted]] = True
    for edge, numbers in places.items():
        yield edge, found[numbers]
