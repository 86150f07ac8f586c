"""The numbers that the writer puts into a file are those of the C headers."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from edgernn.export.native import records
from edgernn.graph import ActivationKind, MergeKind

HEADERS = Path(__file__).parents[3] / "edgernn" / "runtime" / "c"


def listed(name: str) -> list[str]:
    """The entries of an X-macro list of ernn_format.h."""
    text = (HEADERS / "ernn_format.h").read_text()
    body = re.search(rf"#define {name}\(X\)(.*?)\n\n", text, re.DOTALL)
    assert body is not None
    return re.findall(r"X\((\w+)\)", re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ERNN_OP_LIST", records.OpKind), ("ERNN_CONSTANT_LIST", records.ConstantType)],
)
def test_kinds_have_the_numbers_of_the_header(name: str, kind: type[IntEnum]) -> None:
    assert listed(name) == [entry.name for entry in kind]
    assert [entry.value for entry in kind] == list(range(len(kind)))


def test_activations_and_merges_are_in_the_order_of_the_header() -> None:
    assert listed("ERNN_ACTIVATION_LIST") == [kind.name for kind in ActivationKind]
    assert listed("ERNN_MERGE_LIST") == [kind.name for kind in MergeKind]


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("ERNN_MAX_RECORDS", records.MAX_RECORDS),
        ("ERNN_TILE", records.TILE),
        ("ERNN_OP_INPUTS", records.OP_INPUTS),
        ("ERNN_OP_OUTPUTS", records.OP_OUTPUTS),
        ("ERNN_OP_ARGUMENTS", records.OP_ARGUMENTS),
    ],
)
def test_sizes_are_those_of_the_header(macro: str, value: int) -> None:
    text = (HEADERS / "ernn_format.h").read_text()
    found = re.search(rf"#define {macro} (\d+)u", text)
    assert found is not None
    assert int(found[1]) == value
