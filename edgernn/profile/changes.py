"""Describes the differences of two values of one kind with the names of the user's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final, TypeVar

from edgernn.devices.runners.outcome import Machine
from edgernn.profile.measure import Plan

T = TypeVar("T", Plan, Machine)

#: Fields of a Plan as options of `edgernn profile`.
PLAN_OPTIONS: Final = MappingProxyType(
    {
        "threads": "--threads",
        "cpus": "--cpus",
        "warm_up_s": "--warmup in seconds",
        "min_time_s": "--min-time in seconds",
        "processes": "--processes",
        "period_ms": "--period in milliseconds",
        "cool_down_s": "--cool-down in seconds",
        "check_noise": "--check-noise",
        "emulated_timing": "--allow-emulated-timing",
    }
)


def changes(before: T, now: T, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """--threads was 1 and is 2; --cpus was not given and is 0, 1"""
    pairs = (
        (names.get(field.name, field.name), getattr(before, field.name), getattr(now, field.name))
        for field in fields(before)
    )
    return "; ".join(f"{name} was {_text(a)} and is {_text(b)}" for name, a, b in pairs if a != b)


def _text(value: Any) -> str:
    match value:
        case None | False:
            return "not given"
        case True:
            return "given"
        case tuple():
            return ", ".join(str(part) for part in value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)
