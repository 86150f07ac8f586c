"""The native runtime: a C library without dependencies (c/), and its binding."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgernn.runtime.library import available_isas as available_isas
    from edgernn.runtime.model import Model as Model
    from edgernn.runtime.session import Session as Session

__all__ = ["Model", "Session", "available_isas"]

_MODULES: Final = {"Model": "model", "Session": "session", "available_isas": "library"}


def __getattr__(name: str) -> object:
    """Loads the C library when it is first used: where it was not built, all else works.

    Raises MissingRuntime then.
    """
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
