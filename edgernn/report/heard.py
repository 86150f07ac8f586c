"""False alarms and misses in long recordings, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from edgernn.profile.alarms import Alarms, Tally
from edgernn.profile.report import Report
from edgernn.units import percent, significant


def heard(report: Report) -> Iterator[str]:
    """Of each artefact the threshold, and what it gives in recordings that did not choose it."""
    for one in report.alarms:
        yield _heard(one)
        if not one.is_kept:
            yield (
                f"No threshold of {one.file} gives at most {one.wanted_per_hour:g} false alarms an "
                f"hour in the validation: this one gives {significant(one.validation.per_hour)}."
            )
    # Once: all artefacts listened to the same recordings.
    yield from dict.fromkeys(_too_short(one) for one in report.alarms if not one.can_show)


def _heard(one: Alarms) -> str:
    low, high = one.test.per_hour_interval
    return (
        f"{one.file} gives {significant(one.test.per_hour)} false alarms an hour "
        f"({one.test.false_alarms} in {_length(one.test)}; {significant(low)} to "
        f"{significant(high)}) and {_missed(one.test)} in {one.recordings}, with the threshold "
        f"{100 * one.threshold:g} %, which the validation chose "
        f"({one.validation.false_alarms} in {_length(one.validation)}, {_missed(one.validation)})."
    )


def _too_short(one: Alarms) -> str:
    there = f"there are {_length(one.validation)} and {_length(one.test)}"
    if not one.wanted_per_hour:
        return f"No recordings can show that there are never false alarms: {there}."
    return (
        f"{one.recordings} is too short to show a rate of at most {one.wanted_per_hour:g} an hour: "
        f"that takes {significant(one.hours_to_show)} hours without a false alarm, in the "
        f"validation and in the test, and {there}."
    )


def _missed(tally: Tally) -> str:
    interval = tally.miss_interval
    if interval is None:
        return "no word that could be missed"
    return (
        f"misses {tally.missed} of {tally.events} words "
        f"({percent(interval.low)} to {percent(interval.high)})"
    )


def _length(tally: Tally) -> str:
    return f"{tally.hours:.1f} h" if tally.hours >= 1 else f"{60 * tally.hours:.1f} min"
