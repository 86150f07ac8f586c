"""Times of made-up models on a device, as if its clock had been the same for all of them.

A processor that others share, or that is warm, is up to 1.6 times as slow at one moment as at the
next.  So models are timed in short turns, round after round, and what slows a whole round down is
taken out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.devices import open_device
from edgernn.devices.device import Device
from edgernn.devices.runners import describe, time_calls
from edgernn.devices.runners.kept import kept_processes
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.devices.runners.runner import Describe, Model, TimeCalls
from edgernn.errors import DeviceError
from edgernn.profile.candidates import Candidate, find_candidates
from edgernn.profile.workload import Workload
from edgernn.scheme import Scheme
from edgernn.selection.shapes import Shape, write_shapes

#: Rounds end after so long, but not before the fewest are done.
SECONDS: Final = 16.0
FEWEST_ROUNDS: Final = 3
_WARM_UP_S: Final = 0.002
_TURN_S: Final = 0.015
#: Of a model's times without the slowness of their rounds: what disturbed one turn is above it.
_QUANTILE: Final = 0.25
_PASSES: Final = 5


def least_ms(
    shapes: Sequence[Shape],
    device: str,
    *,
    backend: str,
    scheme: Scheme,
    seconds: float = SECONDS,
) -> tuple[float, ...]:
    """The shortest hot call of each shape, made with random weights, at the best clock seen.

    seconds: of the rounds; to make the files takes some more.  Raises DeviceError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        write_shapes(shapes, Path(scratch), backend=backend, scheme=scheme)
        found = {one.item.model: one for one in find_candidates([Path(scratch)])}
        with kept_processes(), open_device(device) as opened:
            turns = [_Turn(opened, found[shape.name]) for shape in shapes]
            end = time.monotonic() + seconds
            rounds: list[list[float]] = []
            random = np.random.default_rng(0)
            while len(rounds) < FEWEST_ROUNDS or time.monotonic() < end:
                order = random.permutation(len(turns))
                times = {place: turns[place].shortest_ms() for place in order}
                rounds.append([times[place] for place in range(len(turns))])
    return tuple(at_best_clock(np.array(rounds)).tolist())


def at_best_clock(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[models] of times [rounds, models]: as if every round were as fast as the fastest.

    A round is slow when most of its models are slower than in other rounds.

    >>> at_best_clock(np.array([[1.0, 2.0, 4.0], [1.5, 3.0, 6.0], [1.5, 9.0, 6.0]]))
    array([1., 2., 4.])
    """
    own = times.min(axis=0)
    for _ in range(_PASSES):
        slowness = np.median(times / own, axis=1)
        own = np.quantile(times / slowness[:, None], _QUANTILE, axis=0)
    return np.asarray(own * np.median(times / own, axis=1).min())


class _Turn:
    """One model on a device, which is timed again and again."""

    def __init__(self, device: Device, candidate: Candidate) -> None:
        self._device = device
        self._model = Model(
            path=candidate.path, backend=candidate.item.backend, extra_files=candidate.extra_files
        )
        described = describe(device, self._model, Describe())
        if isinstance(described, Failed | Skipped):
            raise _untimed(device, described)
        case = Workload().case(candidate, described.inputs)
        self._task = TimeCalls(case=case, warm_up_s=_WARM_UP_S, min_time_s=_TURN_S)

    def shortest_ms(self) -> float:
        timing = time_calls(self._device, self._model, self._task)
        if isinstance(timing, Failed | Skipped):
            raise _untimed(self._device, timing)
        return min(timing.hot_ms)


def _untimed(device: Device, outcome: Failed | Skipped) -> DeviceError:
    return DeviceError(
        f"{device.name} gives no times, so none can be predicted: {outcome}",
        remedy="Search without a limit of time, or on another --device",
    )
