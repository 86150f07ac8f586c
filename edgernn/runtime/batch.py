"""A batch as the C library takes it: where the rows of each sequence are, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from edgernn.runtime.library import check_run, ffi, lib
from edgernn.runtime.ports import NativePort

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

#: Sequences that share a reading of the weights; with more, the weights are no longer what counts.
MOST_TOGETHER: Final = 32

#: Side by side, sequences need memory of their own; fewer of them run together in a larger arena.
_MOST_ARENA_BYTES: Final = 64 << 20

Shapes: TypeAlias = tuple[Any, ...]  # sequences, then steps of each input

_ROWS = np.dtype(
    {
        "names": ["data", "steps"],
        "formats": [np.uintp, np.uint32],
        "offsets": [ffi.offsetof("ernn_rows", name) for name in ("data", "steps")],
        "itemsize": ffi.sizeof("ernn_rows"),
    }
)


def together(batch: int) -> int:
    """Lanes for a batch: powers of two, so that few sizes of session exist."""
    return min(1 << (batch - 1).bit_length(), MOST_TOGETHER)


def arena_bytes(handle: Any, options: Any) -> int:
    """The memory of a session; lowers options.max_batch where that would be too much."""
    size = ffi.new("size_t *")
    check_run(lib.ernn_session_size(handle, options, size))
    while size[0] > _MOST_ARENA_BYTES and options.max_batch > 1:
        options.max_batch //= 2
        check_run(lib.ernn_session_size(handle, options, size))
    return int(size[0])


class BatchTable:
    """Where the rows of all sequences are, for one number of sequences and of steps.

    A session keeps the last one: of a call with the same shapes only addresses change.
    """

    __slots__ = (
        "_at",
        "_made",
        "_offsets",
        "_shapes",
        "in_rows",
        "key",
        "out_rows",
    )

    def __init__(
        self,
        session: Any,
        inputs: Sequence[NativePort],
        outputs: Sequence[NativePort],
        key: Shapes,
    ) -> None:
        self.key = key
        batch = key[0]
        given = np.zeros((batch, len(inputs)), _ROWS)
        for index, (port, steps) in enumerate(zip(inputs, key[1:], strict=True)):
            rows = port.rows if port.is_sequence else 1  # of a step
            given["steps"][:, index] = rows * ((port.steps or 1) if steps is None else steps)
        made = np.zeros((batch, len(outputs)), _ROWS)
        self.in_rows = ffi.from_buffer("ernn_rows[]", given)
        self.out_rows = ffi.from_buffer("ernn_rows[]", made)
        check_run(lib.ernn_output_steps(session, self.in_rows, self.out_rows))
        made["steps"] = made["steps"][0]
        self._shapes = [
            ((batch, *port.shape(int(made["steps"][0, index]))), port.numpy)
            for index, port in enumerate(outputs)
        ]
        self._at = [given["data"][:, index] for index in range(len(inputs))]
        self._made = [made["data"][:, index] for index in range(len(outputs))]
        self._offsets: dict[int, AnyArray] = {}  # by bytes of a sequence

    def point_to(self, arrays: Sequence[AnyArray | None]) -> list[AnyArray]:
        """Sets the addresses of the inputs and of new outputs, which are returned."""
        for addresses, array in zip(self._at, arrays, strict=True):
            if array is None:
                addresses[:] = 0  # a state that begins at zero
            else:
                self._point(addresses, array)
        results = []
        for addresses, (shape, dtype) in zip(self._made, self._shapes, strict=True):
            result = np.empty(shape, dtype)
            self._point(addresses, result)
            results.append(result)
        return results

    def _point(self, addresses: AnyArray, array: AnyArray) -> None:
        stride = array.strides[0]
        offsets = self._offsets.get(stride)
        if offsets is None:
            offsets = np.arange(len(array), dtype=np.uintp) * np.uintp(stride)
            self._offsets[stride] = offsets
        np.add(offsets, np.uintp(array.__array_interface__["data"][0]), out=addresses)


def shapes_of(inputs: Sequence[NativePort], arrays: Sequence[AnyArray | None]) -> Shapes:
    """The number of sequences, then the steps of each input; None for a state that is missing."""
    batch = next(len(array) for array in arrays if array is not None)
    return batch, *(
        None if array is None else (array.shape[1] if port.is_sequence else 1)
        for port, array in zip(inputs, arrays, strict=True)
    )
