"""The back end that writes ONNX files, for ONNX Runtime 1.16 and newer and whatever reads ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgernn.export.backend import Backend
from edgernn.export.onnx.model import lower

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


def read_contents(content: bytes) -> Contents:
    """As contents.py says; writing a file needs no library that only reading needs."""
    from edgernn.export.onnx import contents

    return contents.read_contents(content)


BACKEND: Final = Backend(lower=lower, read_contents=read_contents, library="onnx")

__all__ = ["BACKEND", "lower"]
