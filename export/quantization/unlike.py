"""Signs, in the weights alone, of features that few bits lose without calibration data.

A kernel whose rows differ by orders of magnitude reads features of unlike scale; a bias far beyond
what an activation can use takes back an offset.  `absorb` serves both, but needs rows to see them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np

from edgernn.export.quantization.absorb import matrix_of, reads_inputs
from edgernn.graph import ActivationKind, Dense, Graph, Multiplying, Recurrent, as_float32

#: Rows of a kernel that differ by this factor are taken to read features of unlike scale.
_UNLIKE: Final = 100.0

#: A gate is open or closed for good beyond this: such a bias makes sense only where inputs take it
#: back, that is, have an offset of about as many standard deviations.
_BEYOND_A_GATE: Final = 8.0

#: The same for layers without saturation: a bias beside the root of the sum of the column's squared
#: weights, which is the deviation of the products of features with a deviation of 1.
_BEYOND_WEIGHTS: Final = 100.0

#: What a user without data of that scale is to do, as errors and reports say it.
REMEDY: Final = (
    "Give typical rows with --calibrate: they bring features of unlike scale to one scale, and the "
    "file is checked on them"
)


def unlike_features(graph: Graph, *, leave: Collection[str] = ()) -> Iterator[str]:
    """A sentence for each first layer whose weights suggest features of unlike scale or offset.

    leave: layers that stay in float32, which holds any scale.

    >>> list(unlike_features(graph))
    ["layer 'gru' gives feature 0 of 'x' weights more than 100 times smaller than another's, …"]
    """
    for layer in graph.layers:
        if (
            not isinstance(layer, Multiplying)
            or layer.name in leave
            or not reads_inputs(graph, layer.input)
        ):
            continue
        small = _small_rows(layer)
        if small:
            named = ", ".join(str(feature) for feature in small[:5])
            more = f" and {len(small) - 5} more" if len(small) > 5 else ""
            yield (
                f"layer '{layer.name}' gives feature {named}{more} of '{layer.input}' weights more "
                f"than {_UNLIKE:.0f} times smaller than another's, as for features of unlike "
                "scale: without calibration data (--calibrate), few bits may lose some of them"
            )
        elif _takes_back_an_offset(graph, layer):
            yield (
                f"layer '{layer.name}' has biases that are large beside its weights, as for "
                f"features of '{layer.input}' with an offset: without calibration data "
                "(--calibrate), few bits may lose what varies"
            )


def _small_rows(layer: Multiplying) -> list[int]:
    weights = np.abs(matrix_of(layer)).max(axis=(0, 2))
    known = weights[weights > 0]
    if not known.size:
        return []
    return np.flatnonzero((weights > 0) & (weights * _UNLIKE <= known.max())).tolist()


def _takes_back_an_offset(graph: Graph, layer: Multiplying) -> bool:
    if layer.bias is None:
        return False
    bias = np.abs(as_float32(layer.bias))
    if isinstance(layer, Recurrent):
        return bool(np.median(bias) > _BEYOND_A_GATE)
    if any(output.edge == layer.output for output in graph.outputs) and _is_linear(layer):
        return False  # the offset of a target
    sums = np.sqrt(np.square(matrix_of(layer)).sum(axis=(0, 1)))
    return bool(np.median(bias - _BEYOND_WEIGHTS * sums) > 0)


def _is_linear(layer: Multiplying) -> bool:
    return isinstance(layer, Dense) and layer.activation.kind is ActivationKind.LINEAR
