"""A batch as the C library takes it: where the rows of each sequence are, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from edgernn.runtime.library import check_run, ffi, lib
from edgernn.runtime.ports import NativePort

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

#: Sequences that share a reading of the weights; with more, the weights are no longer what counts.
MOST_TOGETHER: Final = 32

MOST_THREADS: Final = 64  # ERNN_MAX_THREADS

#: Side by side, sequences need memory of their own; fewer of them run together in a larger arena.
_MOST_ARENA_BYTES: Final = 64 << 20

Shapes: TypeAlias = list[tuple[int, ...] | None]  # of each input

# A call may take a few microseconds: names looked up once.
_point, _from_buffer, _empty, _NULL = lib.point_rows, ffi.from_buffer, np.empty, ffi.NULL

_ROWS = np.dtype(
    {
        "names": ["data", "steps"],
        "formats": [np.uintp, np.uint32],
        "offsets": [ffi.offsetof("ernn_rows", name) for name in ("data", "steps")],
        "itemsize": ffi.sizeof("ernn_rows"),
    }
)


def together(batch: int, threads: int = 1) -> int:
    """Lanes for a batch: powers of two, so that few sizes of session exist."""
    return min(1 << (batch - 1).bit_length(), MOST_TOGETHER * threads)


def arena_bytes(handle: Any, options: Any) -> int:
    """The memory of a session; lowers options.max_batch where that would be too much."""
    size = ffi.new("size_t *")
    check_run(lib.ernn_session_size(handle, options, size))
    while size[0] > _MOST_ARENA_BYTES and options.max_batch > options.threads:
        options.max_batch //= 2
        check_run(lib.ernn_session_size(handle, options, size))
    return int(size[0])


class BatchTable:
    """Where the rows of all sequences are, for arrays of certain shapes.

    A session keeps the last one: of a call with the same shapes only addresses change.
    """

    __slots__ = ("_inputs", "_outputs", "batch", "in_rows", "out_rows", "shapes")

    def __init__(
        self,
        session: Any,
        inputs: Sequence[NativePort],
        outputs: Sequence[NativePort],
        shapes: Shapes,
    ) -> None:
        """`shapes`: of each input; None for a state that begins at zero."""
        self.shapes = shapes
        self.batch = batch = next(shape[0] for shape in shapes if shape is not None)
        given = np.zeros((batch, len(inputs)), _ROWS)
        for index, (port, shape) in enumerate(zip(inputs, shapes, strict=True)):
            rows = port.rows if port.is_sequence else 1  # of a step
            steps = shape[1] if port.is_sequence and shape is not None else 1
            given["steps"][:, index] = rows * ((port.steps or 1) if shape is None else steps)
        made = np.zeros((batch, len(outputs)), _ROWS)
        self.in_rows = ffi.from_buffer("ernn_rows[]", given)
        self.out_rows = ffi.from_buffer("ernn_rows[]", made)
        check_run(lib.ernn_output_steps(session, self.in_rows, self.out_rows))
        made["steps"] = made["steps"][0]
        # Of each input and output: its entry of the first sequence, entries from one sequence to
        # the next, and bytes of a sequence.
        self._inputs = [
            (self.in_rows + index, len(inputs), _bytes_of(shape, port))
            for index, (port, shape) in enumerate(zip(inputs, shapes, strict=True))
        ]
        made_shapes = [
            (batch, *port.shape(int(made["steps"][0, index]))) for index, port in enumerate(outputs)
        ]
        self._outputs = [
            (self.out_rows + index, len(outputs), _bytes_of(shape, port), shape, port.numpy)
            for index, (port, shape) in enumerate(zip(outputs, made_shapes, strict=True))
        ]

    def point_to(self, arrays: Sequence[AnyArray | None]) -> list[AnyArray]:
        """Sets the addresses of the inputs and of new outputs, which are returned."""
        batch = self.batch
        for (rows, apart, size), array in zip(self._inputs, arrays, strict=True):
            _point(rows, batch, apart, _NULL if array is None else _from_buffer(array), size)
        results = []
        for rows, apart, size, shape, dtype in self._outputs:
            result = _empty(shape, dtype)
            _point(rows, batch, apart, _from_buffer(result), size)
            results.append(result)
        return results


def _bytes_of(shape: tuple[int, ...] | None, port: NativePort) -> int:
    """Of a sequence; arrays are contiguous."""
    return 0 if shape is None else prod(shape[1:]) * port.numpy.itemsize
