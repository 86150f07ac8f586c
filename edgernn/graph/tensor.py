"""What flows along an edge (TensorSpec) and what a layer stores (Weight)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.dtype import DType

FloatArray: TypeAlias = npt.NDArray[np.float32]
AnyArray: TypeAlias = npt.NDArray[Any]

#: Dimensions of a tensor, batch first; None is a dimension that is free at run time.
Shape: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Shape (batch first) and element type of one edge."""

    shape: Shape
    dtype: DType = DType.FLOAT32

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QTensor:
    """An int8 weight, symmetric (zero_point 0), with one scale per channel of `axis`.

    The real value is `values * scale`, the scale broadcast along `axis`.  Of 4 bits, the values are
    16 times a number from -7 to 7: the same arithmetic holds for them.
    A per-tensor weight has a scale of shape (1,) and axis None.
    """

    values: npt.NDArray[np.int8]
    scale: FloatArray  # [values.shape[axis]] or [1]
    axis: int | None
    bits: int = 8  # that a value needs: 8 or 4

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def size(self) -> int:
        return self.values.size

    @property
    def nbytes(self) -> int:
        return self.values.nbytes * self.bits // 8 + self.scale.nbytes


#: float32, float16 (stored in half the bytes, computed in float32) or int8.
Weight: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float16] | QTensor


def as_float32(weight: Weight) -> FloatArray:
    """The real values a weight stands for, in its own shape, as float32."""
    if isinstance(weight, QTensor):
        if weight.axis is None:
            return (weight.values * weight.scale).astype(np.float32)
        along_axis = [1] * weight.values.ndim
        along_axis[weight.axis] = -1
        return (weight.values * weight.scale.reshape(along_axis)).astype(np.float32)
    return weight.astype(np.float32, copy=False)
