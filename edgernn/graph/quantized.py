"""How an int8 graph computes: the integer parameters of its layers.

docs/integer-arithmetic.md says what is done with them; edgernn.reference.integer does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.graph.ranges import Ranges
from edgernn.graph.tensor import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Turns a layer's float32 input into integers of `bits` bits; the value is integer * scale."""

    bits: int  # 8 or 16
    scale: float  # a float32 number
    reciprocal: float  # float32(1 / scale)
    limit: int  # integers lie in [-limit, limit]; see from_state
    from_state: bool = False  # the edge holds h / 32768: 8 bits are its rounded upper half


#: The fields of a Product or an Accumulation that are no arrays of columns.
OF_ALL_COLUMNS: Final = frozenset({"pairs_safe", "bits"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    """An integer matrix product whose result is requantized to Q4.11."""

    weights: npt.NDArray[np.int8]  # [K, N]
    bias: npt.NDArray[np.int32]  # [N], the rounding constant of the shift included
    shift: npt.NDArray[np.uint8]  # [N], 0 to 24
    multiplier: npt.NDArray[np.int16]  # [N], 16384 to 32767
    pairs_safe: bool
    bits: int = 8  # of a weight: of 4 bits, weights are 16 times a number from -7 to 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accumulation:
    """An integer matrix product whose result becomes float32."""

    weights: npt.NDArray[np.int8]  # [K, N]
    bias: npt.NDArray[np.int32]  # [N], no rounding constant
    output_scale: FloatArray  # [N]
    pairs_safe: bool
    bits: int = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecurrentPlan:
    """Integer parameters of a Gru, Lstm or SimpleRnn.

    N = gates * H in the order of the layer's GATES; the columns of z (Gru) and f (Lstm) are
    negated, biases included: the gates computed are 1 - z and 1 - f.
    """

    reading: Reading
    input: Product  # [F, gates * H]
    recurrent: Product  # [H, gates * H]
    state_bits: int  # 8 or 16: how h enters the recurrent product
    hard_sigmoid: float | None = None  # alpha of clip(alpha x + 0.5, 0, 1); None: sigmoid
    cell_exponent: npt.NDArray[np.int8] | None = None  # [H], 3 to 12; of an Lstm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearPlan:
    """Integer parameters of a Dense (K = in) or a Conv1D (K = window * C / groups, time first).

    A Product where the activation is tanh or sigmoid, else an Accumulation.
    """

    reading: Reading
    product: Product | Accumulation


LayerPlan: TypeAlias = RecurrentPlan | LinearPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """What makes a graph an int8 graph: plans by layer name, and the ranges they were made from.

    A layer without a plan computes in float32, whether its weights are stored as int8 or not.
    """

    plans: Mapping[str, LayerPlan]
    ranges: Ranges
    notes: tuple[str, ...] = ()  # which layers compute in float although int8 was asked for, why
    #: Layers of int8 weights whose activations stay float32, since integers would be too coarse.
    in_float: frozenset[str] = frozenset()
    #: Layers of integers that were found to need 16-bit activations.
    wide: frozenset[str] = frozenset()
