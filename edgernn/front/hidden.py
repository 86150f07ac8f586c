"""Whether progress is drawn.  `edgernn -q` hides it; so does a program that has its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_HIDDEN: Final = ContextVar("hidden", default=False)


@contextmanager
def hidden() -> Iterator[None]:
    """No progress is drawn in this block.  Callbacks are still called."""
    token = _HIDDEN.set(True)
    try:
        yield
    finally:
        _HIDDEN.reset(token)


def is_hidden() -> bool:
    return _HIDDEN.get()
