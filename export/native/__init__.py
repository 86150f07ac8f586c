"""The back end that writes .ernn files, for edgernn's own runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgernn.export.backend import Backend, Simulate
from edgernn.export.native.model import lower
from edgernn.export.native.simulated import simulated

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


def read_contents(content: bytes) -> Contents:
    """See contents.py, which is imported only when a file is read."""
    from edgernn.export.native import contents

    return contents.read_contents(content)


def simulation(**_options: str) -> Simulate:
    """The integers of the specification: native files compute them."""
    return simulated


BACKEND: Final = Backend(lower=lower, read_contents=read_contents, simulation=simulation)

__all__ = ["BACKEND", "lower"]
