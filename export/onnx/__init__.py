"""The back end that writes ONNX files, for ONNX Runtime (1.16 and newer) and other readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgernn.export.backend import Backend
from edgernn.export.onnx.model import lower
from edgernn.export.onnx.simulated import arithmetic

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


def read_contents(content: bytes) -> Contents:
    """See contents.py, which is imported only when a file is read."""
    from edgernn.export.onnx import contents

    return contents.read_contents(content)


BACKEND: Final = Backend(
    lower=lower, read_contents=read_contents, arithmetic=arithmetic, library="onnx"
)

__all__ = ["BACKEND", "lower"]
