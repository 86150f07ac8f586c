"""How far off float32 itself lets the outputs of a model be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edgernn.export.cases import Case
from edgernn.graph import AnyArray, AnyNotEqual, Graph, NotEqual
from edgernn.reference import apply
from edgernn.reference.arguments import checked_arguments

#: Of a float32: what its last bit is worth.
_LAST_BIT: Final = 2.0**-23


def float_noise(
    graph: Graph, cases: Sequence[Case], expected: Sequence[Mapping[str, AnyArray]]
) -> dict[str, float]:
    """By output, the largest difference that it makes when layers read numbers off by a last bit.

    A sum in another order is off by some of these.  Where layers amplify what is left of numbers
    that cancel, that may be much more than the last bit of an output.
    """
    random = np.random.default_rng(0)
    noise = dict.fromkeys(expected[0], 0.0)
    for case, there in zip(cases, expected, strict=True):
        values = checked_arguments(graph, case.inputs)
        for layer in graph.layers:
            read = {edge: values[edge] for edge in layer.reads}
            if not isinstance(layer, NotEqual | AnyNotEqual):  # padding is recognized by its bits
                read = {edge: _off_by_a_bit(value, random) for edge, value in read.items()}
            values.update(zip(layer.writes, apply(layer, read), strict=True))
        for output in graph.outputs:
            with np.errstate(invalid="ignore"):  # infinity minus infinity
                off = np.abs(values[output.edge].astype(np.float64) - there[output.name])
            noise[output.name] = max(
                noise[output.name], float(off[np.isfinite(off)].max(initial=0.0))
            )
    return noise


def _off_by_a_bit(value: AnyArray, random: np.random.Generator) -> AnyArray:
    if value.dtype.kind != "f":
        return value
    bits = random.uniform(-_LAST_BIT, _LAST_BIT, value.shape)
    return np.asarray(value * (1 + bits), dtype=value.dtype)
