"""Times several callables in turn, so that whatever slows the machine slows them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Milliseconds = npt.NDArray[np.float64]


def alternate(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = 60, block_ms: float = 15.0
) -> dict[str, Milliseconds]:
    """Milliseconds per call, one value a round: each round times a block of every callable.

    A block is as many calls as take about `block_ms`; the first round is thrown away.  Time is the
    processor's, of all threads of this process: other programs' turns do not count.
    """
    repeats = {name: _repeats(call, block_ms) for name, call in calls.items()}
    values: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            started = time.process_time_ns()
            for _ in range(repeats[name]):
                call()
            values[name].append((time.process_time_ns() - started) / repeats[name] / 1e6)
    return {name: np.array(timed[1:]) for name, timed in values.items()}


def _repeats(call: Callable[[], object], block_ms: float) -> int:
    call()
    started = time.process_time_ns()
    call()
    once_ms = (time.process_time_ns() - started) / 1e6
    return max(1, round(block_ms / once_ms))
