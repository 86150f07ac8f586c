"""The files that edgernn-run reads and writes (see edgernn/runtime/runner/edgernn_run.c)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgernn.graph import AnyArray
from edgernn.runtime.ports import NativePort


def packed_cases(ports: Sequence[NativePort], cases: Sequence[Mapping[str, AnyArray]]) -> bytes:
    """Cases of batch 1; states that are left out begin at zero."""
    content = struct.pack("<I", len(cases))
    for case in cases:
        for port in ports:
            if port.name not in case:
                content += struct.pack("<I", 0)
                continue
            row = np.ascontiguousarray(case[port.name][0], port.dtype.numpy)
            content += struct.pack("<I", len(row) if port.is_sequence else 1)
            content += row.tobytes() + bytes(-row.nbytes % 4)
    return content


def unpacked_outputs(ports: Sequence[NativePort], content: bytes) -> list[dict[str, Any]]:
    """The outputs case by case, with a batch axis of 1."""
    (count,) = struct.unpack_from("<I", content)
    at, cases = 4, []
    for _ in range(count):
        case = {}
        for port in ports:
            (steps,) = struct.unpack_from("<I", content, at)
            shape = port.shape(steps)
            size = int(np.prod(shape)) * port.dtype.numpy.itemsize
            values = np.frombuffer(content[at + 4 : at + 4 + size], port.dtype.numpy)
            case[port.name] = values.reshape(shape)[None]
            at += 4 + size + -size % 4
        cases.append(case)
    assert at == len(content)
    return cases
