"""The files that the native runner (edgernn/runtime/runner) reads and writes.

u32 number of cases; for each case and port: u32 steps, rows.  Rows are padded to four bytes; all
is little-endian.  A case is one sequence: a batch of B is B cases.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edgernn.graph.tensor import AnyArray
from edgernn.runtime.ports import NativePort

CUT_SHORT: Final = "the native runner's outputs are cut short"

Case = Mapping[str, AnyArray]


def packed(ports: Sequence[NativePort], cases: Sequence[Case]) -> bytes:
    """The rows of all cases, one after another.  States that a case leaves out start as zeros."""
    content = [struct.pack("<I", sum(_batch(case) for case in cases))]
    for case in cases:
        for row in range(_batch(case)):
            given = {name: x[row] for name, x in case.items()}
            content += [_packed_rows(port, given.get(port.name)) for port in ports]
    return b"".join(content)


def longest(ports: Sequence[NativePort], cases: Sequence[Case]) -> int:
    """Rows of the longest sequence: its steps, or the pixels of an image."""
    sequences = [port for port in ports if port.is_sequence]
    return max(
        (
            case[port.name].shape[1] * port.rows
            for case in cases
            for port in sequences
            if port.name in case
        ),
        default=1,
    )


def unpacked(
    content: bytes, ports: Sequence[NativePort], cases: Sequence[Case], every_step: frozenset[str]
) -> tuple[dict[str, AnyArray], ...]:
    """The outputs of each case, batch first.

    Those of `every_step` were written at each step of a stream: [B, steps, ...], and the sequences
    among them [B, steps, 1, ...], since each call gives one of a single step.
    Raises ValueError where the content is cut short.
    """
    count = _number(content, 0)
    if count != sum(_batch(case) for case in cases):
        raise ValueError(f"the native runner wrote {count} cases")
    at, outputs = 4, []
    for case in cases:
        rows: list[dict[str, AnyArray]] = []
        for _ in range(_batch(case)):
            row: dict[str, AnyArray] = {}
            for port in ports:
                row[port.name], at = _unpacked_rows(content, at, port, port.name in every_step)
            rows.append(row)
        outputs.append({port.name: np.stack([row[port.name] for row in rows]) for port in ports})
    return tuple(outputs)


def _unpacked_rows(
    content: bytes, at: int, port: NativePort, every_step: bool
) -> tuple[AnyArray, int]:
    """The rows that begin at `at`, and where they end."""
    steps = _number(content, at)
    count = steps * port.width
    size = count * port.dtype.numpy.itemsize
    if at + 4 + size > len(content):
        raise ValueError(CUT_SHORT)
    call = (1, *port.row_shape) if port.is_sequence else port.row_shape
    shape = (steps, *call) if every_step else port.shape(steps)
    rows = np.frombuffer(content, port.dtype.numpy, count, at + 4).reshape(shape)
    return rows, at + 4 + size + -size % 4


def _number(content: bytes, at: int) -> int:
    if at + 4 > len(content):
        raise ValueError(CUT_SHORT)
    return int.from_bytes(content[at : at + 4], "little")


def _batch(case: Case) -> int:
    return int(next(iter(case.values())).shape[0])


def _packed_rows(port: NativePort, rows: AnyArray | None) -> bytes:
    if rows is None:
        return struct.pack("<I", 0)
    stored = np.ascontiguousarray(rows, port.dtype.numpy)
    steps = len(stored) * port.rows if port.is_sequence else 1
    return struct.pack("<I", steps) + stored.tobytes() + bytes(-stored.nbytes % 4)
