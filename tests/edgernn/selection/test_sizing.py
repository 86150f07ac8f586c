"""Contenders of equal bytes: found by bisection, also where sizes rise in steps."""

from __future__ import annotations

import pytest

from edgernn.errors import TrainingFailed
from edgernn.selection.sizing import with_bytes


def padded(contender):
    """As the native format: units are padded to a multiple of 16."""
    units = -(-contender.units // 16) * 16
    return 1_000 + 40 * units + 3 * units * units


def smooth(contender):
    return 500 + 12 * contender.units + 4 * contender.units**2


@pytest.mark.parametrize("wanted", [1_000, 9_999, 70_000, 1_234_567])
def test_the_nearest_width_is_found(wanted):
    found = with_bytes("lstm", wanted, smooth)
    neighbours = [
        abs(smooth(type(found.contender)(architecture="lstm", units=units)) - wanted)
        for units in (found.contender.units - 1, found.contender.units + 1)
        if units
    ]
    assert abs(found.bytes - wanted) <= min(neighbours)


def test_of_widths_with_equal_bytes_the_widest_is_taken():
    found = with_bytes("lstm", 13_800, padded)
    assert found.bytes == padded(found.contender)
    assert found.contender.units % 16 == 0
    assert found.contender.units == 64


def test_few_files_are_made():
    calls = []

    def counted(contender):
        calls.append(contender.units)
        return smooth(contender)

    with_bytes("lstm", 300_000, counted)
    assert len(calls) <= 16
    assert len(set(calls)) == len(calls)


def test_a_file_that_cannot_be_so_small_is_refused():
    with pytest.raises(TrainingFailed, match="lstm with one unit has 516 bytes, more than 100"):
        with_bytes("lstm", 100, smooth)
