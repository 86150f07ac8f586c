"""What `edgernn inspect` tells of an .ernn file, and of bytes that are none."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgernn.export.contents import Damaged, TensorLine
from edgernn.export.native import lower
from edgernn.export.native.contents import read_contents
from edgernn.runtime import Model
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    random_recurrent_plan,
    with_plans,
)


def integer_file() -> bytes:
    rng = np.random.default_rng(0)
    layer = cell("gru", rng, units=20, features=5, return_sequences=True)
    plan = random_recurrent_plan(layer, rng, bits=16, state_bits=8)
    graph = with_plans(graph_of(layer, features=5), cell=plan)
    return lower(graph, metadata={"labels": '["yes", "no"]', "scheme": "int8"}).content


CONTENT = integer_file()


def with_checksum(content: bytes) -> bytes:
    return content[:12] + struct.pack("<I", zlib.crc32(content[16:])) + content[16:]


def test_everything_in_the_file_is_told() -> None:
    contents = read_contents(CONTENT)
    assert contents.format == "ERNN 1, pairs_safe and integer"
    assert contents.bytes == len(CONTENT)
    assert contents.inputs == (TensorLine(name="x", dtype="float32", shape="[?, ?, 5]"),)
    assert contents.outputs == (TensorLine(name="y", dtype="float32", shape="[?, ?, 20]"),)
    assert contents.operators == {"QGRU": 1}
    # [5 of 8 rows, 20 of 32 units and 3 gates], [20 rows, as many columns]; then what each of the
    # 2 x 96 columns has beside.
    assert contents.weight_bytes == {
        "int8": (8 + 20) * 96,
        "int32": 2 * 96 * 12,
        "int16": 2 * 96 * 2,
    }
    assert contents.metadata == {"labels": '["yes", "no"]', "scheme": "int8"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not begin"),
        (CONTENT[:100], "ends within its header"),
        (CONTENT[:-1], "header says"),
        (CONTENT[:200] + bytes([CONTENT[200] ^ 1]) + CONTENT[201:], "checksum"),
        (CONTENT[:4] + struct.pack("<I", 9) + CONTENT[8:], "version 9"),
        (with_checksum(CONTENT[:20] + struct.pack("<I", 1 << 31) + CONTENT[24:]), "records"),
        (with_checksum(CONTENT[:24] + struct.pack("<I", 1 << 31) + CONTENT[28:]), "outside"),
    ],
)
def test_what_is_no_whole_file_is_damaged(content: bytes, complaint: str) -> None:
    with pytest.raises(Damaged, match=complaint):
        read_contents(content)


@given(at=st.integers(16, len(CONTENT) - 1), value=st.integers(0, 255))
def test_whatever_a_byte_is_the_reader_answers_or_says_damaged(at: int, value: int) -> None:
    changed = with_checksum(CONTENT[:at] + bytes([value]) + CONTENT[at + 1 :])
    try:
        contents = read_contents(changed)
    except Damaged:
        return
    assert contents.bytes == len(CONTENT)


def test_the_library_tells_the_same_inputs_and_texts() -> None:
    model, contents = Model(CONTENT), read_contents(CONTENT)
    assert [port.name for port in model.inputs] == [line.name for line in contents.inputs]
    assert model.metadata == contents.metadata
