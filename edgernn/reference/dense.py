"""Tables and matrices: Embedding, Dense."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.graph import Dense, Embedding, FloatArray, as_float32
from edgernn.reference.activation import activate


def embedding(layer: Embedding, tokens: npt.NDArray[np.int32]) -> FloatArray:
    """[B, ...] -> [B, ..., E].  Raises DataError for a token outside the vocabulary."""
    check_tokens(layer, tokens)
    return np.asarray(as_float32(layer.table)[tokens])


def check_tokens(layer: Embedding, tokens: npt.NDArray[np.int32]) -> None:
    vocabulary = layer.table.shape[0]
    outside = (tokens < 0) | (tokens >= vocabulary)
    if outside.any():
        row = int(np.argwhere(outside)[0][0])
        raise DataError(
            f"row {row} has the token {int(tokens[outside][0])}; "
            f"the vocabulary of '{layer.name}' is 0 to {vocabulary - 1}",
            remedy="Map unknown tokens to one that the model was trained with",
        )


def dense(layer: Dense, x: FloatArray) -> FloatArray:
    """[B, ..., in] -> [B, ..., out]."""
    result = x @ as_float32(layer.kernel)
    if layer.bias is not None:
        result = result + as_float32(layer.bias)
    return activate(layer.activation, result)
