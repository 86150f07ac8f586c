"""The pages that people read, for tests that hold what they say against the program."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parent.parent
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@cache
def page(name: str) -> str:
    """The text of README.md or of a file of docs/ ("commands.md")."""
    path = TOP / name if (TOP / name).exists() else TOP / "docs" / name
    return path.read_text(encoding="utf-8")


def blocks(name: str, language: str = "") -> list[str]:
    """The blocks of code of a page, in one language; without: those of a shell."""
    return [code for said, code in _BLOCK.findall(page(name)) if said == language]
