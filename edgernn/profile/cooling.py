"""Waiting for a device to cool down, so that the last artefact is not measured on a hotter one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from edgernn.devices.facts import Conditions

#: As cool as at first: sensors are no better than this.
MARGIN_C: Final = 2.0
#: How often to look.  Looking starts a process on the device, which warms it.
LOOK_S: Final = 3.0


@dataclass(slots=True, kw_only=True)
class Cooling:
    """Knows how warm a device was when it was first asked."""

    limit_s: float  # the longest wait at once; 0: never wait
    pause: Callable[[float], None] = field(default=time.sleep)
    _first_c: float | None = None

    def waits(self, now: Callable[[], Conditions | None]) -> Iterator[str]:
        """Waits while the device is warmer than at first, or slows itself down for its heat.

        Yields before each wait what for.  A device without a sensor is not waited for.
        """
        waited_s = 0.0
        while waited_s < self.limit_s:
            state = now()
            if state is None or state.temperature_c is None:
                return
            if self._first_c is None:
                self._first_c = state.temperature_c
            slowed = state.throttling is not None and state.throttling.slowed
            if state.temperature_c <= self._first_c + MARGIN_C and not slowed:
                return
            yield f"cooling down: {state.temperature_c:.0f} °C, at first {self._first_c:.0f} °C"
            wait_s = min(LOOK_S, self.limit_s - waited_s)
            self.pause(wait_s)
            waited_s += wait_s
