"""Inputs and outputs of a native model, and what may be fed to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.dtype import DType, whole_numbers

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

_DTYPES = (DType.FLOAT32, DType.INT32, DType.BOOL)  # as enum ernn_dtype

# Element kinds that may stand for each type: float64 for float32, int64 for int32.
_ACCEPTED_KINDS = {DType.FLOAT32: "f", DType.INT32: "iu", DType.BOOL: "b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePort:
    """An input or output: rows of `width` numbers, one a call or one a step.

    Arrays of a sequence are [steps, width], others [width], with the batch in front in calls of
    the whole model; tokens and masks have no width axis.
    """

    name: str
    dtype: DType
    numpy: np.dtype[Any]
    is_sequence: bool
    steps: int | None  # None: any number
    width: int
    row_shape: tuple[int, ...]  # one step: () for a token, else (width,); of images all behind it
    state_output: int | None  # of an input: index of the output that feeds it at the next call

    @property
    def rows(self) -> int:
        """Rows of the file in one step: 1, and of images as many as they have columns."""
        return prod(self.row_shape) // self.width

    def shape(self, rows: int) -> tuple[int, ...]:
        """Of an array that the file has `rows` rows of."""
        return (rows // self.rows, *self.row_shape) if self.is_sequence else self.row_shape


def read_port(port: Any, shapes: Mapping[str, Sequence[int]]) -> NativePort:
    """`shapes`: without the batch, of ports that are more than rows of numbers."""
    from edgernn.runtime.library import text  # all else here does without the library

    dtype = _DTYPES[port.dtype]
    is_scalar = port.is_sequence and dtype is not DType.FLOAT32 and port.width == 1
    name = text(port.name)
    row_shape: tuple[int, ...] = () if is_scalar else (port.width,)
    if name in shapes:
        row_shape = tuple(shapes[name][1:])
    return NativePort(
        name=name,
        dtype=dtype,
        numpy=np.dtype(dtype.numpy),
        is_sequence=bool(port.is_sequence),
        row_shape=row_shape,
        steps=port.steps // (prod(row_shape) // port.width) or None,
        width=port.width,
        state_output=port.state - 1 if port.state else None,
    )


def checked_batch(port: NativePort, given: AnyArray) -> AnyArray:
    """`given` [B, ...] in the port's element type, contiguous.

    Raises TypeError for another kind of element, ValueError (with both shapes) for another shape.
    """
    array = _converted(port, given)
    shape, row = array.shape, port.row_shape
    if port.is_sequence:
        fits = len(shape) == 2 + len(row) and shape[2:] == row and port.steps in (None, shape[1])
    else:
        fits = shape[1:] == row and len(shape) > 0
    if not fits:
        wanted = (None, port.steps, *row) if port.is_sequence else (None, *row)
        readable = ", ".join("any" if size is None else str(size) for size in wanted)
        raise ValueError(f"input '{port.name}' takes the shape ({readable}), not {shape}")
    return array


def checked_rows(port: NativePort, given: AnyArray) -> AnyArray:
    """`given` [T, ...] for a sequence, one row for anything else; errors as `checked_batch`."""
    rows: AnyArray = checked_batch(port, np.asarray(given)[None])[0]
    return rows


def checked_row(port: NativePort, given: AnyArray) -> AnyArray:
    """One step; errors as `checked_batch`."""
    array = _converted(port, given)
    if array.shape != port.row_shape:
        raise ValueError(
            f"a step of '{port.name}' has the shape {port.row_shape}, not {array.shape}"
        )
    return array


def _converted(port: NativePort, given: AnyArray) -> AnyArray:
    wanted = port.numpy
    # The way of every step of a stream: no call that can be spared, so `is`.  A type that is equal
    # but another object takes the way below, which copies nothing either.
    if type(given) is np.ndarray and given.dtype is wanted and given.flags.c_contiguous:
        return given
    array = np.asarray(given)
    if port.dtype is DType.INT32 and array.dtype.kind == "f":
        whole = whole_numbers(array)
        if whole is None:
            raise TypeError(f"input '{port.name}' takes whole numbers; {array.dtype} are given")
        array = whole
    if array.dtype.kind not in _ACCEPTED_KINDS[port.dtype]:
        raise TypeError(f"input '{port.name}' takes {port.dtype.value}, not {array.dtype}")
    return np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)
