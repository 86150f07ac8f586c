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

#: Shapes that calls of one session take in turn without new tables, at 1 to 1.6 microseconds more.
MOST_TABLES: Final = 4
#: A table takes 16 bytes for each array of a sequence.  Larger ones are kept one at a time.
MOST_KEPT_SEQUENCES: Final = 1024

#: Side by side, sequences need memory of their own; fewer of them run together in a larger arena.
_MOST_ARENA_BYTES: Final = 64 << 20

Shapes: TypeAlias = list[tuple[int, ...] | None]  # of each input

# A call may take a few microseconds: names looked up once.
_run, _from_buffer, _empty, _ndarray = lib.run_table, ffi.from_buffer, np.empty, np.ndarray

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

    A session keeps the last few: arrays of the same shapes again need no other check, and one call
    of C points to their rows and runs them.
    """

    __slots__ = ("_apart", "_given", "_made", "_pointers", "_rows", "_table", "batch", "shapes")

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
        in_rows = ffi.from_buffer("ernn_rows[]", given)
        out_rows = ffi.from_buffer("ernn_rows[]", made)
        check_run(lib.ernn_output_steps(session, in_rows, out_rows), session)
        made["steps"] = made["steps"][0]
        made_shapes = [
            (batch, *port.shape(int(made["steps"][0, index]))) for index, port in enumerate(outputs)
        ]
        # Of each array: its place among the pointers, and what it must be.
        self._given = [
            (place, port.numpy, shape)
            for place, (port, shape) in enumerate(zip(inputs, shapes, strict=True))
            if shape is not None
        ]
        self._made = [
            (place, port.numpy, shape)
            for place, (port, shape) in enumerate(
                zip(outputs, made_shapes, strict=True), start=len(inputs)
            )
        ]
        ports = [*zip(inputs, shapes, strict=True), *zip(outputs, made_shapes, strict=True)]
        self._rows = (in_rows, out_rows)  # the table points to these
        self._pointers = ffi.new("void *[]", len(ports))
        self._apart = ffi.new("size_t[]", [_bytes_of(shape, port) for port, shape in ports])
        self._table = ffi.new(
            "batch_table *",
            {
                "session": session,
                "count": batch,
                "input_count": len(inputs),
                "output_count": len(outputs),
                "inputs": in_rows,
                "outputs": out_rows,
                "arrays": self._pointers,
                "apart": self._apart,
            },
        )

    def fits(self, arrays: Sequence[Any]) -> bool:
        """Whether `run` takes these: types and shapes are those that the table is for."""
        given = self._given
        if len(arrays) != len(given):
            return False
        index = 0
        for _, dtype, shape in given:
            array = arrays[index]
            # As ports._converted: a subclass, or a type that is equal but another object, is not.
            if type(array) is not _ndarray or array.dtype is not dtype or array.shape != shape:
                return False
            if not array.flags.c_contiguous:
                return False
            index += 1  # noqa: SIM113 - enumerate allocates
        return True

    def run(self, arrays: Sequence[AnyArray]) -> tuple[list[AnyArray], int]:
        """(new arrays of all outputs, status); `arrays`: the inputs that are given, in order."""
        pointers, index, results = self._pointers, 0, []
        for place, _, _ in self._given:
            pointers[place] = _from_buffer(arrays[index])
            index += 1  # noqa: SIM113 - enumerate allocates
        for place, dtype, shape in self._made:
            result = _empty(shape, dtype)
            pointers[place] = _from_buffer(result)
            results.append(result)
        return results, _run(self._table)


def _bytes_of(shape: tuple[int, ...] | None, port: NativePort) -> int:
    """Of a sequence; arrays are contiguous."""
    return 0 if shape is None else prod(shape[1:]) * port.numpy.itemsize
