"""Element types of a model's edges: cheap to import, so that a runtime needs no graph."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np


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
