"""The kits that are no C know the status of a step without a result by the header's number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "edgernn"


@pytest.mark.parametrize(
    "file", ["kits/web/ernn.js", "kits/android/java/Native.java"], ids=["web", "android"]
)
def test_no_result_has_the_number_of_the_header(file: str) -> None:
    header = (ROOT / "runtime/c/ernn.h").read_text()
    listed = header[header.index("#define ERNN_STATUS_LIST") : header.index("typedef enum")]
    (number,) = re.findall(r"NO_RESULT = (\d+);", (ROOT / file).read_text())
    assert re.findall(r"X\((\w+),", listed).index("NO_RESULT") == int(number)
