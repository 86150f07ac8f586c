"""The formats whose files a runtime computes: tests of results go through these."""

from __future__ import annotations

from typing import Final

from edgernn.formats import FORMATS

RUN: Final = tuple(name for name, row in FORMATS.items() if row.runner is not None)
