"""Room beyond the rows that calibration saw, for edges whose numbers have no end of their own.

Fresh rows go beyond the largest number of a few dozen: 24 rows gave up to 2.33, the next 60 up to
2.77.  An 8-bit activation would cut that off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, sqrt
from typing import Final

import numpy as np

from edgernn.export.quantization.chosen import read_elements
from edgernn.export.quantization.hidden import hidden_steps, without_hidden_steps
from edgernn.graph import (
    Activate,
    ActivationKind,
    AnyArray,
    CalibrationMethod,
    Conv1D,
    Conv2D,
    Dense,
    DType,
    GlobalPool1D,
    Graph,
    Pool1D,
    Pool2D,
    Range,
    Ranges,
    is_bounded,
    moved_edges,
    producer,
)
from edgernn.reference import execute, with_free_batch
from edgernn.reference.arguments import with_zero_states
from edgernn.units import percent

#: The share of a range that is added for few rows, and for any number of them.
_FOR_FEW: Final = 0.25
_ALWAYS: Final = 0.05
_FEW_ROWS: Final = 24

#: Rows on which it is asked whether they stay within the ranges.
_MOST_ROWS: Final = 32

#: The share of numbers cut off from which on a sentence says so.
_WORTH_SAYING: Final = 1e-3

#: Sentences about edges; the others follow from the first ones.
_MOST_SENTENCES: Final = 3


def headroom(rows: int) -> float:
    """The share of a range that is added beyond what so many rows gave.

    >>> headroom(24), headroom(600)
    (0.25, 0.09)
    """
    return _ALWAYS + (_FOR_FEW - _ALWAYS) * sqrt(min(1.0, _FEW_ROWS / max(rows, 1)))


def with_headroom(graph: Graph, ranges: Ranges) -> Ranges:
    """The ranges with room at their ends, where numbers have no end of their own.

    Methods that leave out the largest numbers seen do so deliberately: their ranges stay.
    """
    if ranges.method is not CalibrationMethod.MINMAX:
        return ranges
    share = headroom(ranges.samples)
    edges = {
        name: entry
        if name not in graph.specs or is_bounded(graph, name)
        else _wider(entry, share, ends(graph, name))
        for name, entry in ranges.edges.items()
    }
    return replace(ranges, edges=edges)


def _wider(entry: Range, share: float, given: tuple[float, float]) -> Range:
    """Room at each end by its distance from the mean: a long tail gets more than a short one.

    No end moves beyond what the function gives, and one that is exactly zero stays: it is that of
    a relu, of pixels or of counts.
    """
    mean = (entry.low + entry.high) / 2 if entry.mean is None else entry.mean
    low = entry.low - share * max(mean - entry.low, 0.0)
    high = entry.high + share * max(entry.high - mean, 0.0)
    return replace(
        entry,
        low=0.0 if entry.low == 0 else max(low, min(given[0], entry.low)),
        high=0.0 if entry.high == 0 else min(high, max(given[1], entry.high)),
    )


#: The least values of functions that have one, but for relu and elu, whose own numbers say it.
_LEAST: Final = {
    ActivationKind.SOFTPLUS: 0.0,
    ActivationKind.EXPONENTIAL: 0.0,
    ActivationKind.SQRT: 0.0,
    ActivationKind.RSQRT: 0.0,
    ActivationKind.SELU: -1.7582,
    ActivationKind.GELU: -0.1701,
    ActivationKind.GELU_TANH: -0.1701,
    ActivationKind.SILU: -0.2785,
    ActivationKind.HARD_SILU: -0.375,
    ActivationKind.MISH: -0.3089,
}


def ends(graph: Graph, edge: str) -> tuple[float, float]:
    """What no input can lead the numbers of `edge` below and above; infinite where there is none.

    >>> ends(graph, "gelu_output")
    (-0.1701, inf)
    """
    layer = producer(graph, edge)
    if layer is None:
        return -inf, inf
    sources = moved_edges(layer)
    if isinstance(layer, Pool1D | Pool2D | GlobalPool1D):
        sources = (layer.input,)
    if sources:  # and zeros: padding
        found = [ends(graph, source) for source in sources]
        return min(0.0, *(low for low, _ in found)), max(0.0, *(high for _, high in found))
    if not isinstance(layer, Activate | Dense | Conv1D | Conv2D):
        return -inf, inf
    activation = layer.activation
    match activation.kind:
        case ActivationKind.RELU if activation.alpha == 0:
            most = activation.max_value
            return 0.0, inf if most is None else most
        case ActivationKind.ELU:
            return -abs(activation.alpha), inf
        case ActivationKind.LOG_SOFTMAX:
            return -inf, 0.0
        case kind:
            return _LEAST.get(kind, -inf), inf


def beyond(graph: Graph, ranges: Ranges, rows: Mapping[str, AnyArray]) -> Iterator[str]:
    """A sentence for each of the first edges that `rows` lead out of its range and its headroom."""
    few = {name: array[:_MOST_ROWS] for name, array in rows.items()}
    hidden, graph = hidden_steps(graph), without_hidden_steps(graph)
    values = execute(with_free_batch(graph), with_zero_states(graph, few))
    read = read_elements(graph, values)
    wide = with_headroom(graph, ranges)
    said = 0
    for name, given in values.items():
        is_float = graph.specs[name].dtype is DType.FLOAT32
        if not is_float or name not in wide.edges or is_bounded(graph, name):
            continue
        shown = values[hidden[name]] if name in hidden else ...
        value = given[shown][read[name][shown]] if name in read else given[shown]
        if not value.size:
            continue
        entry, seen = wide.edges[name], ranges.edges[name]
        outside = (value < entry.low) | (value > entry.high)
        if outside.mean() < _WORTH_SAYING or said == _MOST_SENTENCES:
            continue
        said += 1
        layer = producer(graph, name)
        what = f"input '{name}' holds" if layer is None else f"layer '{layer.name}' gives"
        yield (
            f"{what} {float(value.min()):.3g} to {float(value.max()):.3g} in rows that calibration "
            f"did not see, beyond its {seen.low:.3g} to {seen.high:.3g} and the headroom of "
            f"{percent(headroom(ranges.samples), 0)}: {percent(float(np.mean(outside)), 2)} of the "
            "numbers are cut off; calibrate with more typical rows"
        )
