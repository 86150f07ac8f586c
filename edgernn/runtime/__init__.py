"""The native runtime: a C library without dependencies (c/), and its binding."""

from __future__ import annotations

from edgernn.runtime.library import available_isas
from edgernn.runtime.model import Model
from edgernn.runtime.session import Session

__all__ = ["Model", "Session", "available_isas"]
