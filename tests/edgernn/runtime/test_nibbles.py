"""Weights of 4 bits give the bits of the integer reference, on every instruction set."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgernn.errors import ModelFileError
from edgernn.export.native import lower
from edgernn.export.native.packing import nibbles
from edgernn.export.native.records import Feature
from edgernn.graph import Graph
from edgernn.reference import integer
from edgernn.runtime import Model, available_isas
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_integer_cell,
    random_integer_layer,
    random_recurrent_plan,
    with_plans,
)
from tests.edgernn.runtime.nibble_models import in_nibbles

_FEATURES = 16  # where they are in a file


def assert_same_bits(graph: Graph, inputs: dict[str, Any]) -> bytes:
    expected = integer.run(graph, inputs)
    content = lower(graph, metadata={}).content
    for isa in available_isas():
        actual = Model(content, isa=isa).run(inputs)
        for name, wanted in expected.items():
            np.testing.assert_array_equal(actual[name], wanted, err_msg=f"{name} on {isa}")
    return content


@pytest.mark.parametrize("make", [random_integer_cell, random_integer_layer, random_integer_image])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_plan_gives_the_bits_of_the_reference(make: Any, seed: int) -> None:
    graph, inputs = make(seed)
    assert_same_bits(in_nibbles(graph, seed), inputs)


@pytest.mark.parametrize("units", [1, 20, 48, 130])
@pytest.mark.parametrize("features", [1, 4, 9, 23])
@pytest.mark.parametrize("bits", [8, 16])
def test_odd_sizes_and_blocks_of_rows_give_the_bits_of_the_reference(
    units: int, features: int, bits: int
) -> None:
    rng = np.random.default_rng(units + features)
    layer = cell("lstm", rng, units=units, features=features, return_sequences=True)
    plan = random_recurrent_plan(layer, rng, bits=bits, state_bits=24 - bits)
    graph = in_nibbles(with_plans(graph_of(layer, features=features), cell=plan), units)
    assert_same_bits(graph, {"x": numbers(rng, 3, 19, features, gain=3)})


@pytest.mark.parametrize("features", [100, 500, 1021, 1030])
def test_wide_rows_of_16_bits_give_the_bits_of_the_reference(features: int) -> None:
    """AVX2 orders as many rows as its own memory takes: from ten down to none beyond 1024 words."""
    rng = np.random.default_rng(features)
    layer = cell("gru", rng, units=20, features=features, return_sequences=True)
    plan = random_recurrent_plan(layer, rng, bits=16, state_bits=16)
    graph = in_nibbles(with_plans(graph_of(layer, features=features), cell=plan), features)
    for steps in (1, 13):
        assert_same_bits(graph, {"x": numbers(rng, 1, steps, features, gain=3)})


def packed_content() -> bytes:
    graph, _ = random_integer_cell(1)
    return lower(in_nibbles(graph, 1), metadata={}).content


def test_packed_weights_take_half_the_bytes_and_an_own_feature() -> None:
    graph, _ = random_integer_cell(1)
    bytes_, packed = lower(graph, metadata={}).content, packed_content()
    assert not struct.unpack_from("<I", bytes_, _FEATURES)[0] & Feature.NIBBLES
    assert struct.unpack_from("<I", packed, _FEATURES)[0] & Feature.NIBBLES
    assert len(packed) < len(bytes_)


def test_a_file_that_does_not_announce_nibbles_is_refused() -> None:
    content = bytearray(packed_content())
    (features,) = struct.unpack_from("<I", content, _FEATURES)
    struct.pack_into("<I", content, _FEATURES, features & ~Feature.NIBBLES)
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:]))
    with pytest.raises(ModelFileError):
        Model(bytes(content))


def test_a_panel_holds_a_quad_and_the_next_one_above_it() -> None:
    panel = np.zeros((5, 16), np.int8)
    panel[0, 0], panel[4, 0], panel[3, 8] = -128, 112, 16
    packed = nibbles(panel)
    assert packed.shape == (1, 1, 16, 4)
    assert packed[0, 0, 0, 0] == 0xF0  # of rows 4 and 0: 7 + 8, and -8 + 8
    assert packed[0, 0, 4, 3] == 0x89  # column 8 is in lane 4
    assert (packed == 0x88).sum() == 16 * 4 - 2


def test_weights_of_more_bits_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        nibbles(np.full((4, 16), 17, np.int8))
