"""The kits that are no C know some statuses by the header's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "edgernn"


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("kits/web/ernn.js", "NO_RESULT"),
        ("kits/android/java/Native.java", "NO_RESULT"),
    ],
)
def test_a_status_has_the_number_of_the_header(file: str, status: str) -> None:
    header = (ROOT / "runtime/c/ernn.h").read_text()
    listed = header[header.index("#define ERNN_STATUS_LIST") : header.index("typedef enum")]
    (number,) = re.findall(rf"{status} = (\d+);", (ROOT / file).read_text())
    assert re.findall(r"X\((\w+),", listed).index(status) == int(number)
