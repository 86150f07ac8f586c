"""docs/native-format.md says what the C headers say: sizes, offsets, numbers, positions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgernn.export.native import records
from edgernn.graph import ActivationKind, MergeKind
from tests.export.native.test_records import HEADERS, listed

DOCUMENT = (Path(__file__).parents[3] / "docs" / "native-format.md").read_text(encoding="utf-8")
HEADER = "".join((HEADERS / f"ernn_{name}.h").read_text() for name in ("format", "sound"))

BYTES = {"uint8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4, "float": 4}
STRUCTURES = {
    "ernn_header": "## Header",
    "ernn_edge": "## Edges",
    "ernn_op": "## Layers",
    "ernn_constant": "## Constants",
    "ernn_cell": "### Cells",
    "ernn_port_record": "## Inputs and outputs",
    "ernn_text": "## Texts",
    "ernn_front_end": "## Front ends",
    "ernn_sound": "### Sound",
}


def number(text: str) -> int:
    """A size in brackets: digits, or a macro of the header."""
    if text.isdigit():
        return int(text)
    found = re.search(rf"#define {text} (\d+)u", HEADER)
    assert found is not None, text
    return int(found[1])


def fields(structure: str) -> list[tuple[int, int, str]]:
    """(offset, bytes, name) as a C compiler lays the structure out: all are naturally aligned."""
    body = re.search(rf"typedef struct {structure} {{(.*?)}} {structure};", HEADER, re.DOTALL)
    assert body is not None
    found, offset = [], 0
    for kind, names in re.findall(r"(\w+) ([\w, \[\]]+);", re.sub(r"/\*.*?\*/", "", body[1])):
        for name in names.split(", "):
            bare, _, count = name.rstrip("]").partition("[")
            size = BYTES[kind] * (number(count) if count else 1)
            assert offset % BYTES[kind] == 0
            found.append((offset, size, bare))
            offset += size
    return found


def section(title: str) -> str:
    after = DOCUMENT.split(f"\n{title}\n", 1)[1]
    return re.split(r"\n##+ ", after)[0]


def rows(text: str, columns: str) -> list[list[str]]:
    """The cells of the first table whose heading begins with `columns`."""
    lines = text.split(f"| {columns}", 1)[1].splitlines()[2:]
    cells = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    return cells


@pytest.mark.parametrize(("structure", "title"), STRUCTURES.items())
def test_every_field_has_the_place_of_the_header(structure: str, title: str) -> None:
    told = [
        (int(offset), int(size), name)
        for offset, size, name, _ in rows(section(title), "offset | bytes | field")
    ]
    assert told == fields(structure)


@pytest.mark.parametrize(
    ("columns", "macro"), [("kind | name", "ERNN_OP_LIST"), ("type | name", "ERNN_CONSTANT_LIST")]
)
def test_kinds_have_the_numbers_of_the_header(columns: str, macro: str) -> None:
    told = [(int(row[0]), row[1]) for row in rows(DOCUMENT, columns)]
    assert told == list(enumerate(listed(macro)))


def test_arguments_have_the_positions_of_the_header() -> None:
    told: dict[str, int] = {}
    for title in DOCUMENT.split("| name | position")[1:]:
        told.update({row[0]: int(row[1]) for row in rows("| name | position" + title, "name | p")})
    groups = "EMBEDDING|DENSE|CONV|POOL|AFFINE|NORM|ACTIVATE|PRELU|REPEAT|PAD|SLICE|MERGE|NOT_EQUAL"
    groups += "|RNN|LINEAR|QCONV|QRNN|READING|CONV2D|QCONV2D|AXIS|SWAP|ATTENTION|DOT|COMPARE"
    code = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    values = re.findall(rf"\b(ERNN_(?:{groups})_\w+) = (\d+)", code)
    flags = {"ERNN_RNN_SEQUENCES", "ERNN_RNN_BACKWARDS", "ERNN_RNN_ZERO_MASKED"}
    flags |= {f"ERNN_ATTENTION_{flag.name}" for flag in records.AttentionFlag}
    kinds = {"ERNN_POOL_MAX", "ERNN_POOL_AVERAGE"}
    expected = {name: int(value) for name, value in values if name not in flags | kinds}
    assert told == expected


def test_lists_flags_and_limits_are_those_of_the_program() -> None:
    flat = " ".join(DOCUMENT.split())
    assert ", ".join(kind.name for kind in ActivationKind) in flat
    assert ", ".join(kind.name for kind in MergeKind) in flat
    for flag in records.RnnFlag:
        assert f"{flag.value} {flag.name}" in flat
    assert [(int(row[0]), row[1]) for row in rows(DOCUMENT, "bit of features")] == [
        (feature.value, feature.name) for feature in records.Feature
    ]
    for macro, value in re.findall(r"#define (ERNN_MAX_\w+) (.*?)(?: /\*.*)?\n", HEADER):
        plain = eval(value.replace("u", ""), {"__builtins__": {}})
        assert re.search(rf"{plain} \w+ \({macro}\)", flat), macro


def test_the_version_is_the_last_in_the_history() -> None:
    history = rows(DOCUMENT, "version | what changed")
    assert int(history[-1][0]) == records.VERSION
    macro = re.search(r"#define ERNN_FORMAT_VERSION (\d+)", (HEADERS / "ernn.h").read_text())
    assert macro is not None
    assert int(macro[1]) == records.VERSION
    assert DOCUMENT.startswith(f"# The .ernn file, version {records.VERSION}\n")
