"""The files of tensors that edgernn-library-run (edgernn/runtime/runner) reads and writes.

u32 cases; for each case u32 calls; for each call and tensor: u32 rank (ABSENT: carried over from
the previous call), u32 sizes, the numbers.  Each head, and the numbers after it, begin at a
multiple of 64 bytes; all is little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edgernn.graph.tensor import AnyArray

ABSENT: Final = 0xFFFFFFFF
ALIGNMENT: Final = 64
MOST_AXES: Final = 8

Call = Mapping[str, AnyArray]


def packed(names: Sequence[str], cases: Sequence[Sequence[Call]]) -> bytes:
    """The calls of each case; a tensor that a call leaves out is absent."""
    content = [_padded(struct.pack("<I", len(cases)))]
    for calls in cases:
        content.append(_padded(struct.pack("<I", len(calls))))
        content += [_packed(call.get(name)) for call in calls for name in names]
    return b"".join(content)


def unpacked(
    content: bytes, tensors: Sequence[tuple[str, np.dtype[np.generic]]]
) -> list[list[dict[str, AnyArray]]]:
    """The tensors, by name and dtype, of the calls of each case.

    Raises ValueError if the content is incomplete or not such a file.
    """
    reader = _Reader(content)
    cases = []
    for _ in range(reader.head(1)[0]):
        (calls,) = reader.head(1)
        cases.append([{name: reader.array(kind) for name, kind in tensors} for _ in range(calls)])
    return cases


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def head(self, count: int) -> tuple[int, ...]:
        numbers = self._numbers(count)
        self._align()
        return numbers

    def array(self, dtype: np.dtype[np.generic]) -> AnyArray:
        (rank,) = self._numbers(1)
        if rank > MOST_AXES:
            raise ValueError(f"a tensor of {rank} axes in the outputs")
        shape = self._numbers(rank)
        self._align()
        count = int(np.prod(shape, dtype=np.int64))
        if self._at + count * dtype.itemsize > len(self._content):
            raise ValueError("the outputs are cut short")
        array = np.frombuffer(self._content, dtype, count, self._at).reshape(shape)
        self._at += array.nbytes
        self._align()
        return array

    def _numbers(self, count: int) -> tuple[int, ...]:
        end = self._at + 4 * count
        if end > len(self._content):
            raise ValueError("the outputs are cut short")
        numbers = struct.unpack_from(f"<{count}I", self._content, self._at)
        self._at = end
        return numbers

    def _align(self) -> None:
        self._at += -self._at % ALIGNMENT


def _packed(x: AnyArray | None) -> bytes:
    if x is None:
        return _padded(struct.pack("<I", ABSENT))
    head = struct.pack(f"<{1 + x.ndim}I", x.ndim, *x.shape)
    return _padded(head) + _padded(np.ascontiguousarray(x).tobytes())


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % ALIGNMENT)
