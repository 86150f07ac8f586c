"""Files of many models and their inputs, and the checksums that running them must give.

The format is described in tests/c/batch.h.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgernn.export.native import lower
from edgernn.graph import AnyArray, Graph
from edgernn.reference import integer
from edgernn.runtime import Model
from edgernn.runtime.ports import NativePort


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model, inputs for it, and the checksums of its outputs by the integer reference."""

    name: str
    content: bytes
    inputs: bytes
    cases: int
    expected: tuple[int, ...]


def entry(name: str, graph: Graph, inputs: Mapping[str, AnyArray]) -> Entry:
    """`inputs` [B, ...]: each row is a case of its own."""
    return _entry(name, lower(graph, metadata={}).content, inputs, integer.run(graph, inputs))


def _entry(
    name: str,
    content: bytes,
    inputs: Mapping[str, AnyArray],
    outputs: Mapping[str, AnyArray],
) -> Entry:
    model = Model(content)
    cases = len(next(iter(inputs.values())))
    words = [0]  # ernn_open's status
    packed = b""
    for row in range(cases):
        for port in model.inputs:
            packed += _packed(port, inputs[port.name][row] if port.name in inputs else None)
        words += [_checksum(port, outputs[port.name][row]) for port in model.outputs]
    return Entry(name=name, content=content, inputs=packed, cases=cases, expected=tuple(words))


def dynamic_entry(name: str, graph: Graph, inputs: Mapping[str, AnyArray]) -> Entry:
    """Of the dynamic scheme, whose bits are by definition those of the portable kernels here."""
    content = lower(graph, metadata={}).content
    return _entry(name, content, inputs, Model(content, isa="portable").run(inputs))


def packed_batch(entries: Sequence[Entry]) -> bytes:
    batch = bytearray(struct.pack("<I", len(entries)))
    for one in entries:
        head = struct.pack("<III", len(one.content), one.cases, len(one.inputs))
        for part in (head, one.content, one.inputs):
            batch += bytes(-len(batch) % 64) + part
    return bytes(batch)


def read_results(path: Path) -> list[tuple[int, ...]]:
    """One tuple of checksums for each instruction set that ran."""
    words = np.frombuffer(path.read_bytes(), "<u4").tolist()
    results = []
    while words:
        count = words[0]
        results.append(tuple(words[1 : 1 + count]))
        words = words[1 + count :]
    return results


def differing(entries: Iterable[Entry], words: Sequence[int]) -> list[str]:
    """Names of the models whose outputs are not those of the reference."""
    names, at = [], 0
    for one in entries:
        size = len(one.expected)
        if tuple(words[at : at + size]) != one.expected:
            names.append(one.name)
        at += size
    return names if at == len(words) else [*names, f"{len(words)} results instead of {at}"]


def _packed(port: NativePort, value: Any) -> bytes:
    if value is None:
        return struct.pack("<I", 0)
    rows = np.ascontiguousarray(value, port.dtype.numpy)
    steps = len(rows) * port.rows if port.is_sequence else 1
    return struct.pack("<I", steps) + rows.tobytes() + bytes(-rows.nbytes % 4)


def _checksum(port: NativePort, value: Any) -> int:
    rows = np.ascontiguousarray(value, port.dtype.numpy)
    steps = len(rows) * port.rows if port.is_sequence else 1
    return zlib.crc32(struct.pack("<I", steps) + rows.tobytes())
