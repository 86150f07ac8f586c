"""Many numbers as one text, so that a report with a thousand forecasts stays small."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgernn.graph.tensor import AnyArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A float32 array as a value: it can be compared, hashed and written as JSON.

    >>> Packed.of(np.array([0.5, 1.0])).array
    array([0.5, 1. ], dtype=float32)
    """

    shape: tuple[int, ...]
    base64: str  # of the float32 values, little endian, in C order

    @classmethod
    def of(cls, values: AnyArray) -> Packed:
        content = np.ascontiguousarray(values, dtype="<f4").tobytes()
        return cls(shape=values.shape, base64=base64.b64encode(content).decode("ascii"))

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """Raises ValueError when the text does not hold as many numbers as the shape says."""
        return np.frombuffer(base64.b64decode(self.base64), dtype="<f4").reshape(self.shape)
