"""Waiting for a device to cool down: when, for how long, and when not at all."""

from __future__ import annotations

import pytest

from edgernn.devices.facts import conditions
from edgernn.profile.cooling import LOOK_S, Cooling


def state(celsius: float | None, word: int = 0):
    texts = {"vcgencmd get_throttled": f"throttled={word:#x}"}
    if celsius is not None:
        texts["/sys/class/thermal/thermal_zone0/temp"] = f"{celsius * 1000:.0f}\n"
    return conditions(texts)


def waits_of(states, *, limit_s=60.0):
    """For each process what was waited for; `states` are told one after another."""
    told = iter(states)
    paused: list[float] = []
    cooling = Cooling(limit_s=limit_s, pause=paused.append)
    return lambda: list(cooling.waits(lambda: next(told))), paused


def test_a_device_is_waited_for_until_it_is_as_cool_as_at_first():
    waits, paused = waits_of([state(50), state(61), state(55), state(51.9)])
    assert waits() == []
    assert waits() == [
        "cooling down: 61 °C, at first 50 °C",
        "cooling down: 55 °C, at first 50 °C",
    ]
    assert paused == [LOOK_S, LOOK_S]


def test_a_device_that_slows_itself_down_is_waited_for_at_any_temperature():
    waits, paused = waits_of([state(50), state(50, word=0x4), state(50)])
    assert waits() == []
    assert len(waits()) == 1
    assert len(paused) == 1


def test_the_wait_ends_at_its_limit():
    waits, paused = waits_of([state(50), *[state(70)] * 10], limit_s=7.0)
    assert waits() == []
    assert len(waits()) == 3
    assert sum(paused) == pytest.approx(7.0)


@pytest.mark.parametrize("now", [None, state(None)])
def test_without_a_sensor_nobody_waits(now):
    waits, paused = waits_of([now])
    assert waits() == []
    assert paused == []


def test_without_a_limit_the_device_is_not_even_asked():
    waits, _ = waits_of([], limit_s=0.0)
    assert waits() == []
