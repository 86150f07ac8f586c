"""The back end that writes .ernn files, for edgernn's own runtime."""

from typing import Final

from edgernn.export.native.lowering import lower
from edgernn.scheme import Scheme

NAME: Final = "native"
SUFFIX: Final = ".ernn"
SCHEMES: Final = frozenset(Scheme)

__all__ = ["NAME", "SCHEMES", "SUFFIX", "lower"]
