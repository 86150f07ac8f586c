"""The back end that writes ONNX files, for ONNX Runtime 1.16 and newer and whatever reads ONNX."""

from typing import Final

from edgernn.export.onnx.model import lower
from edgernn.scheme import Scheme

NAME: Final = "onnx"
SUFFIX: Final = ".onnx"
SCHEMES: Final = frozenset(Scheme)

__all__ = ["NAME", "SCHEMES", "SUFFIX", "lower"]
