"""A batch as the C library takes it: where the rows of each sequence are, and how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgernn.runtime.library import check_run, ffi, lib
from edgernn.runtime.ports import NativePort

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

#: Sequences that share a reading of the weights; with more, the weights are no longer what counts.
MOST_TOGETHER: Final = 32

#: Side by side, sequences need memory of their own; fewer of them run together in a larger arena.
_MOST_ARENA_BYTES: Final = 64 << 20

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


def run_batch(
    session: Any,
    inputs: Sequence[NativePort],
    outputs: Sequence[NativePort],
    arrays: Mapping[str, AnyArray],
) -> dict[str, AnyArray]:
    """All outputs [B, ...], also states.  `arrays` [B, ...] are checked; a state may be missing."""
    batch = len(next(iter(arrays.values())))
    given = np.zeros((batch, len(inputs)), _ROWS)
    for index, port in enumerate(inputs):
        array = arrays.get(port.name)
        steps = (port.steps or 1) if array is None or not port.is_sequence else array.shape[1]
        given["steps"][:, index] = steps * (port.rows if port.is_sequence else 1)
        if array is not None:
            given["data"][:, index] = _addresses(array)
    results: dict[str, AnyArray] = {}
    made = np.zeros((batch, len(outputs)), _ROWS)
    in_rows, out_rows = (ffi.from_buffer("ernn_rows[]", table) for table in (given, made))
    check_run(lib.ernn_output_steps(session, in_rows, out_rows))
    for index, port in enumerate(outputs):
        rows = int(made["steps"][0, index])
        array = results[port.name] = np.empty((batch, *port.shape(rows)), port.numpy)
        made["steps"][:, index] = rows
        made["data"][:, index] = _addresses(array)
    check_run(lib.ernn_run_batch(session, batch, in_rows, out_rows))
    return results


def _addresses(array: AnyArray) -> AnyArray:
    return array.ctypes.data + np.arange(len(array), dtype=np.uintp) * np.uintp(array.strides[0])
