"""No step executes more instructions than when it was last recorded, or far fewer unnoticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.edgernn.runtime.instructions import compiler, count, recorded

TOLERANCE = 0.02
HOW_TO_RECORD = "If the change is meant, run `make record-instructions` and commit the file"


def test_steps_execute_as_many_instructions_as_recorded(tmp_path: Path) -> None:
    before = recorded()
    if compiler() != before["compiler"]:
        reason = f"counts were recorded with {before['compiler']}, this is {compiler()}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}. {HOW_TO_RECORD}")
        pytest.skip(reason)
    changed = []
    for isa, counts in count(tmp_path).items():
        for name, now in counts.items():
            then = before["instructions_per_step"][isa][name]
            if abs(now / then - 1) > TOLERANCE:
                changed.append(f"{name} on {isa}: {then} -> {now} ({now / then - 1:+.1%})")
    assert not changed, f"{changed}. {HOW_TO_RECORD}"


def test_integer_steps_on_32_bit_arm_execute_a_third_of_the_portable_ones() -> None:
    counts = recorded()["instructions_per_step"]
    integers = [name for name in counts["armv7 neon"] if "float32" not in name]
    assert len(integers) == 4
    for name in integers:
        assert counts["armv7 neon"][name] <= counts["armv7 portable"][name] / 3, name


def test_a_keyword_step_with_dot_products_executes_at_most_14_000() -> None:
    assert recorded()["instructions_per_step"]["neondot"]["gru 40x128 x16h8"] <= 14_000
