"""Element types of a model's edges: cheap to import, so that a runtime needs no graph."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt


class DType(str, Enum):
    """Element types of edges; tokens are INT32, masks are BOOL.

    >>> DType.FLOAT32.numpy
    dtype('float32')
    """

    FLOAT32 = "float32"
    INT32 = "int32"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value)


def whole_numbers(numbers: npt.NDArray[Any]) -> npt.NDArray[np.int32] | None:
    """Floats as int32, where each of them is a whole number; None where one is not.

    Tables and Keras' own tokens are often floats.

    >>> whole_numbers(np.array([3.0, 17.0]))
    array([ 3, 17], dtype=int32)
    """
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int32)
    return whole if np.array_equal(whole, numbers) else None
