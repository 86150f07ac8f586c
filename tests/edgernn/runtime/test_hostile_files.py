"""Damaged and hostile files end in an error, never in a crash or in memory that is not theirs."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.export.native.records import HEADER_BYTES, Feature, OpKind
from edgernn.graph import Compare, CompareKind, Concatenate, Conv1D, Dense, Dot, Padding
from edgernn.runtime import Model
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_recurrent_plan,
    with_plans,
)


def _content() -> bytes:
    rng = np.random.default_rng(0)
    conv = Conv1D(
        name="conv",
        input="x",
        output="k",
        kernel=numbers(rng, 2, 3, 5),
        bias=None,
        padding=Padding.SAME,
    )
    lstm = cell("lstm", rng, units=9, features=5, name="lstm", input="k", return_sequences=True)
    gru = cell("gru", rng, units=7, features=9, name="gru", input="lstm.y")
    dense = Dense(name="d", input="gru.y", output="s", kernel=numbers(rng, 7, 3), bias=None)
    graph = graph_of(conv, lstm, gru, dense, features=3)
    plan = random_recurrent_plan(lstm, rng, bits=16, state_bits=8)
    return lower(with_plans(graph, lstm=plan), metadata={"labels": '["a"]'}).content


CONTENT = _content()
X = np.ones((1, 6, 3), np.float32)


def with_checksum(content: bytes) -> bytes:
    """As whoever makes a hostile file would write it."""
    return content[:12] + struct.pack("<I", zlib.crc32(content[16:])) + content[16:]


def use(content: bytes) -> None:
    """Opens and runs; the errors of the library are fine, all else is not."""
    try:
        model = Model(content, isa="portable")
        assert all(isinstance(text, str) for text in (*model.labels, *model.metadata))
        model.run({port.name: X for port in model.inputs})
    except (ModelFileError, DataError, ValueError, TypeError):
        return


def test_the_file_itself_is_fine() -> None:
    assert Model(CONTENT)(X).shape == (1, 3)


@pytest.mark.parametrize(
    ("position", "replacement", "match"),
    [
        (0, b"GGUF", "not an .ernn file. Give the .ernn file"),
        (0, b"NNRE", "high byte first"),
        (4, struct.pack("<I", 99), "format version.*Export the model again"),
        (8, struct.pack("<I", 12), "shorter or longer"),
        (200, b"\xff", "checksum"),
    ],
)
def test_a_damaged_file_is_named_so(position: int, replacement: bytes, match: str) -> None:
    content = bytearray(CONTENT)
    content[position : position + len(replacement)] = replacement
    with pytest.raises(ModelFileError, match=match):
        Model(bytes(content))


@pytest.mark.parametrize("length", [0, 3, 16, 127, 128, 700, len(CONTENT) - 1])
def test_a_cut_file_is_refused(length: int) -> None:
    with pytest.raises(ModelFileError):
        Model(CONTENT[:length])


def test_an_unknown_feature_is_refused() -> None:
    content = bytearray(CONTENT)
    content[19] |= 0x80  # the highest bit
    with pytest.raises(ModelFileError, match="feature"):
        Model(with_checksum(bytes(content)))


def test_a_layer_that_its_reader_must_know_needs_the_bit_that_says_so() -> None:
    """An older reader would run the layer otherwise, or as another one."""
    rng = np.random.default_rng(0)
    dot = Dot(name="dot", left="gru.y", right="gru.y", output="y", left_axis=1, right_axis=1)
    above = Compare(name="above", input="gru.y", output="y", kind=CompareKind.GREATER)
    choice = graph_of(cell("gru", rng, units=7, features=3, name="gru"), above, features=3)
    product = graph_of(cell("gru", rng, units=7, features=3, name="gru"), dot, features=3)
    files = {
        Feature.INTEGER: CONTENT,
        Feature.ATTENTION: lower(product, metadata={}).content,
        Feature.CHOICES: lower(choice, metadata={}).content,
        Feature.IMAGES: lower(random_integer_image(0)[0], metadata={}).content,
    }
    for feature, content in files.items():
        assert Feature(content[16]) & feature
        Model(content)
        damaged = bytearray(content)
        damaged[16] &= ~feature
        with pytest.raises(ModelFileError, match=r"layer .*do not fit together"):
            Model(with_checksum(bytes(damaged)))


def test_a_hostile_name_gives_no_orders_and_no_lines() -> None:
    """Names of inputs, labels and layers, where they are printed and where a layer is refused."""
    rng = np.random.default_rng(0)
    hostile = "gru\n\x1b[2Jerror: \u202e"
    shown = r"gru\n\x1b[2Jerror: \u202e"
    layer = cell("gru", rng, units=7, features=3, name=hostile)
    content = lower(graph_of(layer, features=3), metadata={"labels": json.dumps([hostile])}).content
    text = str(Model(content))
    assert shown in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    damaged = bytearray(content)
    (ops,) = struct.unpack_from("<I", content, 32)
    struct.pack_into("<I", damaged, ops + 12, 999)  # its input: an edge that is not there
    with pytest.raises(ModelFileError) as refused:
        Model(with_checksum(bytes(damaged)))
    assert f"layer {shown}: " in str(refused.value)


# The records, where every word means something.
_RECORDS = st.integers(16, min(len(CONTENT), HEADER_BYTES + 1400) // 4 * 4 - 1)
_WORDS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 15, 16, 64, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(st.tuples(_RECORDS, _WORDS), min_size=1, max_size=4))
def test_changed_words_never_crash(changes: list[tuple[int, int]]) -> None:
    content = bytearray(CONTENT)
    for position, word in changes:
        content[position // 4 * 4 : position // 4 * 4 + 4] = struct.pack("<I", word)
    use(with_checksum(bytes(content)))


@settings(max_examples=100, deadline=None)
@given(tail=st.binary(max_size=300))
def test_any_bytes_behind_the_magic_never_crash(tail: bytes) -> None:
    content = b"ERNN" + struct.pack("<II", 1, 16 + len(tail)) + b"\0\0\0\0" + tail
    use(with_checksum(content))


@pytest.mark.parametrize("kind", [OpKind.DOT, OpKind.RESHAPE])
def test_a_head_whose_sizes_do_not_fit_is_refused(kind: OpKind) -> None:
    """A streaming model makes single rows behind its sequence: no step checks their sizes again."""
    rng = np.random.default_rng(0)
    gru = cell("gru", rng, units=500, features=3, name="gru")
    down = Dense(name="d", input="gru.y", output="d", kernel=numbers(rng, 500, 2), bias=None)
    up = Dense(name="u", input="d", output="u", kernel=numbers(rng, 2, 500), bias=None)
    dot = Dot(name="dot", left="gru.y", right="u", output="s", left_axis=1, right_axis=1)
    both = Concatenate(name="both", inputs=("s", "d"), output="y")
    graph = graph_of(gru, down, up, dot, both, features=3)
    content = bytearray(lower(graph, metadata={}).content)
    assert Model(bytes(content))(X).shape == (1, 3)
    last = struct.unpack_from("<I", content, 32)[0] + 3 * 128  # of 128 bytes a layer
    assert struct.unpack_from("<I", content, last) == (OpKind.DOT,)
    struct.pack_into("<I", content, last, kind)
    struct.pack_into("<I", content, last + 16, 2)  # the second input: d, of 2 numbers for 500
    with pytest.raises(ModelFileError, match="do not fit together"):
        Model(with_checksum(bytes(content)))
