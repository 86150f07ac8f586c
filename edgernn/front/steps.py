"""Steps of a job in the log, each with the time that it took."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LOG: Final = logging.getLogger(__name__)


@contextmanager
def logged_step(name: str) -> Iterator[None]:
    """Logs how long the block took, also when it failed."""
    start_s = time.perf_counter()
    try:
        yield
    except BaseException:
        _LOG.info("%s: failed after %.3f s", name, time.perf_counter() - start_s)
        raise
    _LOG.info("%s: %.3f s", name, time.perf_counter() - start_s)


@contextmanager
def logged_phases(first: str, show: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Yields what begins a phase: `show` is called, and the phase before it is logged.

    A phase may report how far it is after a colon ("calibrating: 8 of 200 sequences"): it is
    logged once, at its end.
    """
    phase, start_s = first, time.perf_counter()

    def log(end: str = "") -> None:
        _LOG.info("%s: %s%.3f s", phase, end, time.perf_counter() - start_s)

    def begin(text: str) -> None:
        nonlocal phase, start_s
        if text.partition(":")[0] != phase.partition(":")[0]:
            log()
            start_s = time.perf_counter()
        phase = text
        show(text)

    try:
        yield begin
    except BaseException:
        log("failed after ")
        raise
    log()
