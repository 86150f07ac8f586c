"""The back end that writes .ernn files, for edgernn's own runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgernn.export.backend import Arithmetic, Backend
from edgernn.export.native.model import lower
from edgernn.export.native.simulated import simulated

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


def read_contents(content: bytes) -> Contents:
    """See contents.py, which is imported only when a file is read."""
    from edgernn.export.native import contents

    return contents.read_contents(content)


def arithmetic(**_options: str) -> Arithmetic:
    """The integers of the specification.  16 bits cost some percent of the time, float32 more."""
    return Arithmetic(
        simulate=simulated, quiet=1e-5, has_sixteen=True, has_rows=True, is_exact=True
    )


BACKEND: Final = Backend(lower=lower, read_contents=read_contents, arithmetic=arithmetic)

__all__ = ["BACKEND", "lower"]
