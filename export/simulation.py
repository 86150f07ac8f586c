"""What the simulations of the back ends share: rounding to a grid, and the loop over steps.

They say what kernels of integers round, in float32 on grids.  The integers of native files are in
`edgernn.reference.integer`, bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgernn.graph import AnyArray, FloatArray, Lstm, Recurrent
from edgernn.reference.recurrent import Step, unroll


def on_grid(
    x: AnyArray, scale: AnyArray | float, zero_point: AnyArray | int = 0, *, ends: tuple[int, int]
) -> FloatArray:
    """The nearest of the numbers scale * (integer - zero_point), the integers within `ends`.

    x: any shape; scale and zero_point: numbers, or arrays that broadcast to it.

    >>> on_grid(np.array([0.3, 9.0]), 0.25, ends=(-128, 127))
    array([0.25, 9.  ], dtype=float32)
    """
    low, high = ends
    integers = np.clip(np.rint(x / scale) + zero_point, low, high)
    return np.asarray((integers - zero_point) * scale, np.float32)


def unrolled(
    layer: Recurrent, projected: AnyArray, values: Mapping[str, AnyArray], step: Step
) -> tuple[AnyArray, ...]:
    """The output and the final states of `step` over `projected` [T, B, gates * H].

    values: every edge; the initial states and the mask of the layer are taken from them.
    """
    given = [layer.initial_h, layer.initial_c] if isinstance(layer, Lstm) else [layer.initial_h]
    zeros = np.zeros((projected.shape[1], layer.units), np.float32)
    states = [zeros if edge is None else values[edge] for edge in given]
    mask = None if layer.mask is None else values[layer.mask]
    output, final = unroll(layer, step, projected, states, mask=mask)
    return (output, *final)
