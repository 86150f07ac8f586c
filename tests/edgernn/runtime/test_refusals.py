"""The C library names what it refused: the record of a file, the layer of a call."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.graph import Conv1D, Dense
from edgernn.runtime import Model
from edgernn.runtime.library import ffi, lib
from tests.edgernn.runtime.models import cell, graph_of, numbers
from tests.edgernn.runtime.test_hostile_files import with_checksum

OK, BAD_MODEL = 0, 9
_OP_OFFSET = 32  # in the header: where the first layer is
_OP_BYTES = 128


def _content() -> bytes:
    """A dense layer, then a window of three steps, then a layer that needs the whole sequence."""
    rng = np.random.default_rng(0)
    dense = Dense(name="scaling", input="x", output="a", kernel=numbers(rng, 2, 4), bias=None)
    conv = Conv1D(name="window", input="a", output="b", kernel=numbers(rng, 3, 4, 4), bias=None)
    gru = cell("gru", rng, units=4, features=4, name="whole", input="b", go_backwards=True)
    return lower(graph_of(dense, conv, gru, features=2), metadata={}).content


CONTENT = _content()


def opened(content: bytes) -> tuple[int, Any, Any]:
    """Status and refusal; the third keeps the bytes alive."""
    room = np.zeros(len(content) + 64, np.uint8)
    aligned = room[-room.ctypes.data % 64 :][: len(content)]
    aligned[:] = np.frombuffer(content, np.uint8)
    refusal, model = ffi.new("ernn_refusal *"), ffi.new("ernn_model *")
    status = lib.ernn_open_or_explain(model, ffi.from_buffer(aligned), len(content), refusal)
    return status, refusal, (room, model)


def test_the_refused_layer_and_the_place_of_its_record_are_named() -> None:
    content = bytearray(CONTENT)
    at = struct.unpack_from("<I", content, _OP_OFFSET)[0] + _OP_BYTES
    struct.pack_into("<I", content, at + 12, 77)  # the window's input: no such edge
    status, refusal, _kept = opened(with_checksum(bytes(content)))
    assert status == BAD_MODEL
    assert refusal.offset == at
    assert ffi.string(refusal.layer) == b"window"
    with pytest.raises(ModelFileError, match="layer window: the file's layers do not fit together"):
        Model(with_checksum(bytes(content)))


def test_what_is_no_layer_has_a_place_and_no_name() -> None:
    content = bytearray(CONTENT)
    (at,) = struct.unpack_from("<I", content, 24)  # the first edge
    struct.pack_into("<I", content, at, 99)
    status, refusal, _kept = opened(with_checksum(bytes(content)))
    assert (status, refusal.offset, refusal.layer) == (BAD_MODEL, at, ffi.NULL)


def test_a_good_file_names_no_layer() -> None:
    status, refusal, _kept = opened(CONTENT)
    assert (status, refusal.layer) == (OK, ffi.NULL)


def test_the_layer_that_cannot_take_the_sequence_is_named_until_the_next_call() -> None:
    session = Model(CONTENT).session()
    with pytest.raises(DataError, match=r"^layer window: the inputs' numbers of steps do not fit"):
        session.run(np.ones((2, 2), np.float32))
    assert ffi.string(lib.ernn_refusing_layer(session._session)) == b"window"
    with pytest.raises(
        DataError, match=r"^model in memory: the model looks ahead"
    ):  # no layer refused this
        session.step(np.ones(2, np.float32))
    session.run(np.ones((3, 2), np.float32))
    assert lib.ernn_refusing_layer(session._session) == ffi.NULL
