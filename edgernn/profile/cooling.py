"""Waits until a device has cooled down, so that later artefacts are not measured hotter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from edgernn.devices.facts import Conditions

#: A device counts as cool within this tolerance: sensors are not more accurate.
MARGIN_C: Final = 2.0
#: How often to look.  Looking starts a process on the device, which warms it.
LOOK_S: Final = 3.0


@dataclass(slots=True, kw_only=True)
class Cooling:
    """Remembers the temperature of a device at the first call."""

    limit_s: float  # the longest wait at once; 0: never wait
    pause: Callable[[float], None] = field(default=time.sleep)
    _first_c: float | None = None

    def waits(self, now: Callable[[], Conditions | None]) -> Iterator[str]:
        """Waits while the device is warmer than at first, or throttles because of heat.

        Yields the reason before each wait.  Does not wait for a device without a sensor.
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
